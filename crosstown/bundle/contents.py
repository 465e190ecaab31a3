"""What goes into a bundle: each piece is asked for on its own, and one that can't be had is named.

Nothing is changed by looking: no key is made, nothing is published, no program is waited for longer
than `PATIENCE`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from pydantic import SecretStr

from crosstown.bundle.known import OPEN, SET, tells
from crosstown.bundle.offsets import offsets
from crosstown.errors import Stop
from crosstown.home import Home, shown
from crosstown.settings import Settings
from crosstown.supervision.running import Running, running
from crosstown.supervision.running_program import environment
from crosstown.supervision.supervise import NAMES

PATIENCE: Final = 5.0
"""Seconds that one question may take."""
DOCTOR_PATIENCE: Final = 60.0
LOG_BYTES: Final = 2_000_000
"""Of a log this much is taken, its end."""
FIGURE_BYTES: Final = 2_000_000
"""Of a program's figures this much is taken, their beginning."""
MOST_LOGS: Final = 40


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a bundle: `make` gives its text, or what becomes JSON.

    `is_log`: what agencies and people wrote can stand in it; `cut`: it is the end of something longer.
    """

    name: str
    about: str
    make: Callable[[], Any]
    is_log: bool = False
    cut: bool = False


def pieces(settings: Settings) -> Iterator[Piece]:
    """All pieces of one installation, whether or not it runs."""
    home = Home(settings.home)
    now = running(settings, NAMES)
    yield Piece("versions.json", "Crosstown, Python, Kafka's client, this machine, all packages",
                _versions)  # fmt: skip
    yield Piece("settings.json", "what is set; of secrets, only that they are set",
                partial(_settings, settings))  # fmt: skip
    yield Piece("status.json", "what runs, what was started again and why",
                partial(_status, now), is_log=True)  # fmt: skip
    yield Piece("files.json", "the home's files, their sizes and rights; room on the disk",
                partial(_files, home))  # fmt: skip
    yield Piece("topics.json", "topics, ends, what each group has read, and its lag",
                partial(offsets, settings))  # fmt: skip
    yield Piece("contracts.json", "which contracts and agreements there are",
                partial(_contracts, settings))  # fmt: skip
    yield Piece(
        "doctor.json", "what crosstown doctor says", partial(_doctor, settings), is_log=True
    )
    yield Piece("ready.json", "whether each program is ready, and why not", partial(_ready, now),
                is_log=True)  # fmt: skip
    for name, url in now.metrics.items():
        yield Piece(f"metrics/{name}.txt", f"the figures of {name}", partial(_figures, url))
    yield from _logs(home)


def _versions() -> dict[str, Any]:
    import confluent_kafka

    from crosstown.embedded.jars import ROOTS

    packages = {one.name: one.version for one in importlib.metadata.distributions()}
    return {
        "crosstown": packages.get("crosstown", "not installed: a checkout"),
        "python": sys.version, "platform": platform.platform(), "machine": platform.machine(),
        "processors": os.cpu_count(), "librdkafka": confluent_kafka.libversion()[0],
        "embedded": list(ROOTS), "packages": dict(sorted(packages.items())),
    }  # fmt: skip


def _settings(settings: Settings) -> dict[str, Any]:
    """Each setting; whether it was given; of `kafka` only harmless values."""
    said: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) or (isinstance(value, str) and value and tells(name)):
            value = SET
        elif name == "kafka":
            value = {one: said if one in OPEN else SET for one, said in value.items()}
        elif isinstance(value, str):
            value = shown(value)
        said[name] = value
    return {
        "settings": said, "given": sorted(settings.model_fields_set),
        "variables": sorted(one for one in os.environ if one.startswith("CROSSTOWN_")),
    }  # fmt: skip


def _status(now: Running) -> dict[str, Any]:
    from crosstown.supervision.lag import lags

    behind = lags(now.metrics, ("intake", "cases", "casebook"))
    return {
        "supervised": now.supervised, "bootstrap": shown(now.bootstrap), "registry": now.registry,
        "partitions": now.partitions,
        "processes": [
            {"name": one.name, "pid": one.pid, "state": one.state, "restarts": one.restarts,
             "why": one.why, "lag": behind.get(one.name)}
            for one in now.processes
        ],
    }  # fmt: skip


def _files(home: Home) -> dict[str, Any]:
    """Names, sizes and rights; of Kafka's and the programs' data folders only what they come to."""
    disk = shutil.disk_usage(home.path)
    files, folders = [], {}
    for entry in sorted(os.scandir(home.path), key=lambda one: one.name):
        about = entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            folders[entry.name] = _size(Path(entry.path))
        files.append({"name": entry.name, "bytes": about.st_size, "mode": stat.filemode(about.st_mode),
                      "owner": about.st_uid, "changed": int(about.st_mtime)})  # fmt: skip
    return {"disk": {"bytes": disk.total, "free": disk.free}, "files": files, "folders": folders}


def _size(folder: Path) -> dict[str, int]:
    files = [Path(at) / name for at, _, names in os.walk(folder) for name in names]
    sizes = [one.lstat().st_size for one in files if one.exists()]
    return {"files": len(sizes), "bytes": sum(sizes)}


def _contracts(settings: Settings) -> dict[str, Any]:
    from crosstown.contracts.repository import Repository

    repository = Repository.of(settings)
    return {"contracts": sorted(repository.contracts), "agreements": sorted(repository.agreements)}


def _doctor(settings: Settings) -> Any:
    """What `crosstown doctor` says, in a process of its own: nothing that it does can hold us up."""
    from crosstown.cli import COMMANDS

    if "doctor" not in COMMANDS:
        raise Stop("this version has no crosstown doctor")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "crosstown.cli", "doctor", "-o", "json"],
        capture_output=True, check=False, timeout=DOCTOR_PATIENCE, stdin=subprocess.DEVNULL,
        env=environment({"CROSSTOWN_HOME": str(settings.home)}),
    )  # fmt: skip
    try:
        return {"exit": done.returncode, "said": json.loads(done.stdout)}
    except ValueError:
        return {"exit": done.returncode, "said": done.stderr.decode("utf-8", "replace")}


def _ready(now: Running) -> dict[str, Any]:
    """What each program's `/readyz` says; Kafka itself has none."""
    return {name: _probed(url.replace("/metrics", "/readyz"))
            for name, url in now.metrics.items() if name != "kafka"}  # fmt: skip


