"""Sources that are CSV files: a declarative head, and one function from a row to its events.

A row is all or nothing: where one of its cells is broken, none of its events is said. A byte order
mark, CRLF, another order of columns or further columns change nothing.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Final, TextIO

from connectors.csv_records import BrokenRecord, Records
from connectors.text_file import check_text, shown
from connectors.times import LocalTimes
from crosstown.errors import CrosstownError, Refused
from crosstown.moments import instant
from crosstown.naming import Naming
from crosstown.source import Reject, Said

MAX_CELL: Final = 256_000
"""Characters of one cell; a row with a longer one is a reject."""


class BrokenCell(Refused):
    """A row says nothing that can be sent; `column` is where it is broken."""

    def __init__(self, column: str, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.column = column


class Row:
    """One row by its columns' names; text is stripped, empty is absent."""

    __slots__ = ("_cells", "_columns", "_times", "flags", "line")

    def __init__(
        self, cells: list[str], columns: dict[str, int], times: LocalTimes | None, line: int
    ) -> None:
        self._cells, self._columns, self._times, self.line = cells, columns, times, line
        self.flags: list[str] = []

    def __getitem__(self, column: str) -> str:
        """The text of a column that the source requires."""
        at = self._columns.get(column)
        if at is None:
            raise BrokenCell(column, "missing-columns", "the source asks for a column that the file"
                             " lacks and its head doesn't name")  # fmt: skip
        return self._cells[at].strip()

    def get(self, column: str) -> str:
        """The text of a column that the file may lack; empty where it does."""
        at = self._columns.get(column)
        return "" if at is None else self._cells[at].strip()

    def need(self, column: str) -> str:
        """The text of a column that must not be empty in this row."""
        value = self[column]
        if not value:
            raise BrokenCell(column, "missing-value", "must not be empty")
        return value

    def code(self, column: str, words: dict[str, str]) -> str:
        """What a code means in `words`; one that isn't there makes the row a reject."""
        value = self[column]
        if value not in words:
            known = ", ".join(words)[:200]
            raise BrokenCell(column, "unknown-code", f"{value[:40]!r} is none of {known}")
        return words[value]

    def local(self, column: str, times: LocalTimes | None = None) -> int | None:
        """A local time in microseconds UTC; None where empty. Doubt about it goes into `flags`."""
        value, times = self.get(column), times or self._times
        if not value:
            return None
        if times is None:
            raise TypeError("this source declares no form of its times")
        try:
            at, flag = times.read(value)
        except ValueError as error:
            raise BrokenCell(column, "broken-date", str(error)) from None
        if flag and flag not in self.flags:
            self.flags.append(flag)
        return at

    def take_flags(self) -> list[str]:
        """What was noticed since this was last asked: one event's flags aren't another's."""
        taken, self.flags = self.flags, []
        return taken

    def instant(self, column: str) -> int | None:
        """A time in ISO 8601 with its zone in microseconds UTC; None where empty."""
        value = self.get(column)
        try:
            return instant(value) if value else None
        except ValueError as error:
            raise BrokenCell(column, "broken-date", str(error)) from None


class CsvFile:
    """A source whose files are CSV; a system is a subclass with a head and `events`."""

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    """Those without which a file is refused."""
    timezone: ClassVar[str] = ""
    times: ClassVar[str] = ""
    """How local times are written, in strptime's words."""
    delimiter: ClassVar[str] = ","

    def __init__(self, naming: Naming) -> None:
        self.naming = naming
        self._times = LocalTimes(self.timezone, self.times) if self.times else None

    def events(self, row: Row) -> Iterable[Said]:
        """The events that a row says; raises `BrokenCell` where it says none that can be sent."""
        raise NotImplementedError

    def survey(self, files: Iterable[Path]) -> None:
        """Most systems need no look at all files before the first is read."""

    def read(self, file: Path) -> Iterator[Said | Reject]:
        """The file's events in order; raises `Refused` where the file as a whole can't be read."""
        with _opened(file) as stream:
            records = Records(stream, self.delimiter)
            header, columns = _head(records, self.columns)
            for line, cells in records:
                if isinstance(cells, BrokenRecord):
                    yield Reject(line, "", f"broken-csv: {cells}", shown(records.raw))
                    continue
                problem = _problem(cells, header, records.raw)
                if problem is not None:
                    yield Reject(line, *problem, shown(records.raw))
                    continue
                try:
                    said = list(self.events(Row(cells, columns, self._times, line)))
                except BrokenCell as error:
                    yield Reject(line, error.column, _reason(error), shown(records.raw))
                except CrosstownError:
                    raise
                except Exception as error:  # noqa: BLE001 - a city's own source; the others go on
                    yield Reject(line, "", _failed(error), shown(records.raw))
                else:
                    yield from said

    def values(self, file: Path, column: str) -> set[str]:
        """What stands in one column of a file; nothing where the file can't be read."""
        try:
            with _opened(file) as stream:
                records = Records(stream, self.delimiter)
                header, columns = _head(records, (column,))
                at, width = columns[column], len(header)
                return {
                    c[at].strip() for _, c in records if len(c) == width and isinstance(c, list)
                }
        except (Refused, OSError):
            return set()


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    check_text(file)
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        yield stream


def _head(records: Records, required: tuple[str, ...]) -> tuple[list[str], dict[str, int]]:
    """The file's columns, and where each stands; `Refused` where a required one is missing."""
    _, cells = next(iter(records), (1, BrokenRecord("the file has no header")))
    if isinstance(cells, BrokenRecord):
        raise Refused("no-header", cells, mend="the first line must name the columns")
    header = [cell.strip() for cell in cells]
    missing = [column for column in required if column not in header]
    if missing:
        raise Refused("missing-columns", ", ".join(missing),
                      mend=f"the file has: {shown(', '.join(header), 300)}")  # fmt: skip
    twice = [column for column in required if header.count(column) > 1]
    if twice:
        raise Refused("column-twice", ", ".join(twice), mend="leave one of each")
    return header, {column: at for at, column in enumerate(header)}


def _problem(cells: list[str], header: list[str], raw: str) -> tuple[str, str] | None:
    """What is wrong with a record as text, as column and reason."""
    if len(cells) != len(header):
        return "", f"wrong-columns: {len(cells)} cells, {len(header)} columns"
    if raw.isascii() and len(raw) <= MAX_CELL and "\0" not in raw:
        return None
    checked = zip(header, map(_cell_problem, cells), strict=True)
    return next(((column, problem) for column, problem in checked if problem), None)


def _cell_problem(cell: str) -> str:
    if len(cell) > MAX_CELL:
        return f"cell-too-large: {len(cell):,} characters; at most {MAX_CELL:,}"
    if "\0" in cell:
        return "nul-byte: a NUL byte stands in the text"
    if not cell.isascii() and any("\ud800" <= char <= "\udfff" for char in cell):
        return "not-utf-8: bytes that are no UTF-8"
    return ""


def _failed(error: Exception) -> str:
    """A fault in a source's own code, with the line where it is."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(at.filename).name} line {at.lineno}"
    return f"source-failed: {type(error).__name__}: {error} ({where})"[:400]


def _reason(error: BrokenCell) -> str:
    return f"{error.reason}: {error.detail}" if error.detail else error.reason
