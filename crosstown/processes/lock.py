"""A lock on a file that one process at a time holds, and that its death gives back.

The operating system keeps it (`flock`, on Windows `msvcrt.locking`), so no stale lock outlives a
SIGKILL; the file itself stays, empty. Children don't inherit it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from crosstown.errors import Stop

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """Exclusive use of whatever `path` stands for, until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Whether it's ours now, or was already; never waits. `Stop` where no file can be made."""
        if self._handle is not None:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Stop(
                f"{self.path} can't be used: {error.strerror or error}",
                mend="see who owns the folder, and whether its disk is read-only or full",
            ) from None
        try:
            _take(handle)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Give it back; without having it, nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextlib.contextmanager
def waiting_for(path: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on `path`; `waits` is called once where another process has it."""
    lock = Lock(path)
    told = False
    while not lock.acquire():
        if not told:
            waits()
            told = True
        time.sleep(0.2)
    try:
        yield
    finally:
        lock.release()
