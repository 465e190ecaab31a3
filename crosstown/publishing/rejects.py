"""Rejects, written as they come into a CSV beside the input, which appears when it is whole.

Columns: row, column, reason, raw; where one file takes several inputs' rejects, `file` too. Rejects are
sent around: what screening finds in them is masked; `row` leads to the line as it stood.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Collection
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TextIO

from crosstown.errors import Stop
from crosstown.screen.screening import clean
from crosstown.source import Reject

COLUMNS: Final = ("row", "column", "reason", "raw")
RAW = 10_000
"""Characters of a row that are kept."""


def check_place(path: Path, ours: Collection[Path]) -> None:
    """`Stop` where rejects would take the place of a file that holds none and isn't one of `ours`."""
    for place in (path, _part(path)):
        if path.absolute() not in ours and _is_somebodys(place):
            raise Stop(f"{place} is there and doesn't begin as rejects do; nothing was sent",
                       mend="move it away, or give --rejects another name")  # fmt: skip


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _is_somebodys(file: Path) -> bool:
    """Whether something is there that is neither empty nor rejects; what can't be read may be that."""
    try:
        if not S_ISREG(file.stat().st_mode):
            return True
    except OSError:  # nothing is there, or nothing can be put there: writing says why
        return False
    head = ",".join(COLUMNS).encode()
    try:
        with file.open("rb") as stream:
            return stream.read(len(head)) not in (b"", head)
    except OSError:
        return True


def closed(reject: Reject) -> Reject:
    """A reject in whose row and reason nothing stands that screening finds."""
    return Reject(reject.row, reject.column, clean(reject.reason), clean(reject.raw))


class Lines:
    """An input's lines by number, read once and forwards."""

    def __init__(self, file: Path) -> None:
        self._stream: BinaryIO | None = None
        self._number = 0
        if str(file) != "-":
            with contextlib.suppress(OSError):
                self._stream = file.open("rb")

    def line(self, number: int) -> str:
        """The line of this number as it stood; empty where it can't be read again."""
        found = b""
        while self._stream is not None and self._number < number:
            found = self._stream.readline()
            self._number += 1
        return found[:RAW].rstrip(b"\r\n").decode("utf-8", "backslashreplace")

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()


class Rejects:
    """One file of rejects; what an earlier call left there is replaced, or removed if none."""

    def __init__(self, path: Path, *, several: bool) -> None:
        self.path = path
        self.count = 0
        self.problem = ""
        self._part = _part(path)
        self._several = several
        self._stream: TextIO | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def add(self, file: Path, reject: Reject) -> None:
        """Write one; `problem` says why where that can't be done, the counting goes on."""
        self.count += 1
        if self.problem:
            return
        try:
            if self._stream is None:
                self._stream = self._part.open("w", encoding="utf-8", newline="")
                self._writer = csv.writer(self._stream)
                self._row(*COLUMNS, "file")
            self._row(str(reject.row), reject.column, reject.reason, reject.raw, str(file))
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}"

    def _row(self, *cells: str) -> None:
        shown = cells if self._several else cells[:-1]
        self._writer.writerow([cell.encode("utf-8", "backslashreplace").decode() for cell in shown])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if self._stream is None:
                self.path.unlink(missing_ok=True)
            else:
                self._stream.close()
                self._part.replace(self.path)
        except OSError as problem:
            self.problem = self.problem or f"{self.path}: {problem.strerror}"
