"""Whether a home can be written to and has room left."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crosstown.doctor.finding import OPERATIONS, Finding, Severity, size
from crosstown.home import Home
from crosstown.settings import Settings

FULL: Final = 64_000_000
"""Below so many free bytes Kafka or a program fails at any moment."""
SHARE: Final = 0.10
"""Below this share of free room the alert DiskNearlyFull speaks as well."""
PATIENCE: Final = 2.0
"""Seconds for adding up what lies where."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder's disk in bytes; `files` is how many more it can hold, -1 where no limit is known.

    `error` is what the system says (an errno) when a few bytes are written there, 0 if nothing.
    """

    folder: Path
    total: int
    free: int
    files: int
    error: int
    taken: Sequence[tuple[str, int]] = ()
    """The largest of what Crosstown keeps there, with its bytes."""


def look(settings: Settings) -> list[Disk]:
    """The disks of the home and of the broker's data, where they are there."""
    home = Home(settings.home)
    found: dict[int, Disk] = {}
    for folder in (home.path, home.broker, home.state, home.logs):
        if folder.exists():
            found.setdefault(folder.stat().st_dev, _disk(folder, home))
    return list(found.values())


def _disk(folder: Path, home: Home) -> Disk:
    total, _, free = shutil.disk_usage(folder)
    disk = Disk(folder, total, free, _files(folder), _written(folder))
    if not _low(disk):
        return disk
    deadline = time.monotonic() + PATIENCE
    taken = [(one.name, _size(one, deadline)) for one in (home.broker, home.logs, home.state)]
    ordered = sorted(taken, key=lambda one: -one[1])
    return Disk(folder, total, free, disk.files, disk.error, ordered)


def _files(folder: Path) -> int:
    if not hasattr(os, "statvfs"):  # Windows
        return -1
    about = os.statvfs(folder)
    return about.f_favail if about.f_files else -1


def _written(folder: Path) -> int:
    """What is said to a page written there; the file is gone afterwards, whatever happens."""
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(prefix=".doctor-", dir=folder) as file:
                file.write(b"\0" * 4096)
                file.flush()
                os.fsync(file.fileno())
        else:
            return errno.ENOTDIR
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _size(folder: Path, deadline: float) -> int:
    """Bytes on disk under a folder, as far as it was added up by `deadline`."""
    total = 0
    for where, _, files in os.walk(folder):
        if time.monotonic() > deadline:
            break
        for name in files:
            try:
                about = os.lstat(f"{where}/{name}")
                total += about.st_blocks * 512 if hasattr(about, "st_blocks") else about.st_size
            except OSError:  # it was just deleted
                continue
    return total


def _full(disk: Disk) -> bool:
    return disk.error in (errno.ENOSPC, errno.EDQUOT) or disk.free < FULL or disk.files == 0


def _low(disk: Disk) -> bool:
    return _full(disk) or disk.free < SHARE * disk.total


def judge(disks: Sequence[Disk]) -> Iterator[Finding]:
    """Each disk that is full or nearly, and each folder that nothing can be written into."""
    for disk in disks:
        if _low(disk):
            yield _room(disk)
        elif disk.error:
            yield _closed(disk)


def _room(disk: Disk) -> Finding:
    full = _full(disk)
    most = ", ".join(f"{name} {size(count)}" for name, count in disk.taken if count)
    what = f"the disk of {disk.folder} is {'full' if full else 'nearly full'}"
    left = (
        "room for no more files"
        if disk.files == 0
        else f"{size(disk.free)} of {size(disk.total)} free"
    )
    where = shlex.quote(str(disk.folder))
    return Finding(
        "disk", Severity.CRITICAL if full else Severity.WARNING, what, OPERATIONS,
        f"{left}" + (f"; ours there: {most}" if most else "; hardly any of it is ours"),
        (f"df -h {where}; df -i {where}", f"du -xh {where} | sort -h | tail",
         "make room or give the disk more; then nothing has to be repaired: what was refused is sent again"),
    )  # fmt: skip


def _closed(disk: Disk) -> Finding:
    where = shlex.quote(str(disk.folder))
    return Finding(
        "disk", Severity.CRITICAL, f"nothing can be written into {disk.folder}", OPERATIONS,
        f"the system says: {os.strerror(disk.error)}",
        (f"ls -ld {where}; findmnt -T {where}",
         "work as the user who owns it, mount it for writing, or name another with CROSSTOWN_HOME"),
    )  # fmt: skip