def _probed(url: str) -> Any:
    try:
        with urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - http, as the supervisor wrote it
            return json.loads(answer.read(FIGURE_BYTES))
    except HTTPError as error:  # 503: it says why
        with error:
            return json.loads(error.read(FIGURE_BYTES))
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def _figures(url: str) -> str:
    with urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - http, as the supervisor wrote it
        return str(answer.read(FIGURE_BYTES).decode("utf-8", "replace"))


def _logs(home: Home) -> Iterator[Piece]:
    """The logs' ends, the newest logs first; only ordinary files: a link may lead anywhere."""
    found = [one for one in home.logs.glob("*.log*") if stat.S_ISREG(one.lstat().st_mode)]
    for file in sorted(found, key=lambda one: -one.stat().st_mtime)[:MOST_LOGS]:
        cut = file.stat().st_size > LOG_BYTES
        about = f"the log's last {LOG_BYTES:,} bytes" if cut else "the log"
        yield Piece(f"logs/{file.name}", about, partial(_end, file), is_log=True, cut=cut)


def _end(file: Path) -> str:
    """The end of a log; a first line that is cut is left out."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(file, flags), "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - LOG_BYTES))
        data = log.read(LOG_BYTES)
    return (data.partition(b"\n")[2] if size > LOG_BYTES else data).decode("utf-8", "replace")
