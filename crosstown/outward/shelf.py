"""Where batches are put: a folder here, or one that SFTP leads to (crosstown/outward/sftp.py)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from crosstown.errors import Stop

PART: Final = ".part"
_PUBLIC: Final = 0o666


class Shelf(Protocol):
    """A folder for batches; every method raises `Stop` or `Unavailable` where it can't be used."""

    def names(self) -> list[str]:
        """The names of all files in it, hidden ones too."""

    def read(self, name: str) -> bytes:
        """What a file holds."""

    def appearing(self, agreement: str, name: str) -> AbstractContextManager[BinaryIO]:
        """A new file that is there under its name once all of it is, and not at all after an error.

        Meanwhile it is hidden, `.<agreement>.….part`.
        """

    def remove(self, name: str) -> None:
        """Remove a file, if it's there."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One on this machine, made if its parent is there."""

    path: Path

    def names(self) -> list[str]:
        """All of them; the folder is made at the first asking."""
        try:
            self.path.mkdir(exist_ok=True)
            return [one.name for one in self.path.iterdir()]
        except FileNotFoundError:
            raise Stop(f"{self.path.parent} isn't there", mend="make it first") from None
        except OSError as error:
            raise Stop(f"{self.path} can't be used: {error.strerror or error}",
                       mend="name a folder: --to FOLDER") from None  # fmt: skip

    def read(self, name: str) -> bytes:
        """What a file holds."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Stop(f"{self.path / name} can't be read: {error.strerror or error}",
                       mend="see who owns it") from None  # fmt: skip

    def remove(self, name: str) -> None:
        """Remove a file, if it's there."""
        (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def appearing(self, agreement: str, name: str) -> Iterator[BinaryIO]:
        """A new file, synced and renamed; never through a link that somebody laid there."""
        try:
            with tempfile.NamedTemporaryFile(
                "w+b", dir=self.path, prefix=f".{agreement}.", suffix=PART, delete=False
            ) as part:
                try:
                    yield cast("BinaryIO", part)
                    part.flush()
                    os.fsync(part.fileno())
                    Path(part.name).chmod(_PUBLIC & ~_umask())
                    Path(part.name).replace(self.path / name)
                except BaseException:
                    Path(part.name).unlink(missing_ok=True)
                    raise
            self._settle()
        except OSError as error:
            raise Stop(f"{self.path} can't be written to: {error.strerror or error}",
                       mend="see who owns it and whether its disk is full, then call again") from None  # fmt: skip

    def _settle(self) -> None:
        """Have the new name survive a power cut, where the system can do that."""
        with contextlib.suppress(OSError):
            handle = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now
