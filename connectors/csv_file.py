"""Sources that are CSV files: a declarative head, and one function from a row to its events.

A row is all or nothing: where one of its cells is broken, none of its events is said. A byte order
mark, CRLF, another order of columns or further columns change nothing.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Final, TextIO, TypeVar

from connectors.csv_records import BrokenRecord, Records
from connectors.text_file import check_text, shown
from connectors.times import LocalTimes
from crosstown.contracts.naming import Naming
from crosstown.errors import CrosstownError, Refused
from crosstown.moments import instant
from crosstown.source import Reject, Said

MAX_CELL: Final = 256_000
"""Characters of one cell; a row with a longer one is a reject."""
END_OF_FILE: Final = "\x1a"
"""What DOS programs write behind the last row."""
Meaning = TypeVar("Meaning")


_WHOLE: Final = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[-+]?\d{1,15}(\.\d{1,15})?", re.ASCII)


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

    def code(self, column: str, words: dict[str, Meaning]) -> Meaning:
        """What a code means in `words`; one that isn't there makes the row a reject."""
        value = self[column]
        if value not in words:
            known = ", ".join(words)[:200]
            raise BrokenCell(column, "unknown-code", f"{value[:40]!r} is none of {known}")
        return words[value]

    def whole(self, column: str) -> int | None:
        """A whole number; None where empty."""
        value = self.get(column)
        if value and not _WHOLE.fullmatch(value):
            raise BrokenCell(column, "broken-number", f"{value[:40]!r} is no whole number")
        return int(value) if value else None

    def decimal(self, column: str, point: str = ".") -> float | None:
        """A number with decimals behind `point`; None where empty."""
        value = self.get(column)
        if value and not _DECIMAL.fullmatch(value.replace(point, ".")):
            raise BrokenCell(column, "broken-number", f"{value[:40]!r} is no number")
        return float(value.replace(point, ".")) if value else None

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
    agency: ClassVar[str] = ""
    """Whose files they are; its jurisdiction's time zone is theirs, where they name none."""
    timezone: ClassVar[str] = ""
    times: ClassVar[str] = ""
    """How local times are written, in strptime's words."""
    delimiter: ClassVar[str] = ","
    encoding: ClassVar[str] = "utf-8-sig"
    """Python's name for it: cp1252 is what Windows programs write, utf-16 what some call Unicode."""

    def __init__(self, naming: Naming) -> None:
        self.naming = naming
        self._forms: dict[str, LocalTimes] = {}
        self._times = self.form(self.times) if self.times else None

    def form(self, form: str) -> LocalTimes:
        """Reads times of another form than `times`, in the same time zone."""
        if form not in self._forms:
            self._forms[form] = LocalTimes(self.zone, form)
        return self._forms[form]

    @property
    def zone(self) -> str:
        """The time zone of the files' local times."""
        ours = self.naming.agencies.get(self.agency)
        if self.timezone or ours is None:
            return self.timezone or "UTC"
        return self.naming.agencies.timezone(ours.jurisdiction)

    def events(self, row: Row) -> Iterable[Said]:
        """The events that a row says; raises `BrokenCell` where it says none that can be sent."""
        raise NotImplementedError

    def survey(self, files: Iterable[Path]) -> None:
        """Most systems need no look at all files before the first is read."""

    def read(self, file: Path) -> Iterator[Said | Reject]:
        """The file's events in order; raises `Refused` where the file as a whole can't be read."""
        with _opened(file, self.encoding) as stream:
            records = Records(stream, self.delimiter)
            header, columns = _head(records, self.columns)
            for line, cells in records:
                if isinstance(cells, BrokenRecord):
                    yield Reject(line, "", f"broken-csv: {cells}", shown(records.raw))
                    continue
                if cells == [END_OF_FILE]:
                    continue
                problem = _problem(cells, header, records.raw, self.encoding)
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
            with _opened(file, self.encoding) as stream:
                records = Records(stream, self.delimiter)
                header, columns = _head(records, (column,))
                at, width = columns[column], len(header)
                return {
                    c[at].strip() for _, c in records if len(c) == width and isinstance(c, list)
                }
        except (Refused, OSError):
            return set()


@contextlib.contextmanager
def _opened(file: Path, encoding: str) -> Iterator[TextIO]:
    check_text(file, encoding)
    with file.open(encoding=encoding, errors=errors_of(encoding), newline="") as stream:
        yield stream


def errors_of(encoding: str) -> str:
    """What stands for bytes that are no text: marks that `cell_problem` finds."""
    return "replace" if encoding.startswith("utf-16") else "surrogateescape"


def names(header: list[str]) -> dict[str, int]:
    """Where each column stands, by its name.

    One without a name is `column 3`; one whose name stands twice is also `Date (1)`, `Date (2)`.
    """
    found = {column: at for at, column in enumerate(header)}
    seen: dict[str, int] = {}
    for at, column in enumerate(header):
        seen[column] = seen.get(column, 0) + 1
        if not column or header.count(column) > 1:
            label = f"{column} ({seen[column]})" if column else f"column {at + 1}"
            while label in found:
                label += "*"
            found[label] = at
    return found


def _head(records: Records, required: tuple[str, ...]) -> tuple[list[str], dict[str, int]]:
    """The file's columns, and where each stands; `Refused` where a required one is missing."""
    _, cells = next(iter(records), (1, BrokenRecord("the file has no header")))
    if isinstance(cells, BrokenRecord):
        raise Refused("no-header", cells, mend="the first line must name the columns")
    header = [cell.strip() for cell in cells]
    columns = names(header)
    missing = [column for column in required if column not in columns]
    if missing:
        raise Refused("missing-columns", ", ".join(missing),
                      mend=f"the file has: {shown(', '.join(header), 300)}")  # fmt: skip
    twice = [column for column in required if header.count(column) > 1]
    if twice:
        raise Refused("column-twice", ", ".join(twice), mend="leave one of each")
    return header, columns


def _problem(
    cells: list[str], header: list[str], raw: str, encoding: str
) -> tuple[str, str] | None:
    """What is wrong with a record as text, as column and reason."""
    if len(cells) != len(header):
        return "", f"wrong-columns: {len(cells)} cells, {len(header)} columns"
    if raw.isascii() and len(raw) <= MAX_CELL and "\0" not in raw:
        return None
    checked = zip(header, (cell_problem(cell, encoding) for cell in cells), strict=True)
    return next(((column, problem) for column, problem in checked if problem), None)


def cell_problem(cell: str, encoding: str = "utf-8") -> str:
    """Why a cell can't be said, as a reject's reason; empty: it can."""
    if len(cell) > MAX_CELL:
        return f"cell-too-large: {len(cell):,} characters; at most {MAX_CELL:,}"
    if "\0" in cell:
        return "nul-byte: a NUL byte stands in the text"
    if not cell.isascii() and any("\ud800" <= char <= "\udfff" for char in cell):
        called = "UTF-8" if encoding.startswith("utf-8") else encoding
        return f"not-{called.lower()}: bytes that are no {called}"
    if encoding.startswith("utf-16") and "\ufffd" in cell:
        return "not-utf-16: bytes that are no UTF-16"
    return ""


def _failed(error: Exception) -> str:
    """A fault in a source's own code, with the line where it is."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(at.filename).name} line {at.lineno}"
    return f"source-failed: {type(error).__name__}: {error} ({where})"[:400]


def _reason(error: BrokenCell) -> str:
    return f"{error.reason}: {error.detail}" if error.detail else error.reason
