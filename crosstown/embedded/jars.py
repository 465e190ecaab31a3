"""The Java archives of the embedded Kafka: locked, fetched once, checked before each use.

`jars.lock` says for each archive its SHA-256, its size in bytes and its Maven coordinate. What
isn't in the cache yet is taken from the local Maven repository, else fetched by jgo from the Maven
repositories of the user's jgo settings (`[repositories]` in jgo.conf; `M2_REPO` and the usual proxy
variables hold). After that nothing here touches the network.

A new Kafka: change `ROOTS`, then `python -m crosstown.embedded.jars` resolves again and writes the lock.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crosstown.errors import Unavailable
from crosstown.processes.lock import waiting_for
from crosstown.settings import Settings

ROOTS: Final = (
    "org.apache.kafka:kafka_2.13:4.4.0",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
    "io.prometheus.jmx:jmx_prometheus_javaagent:1.0.1",
)
"""What the lock is resolved from; the second lets Kafka's log lines reach log4j, the third tells
Prometheus what Kafka measures."""

LOCK: Final = Path(__file__).with_name("jars.lock")
TOGETHER: Final = 4
"""How many archives are fetched at a time."""

Arrived = Callable[[int], None]
"""Told how many more bytes have arrived."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One archive as the lock wants it."""

    sha256: str
    size: int
    coordinate: str

    @property
    def name(self) -> str:
        """Its file name in the cache."""
        _, artifact, version, ending, classifier = self.parts
        return f"{artifact}-{version}{classifier and '-'}{classifier}.{ending}"

    @property
    def parts(self) -> list[str]:
        """Its coordinate: group, artifact, version, ending (jar unless it says so), classifier."""
        said = self.coordinate.split(":")
        return [*said, *("jar", "")[len(said) - 3 :]]


def locked(lock: Path = LOCK) -> list[Jar]:
    """The archives that `lock` lists, in class path order."""
    lines = (line.split() for line in lock.read_text("utf-8").splitlines())
    return [Jar(line[0], int(line[1]), line[2]) for line in lines if line and line[0] != "#"]


def classpath(settings: Settings, lock: Path = LOCK, what: str = "Kafka's jars") -> list[Path]:
    """All archives as files whose SHA-256 is the lock's; fetches what's missing or damaged.

    Safe to call from several processes at once. Raises `Unavailable` where one can't be had.
    """
    return _cached(settings, locked(lock), what)


def fetched(settings: Settings, name: str) -> Path:
    """The one archive whose file name begins with `name`; as `classpath`."""
    return _cached(settings, [jar for jar in locked() if jar.name.startswith(name)], name)[0]


def _cached(settings: Settings, jars: list[Jar], what: str) -> list[Path]:
    folder = settings.cache / "jars"
    if _missing(jars, folder):
        folder.mkdir(parents=True, exist_ok=True)
        with waiting_for(folder / ".lock", lambda: _say(f"another start is fetching {what}")):
            _fetch_all(_missing(jars, folder), folder, what)
    return [folder / jar.name for jar in jars]


def _missing(jars: Iterable[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not _right(jar, folder / jar.name)]


def _right(jar: Jar, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _fetch_all(jars: list[Jar], folder: Path, what: str) -> None:
    for left in folder.glob(".arriving-*"):  # by a start that was killed: we have the lock
        shutil.rmtree(left, ignore_errors=True)
    if not jars:
        return
    with (
        tempfile.TemporaryDirectory(prefix=".arriving-", dir=folder) as staging,
        _progress(sum(jar.size for jar in jars), what) as arrived,
        ThreadPoolExecutor(TOGETHER) as pool,
    ):
        waiting = [pool.submit(_fetch, jar, folder, Path(staging), arrived) for jar in jars]
        try:
            for one in waiting:
                one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(jar: Jar, folder: Path, staging: Path, arrived: Arrived) -> None:
    """Put one right archive into the cache, by renaming, so that no half of it is ever seen."""
    for use_local in (True, False, False):  # what the local repository has may be a torn download
        try:
            found = _artifact(jar, staging, arrived, use_local=use_local).resolve()
        except Exception as error:  # noqa: BLE001 - jgo raises whatever requests and it know
            raise Unavailable(
                f"{jar.coordinate} can't be fetched: {_first_line(error)}",
                mend="the first start needs the network (a proxy: HTTPS_PROXY; a mirror: "
                "[repositories] in jgo.conf); later ones don't. Then again: crosstown up",
            ) from None
        if _right(jar, found):
            if not found.is_relative_to(staging):  # the user's own repository is only read
                found = Path(shutil.copy2(found, staging / jar.name))
                arrived(jar.size)
            found.replace(folder / jar.name)
            return
        if found.is_relative_to(staging):
            found.unlink()
    raise Unavailable(
        f"{jar.coordinate} arrived with another SHA-256 than {LOCK.name} says; it isn't used",
        mend="something between here and the Maven repository changes files: "
        "try again, or from another network",
    )


def _artifact(jar: Jar, staging: Path, arrived: Arrived, *, use_local: bool) -> Any:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def follow(_name: str, _size: int) -> Iterator[Arrived]:
        yield arrived

    mine = GlobalSettings.load()
    context = MavenContext(
        resolver=PythonResolver(progress_callback=follow),
        repo_cache=staging,
        local_repos=[mine.repo_cache] if use_local else [],
        remote_repos={"central": MAVEN_CENTRAL_URL, **mine.repositories},
    )
    group, artifact, version, ending, classifier = jar.parts
    return context.project(group, artifact).at_version(version).artifact(classifier, ending)


@contextmanager
def _progress(total: int, what: str) -> Iterator[Arrived]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        _say(f"fetching {what}, once: {total / 1e6:.0f} MB")
    columns = (
        TextColumn(f"fetching {what}, once"), BarColumn(), DownloadColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def _say(text: str) -> None:
    sys.stderr.write(f"crosstown: {text}\n")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def write_lock(lock: Path = LOCK) -> None:
    """Resolve `ROOTS` anew and write the lock; needs the network."""
    from jgo import resolve

    rows: dict[str, str] = {}
    for root in ROOTS:
        for artifact in resolve(root):
            file = artifact.resolve()
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            rows.setdefault(
                f"{artifact.groupId}:{artifact.artifactId}",
                f"{digest} {file.stat().st_size} {coordinate}",
            )
    head = f"# SHA-256, bytes, coordinate; resolved from {' and '.join(ROOTS)}\n"
    lock.write_text(head + "".join(f"{row}\n" for row in rows.values()), "utf-8")


if __name__ == "__main__":
    write_lock()
