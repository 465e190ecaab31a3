"""A first look at a CSV that nobody has described: its encoding, its delimiter, its first rows.

At most `BYTES` and `ROWS` are read, whatever the file's size; `Look.whole` says whether that was all.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.csv_file import END_OF_FILE, MAX_CELL, cell_problem, errors_of, names
from connectors.csv_records import BrokenRecord, Records
from crosstown.errors import Refused

BYTES: Final = 16_000_000
ROWS: Final = 10_000
COLUMNS: Final = 450
"""More than a contract's schema may have, with room for what is added."""
_DELIMITERS: Final = (",", ";", "\t", "|")
_EXPORT: Final = 'export it as CSV (in a spreadsheet: save as "CSV UTF-8")'
_NO_TEXT: Final = {
    b"PK\x03\x04": "it is a spreadsheet (.xlsx) or an archive",
    b"\xd0\xcf\x11\xe0": "it is an old spreadsheet (.xls)",
    b"%PDF": "it is a PDF", b"\x1f\x8b": "it is compressed",
}  # fmt: skip
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\r\n\x0c\x1a"))
_DOS: Final = re.compile(rb"(?<=[A-Za-z])[\x80-\x9a](?=[A-Za-z])|[\x81\x8d\x8f\x90\x9d]")
_WORD: Final = re.compile(rb"[A-Za-z]*[\x80-\xff]+[A-Za-z\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class Look:
    """What stands at a file's beginning; `columns` are names that a source can ask a row for."""

    file: Path
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    whole: bool
    doubt: str = ""
    """Words that read differently in another encoding that it could have."""
    broken: Counter[str] = field(default_factory=Counter)
    first_broken: int = 0
    """The line of the first row that can't be read."""


def look(file: Path) -> Look:
    """The look; raises `Refused` where the file can't be read as a table."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(BYTES + 1)
    except OSError as error:
        raise Refused(
            "unreadable", error.strerror or str(error), mend="look at its rights"
        ) from None
    whole = len(raw) <= BYTES
    raw = raw[:BYTES]
    encoding, doubt = _encoding(raw)
    decoder = codecs.getincrementaldecoder(encoding)(errors_of(encoding))
    text = decoder.decode(raw, final=False)
    if not whole:
        text = text[: text.rfind("\n") + 1]
        if not text:
            raise Refused("no-lines", f"no line ends within {BYTES // 1_000_000} MB", mend=_EXPORT)
    if not text.strip():
        raise Refused("empty-file", "nothing but blanks is in it", mend="export it again")
    if text.lower().startswith("sep="):
        raise Refused("sep-line", "its first line is a spreadsheet's sep=, not the columns' names",
                      mend="let the export leave that line out")  # fmt: skip
    return _table(file, text, encoding, doubt, whole=whole)


def _encoding(raw: bytes) -> tuple[str, str]:
    """Python's name of the encoding, and what is doubtful about it."""
    for start, why in _NO_TEXT.items():
        if raw.startswith(start):
            raise Refused("not-text", why, mend=_EXPORT)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", ""
    start = raw[:4_096]
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(zeros) > 1 and zeros.count(0) > 0.7 * len(zeros):
            return encoding, ""
    if len(start) - len(start.translate(None, _CONTROLS)) > len(start) // 100:
        raise Refused("not-text", "it has bytes that no text has", mend=_EXPORT)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw, final=False)
    except UnicodeDecodeError:
        return _of_windows_or_dos(raw)
    return "utf-8-sig", ""


def _of_windows_or_dos(raw: bytes) -> tuple[str, str]:
    high = sum(raw.count(byte) for byte in map(bytes, zip(range(128, 256), strict=True)))
    dos = _DOS.findall(raw)
    if not dos:
        return "cp1252", ""
    word = next((w for w in _WORD.findall(raw) if _DOS.search(w)), dos[0])
    one, other = (word.decode(name, "replace") for name in ("cp1252", "cp850"))
    return "cp850" if 2 * len(dos) > high else "cp1252", f"{one} in cp1252, {other} in cp850"


def _delimiter(text: str) -> str:
    """The one that cuts the first rows into most cells, as many in each as in the head."""
    start = text[:200_000]
    start = start[: start.rfind("\n") + 1] or start

    def score(delimiter: str) -> tuple[float, int]:
        widths = [len(c) for _, (_, c) in zip(range(50), Records(io.StringIO(start, ""), delimiter),
                                              strict=False) if isinstance(c, list)]  # fmt: skip
        if not widths or widths[0] < 2:
            return 0, 0
        return round(widths.count(widths[0]) / len(widths), 1), widths[0]

    return max(_DELIMITERS, key=score)


def _table(file: Path, text: str, encoding: str, doubt: str, *, whole: bool) -> Look:
    delimiter = _delimiter(text)
    records = iter(Records(io.StringIO(text, ""), delimiter))
    header = _header(next(records, (1, BrokenRecord("the file has no header")))[1], encoding)
    rows: list[tuple[str, ...]] = []
    broken: Counter[str] = Counter()
    first = 0
    for line, cells in records:
        if len(rows) == ROWS:
            whole = False
            break
        if isinstance(cells, list) and (cells == [END_OF_FILE] or not any(map(str.strip, cells))):
            continue
        why = _why_broken(cells, len(header), encoding)
        if why:
            broken[why] += 1
            first = first or line
        else:
            rows.append(tuple(cell.strip() for cell in cells))
    if not rows:
        seen = f"; {sum(broken.values()):,} are broken: {', '.join(broken)}" if broken else ""
        raise Refused("no-rows", f"no row stands below its head{seen}",
                      mend="give a file of a day or more, as it comes from the system")  # fmt: skip
    return Look(
        file, encoding, delimiter, _columns(header), tuple(rows), whole, doubt, broken, first
    )


def _why_broken(cells: list[str] | BrokenRecord, width: int, encoding: str) -> str:
    if isinstance(cells, BrokenRecord):
        return str(cells)
    if len(cells) != width:
        return "another number of cells than the head"
    return next((why for cell in cells if (why := cell_problem(cell, encoding))), "").partition(
        ": "
    )[2]


def _header(cells: list[str] | BrokenRecord, encoding: str) -> list[str]:
    if isinstance(cells, BrokenRecord):
        raise Refused("no-header", cells, mend="the first line must name the columns")
    header = [cell.strip() for cell in cells]
    for at, name in enumerate(header, 1):
        why = cell_problem(name, encoding)
        if why or len(name) > 200 or not name.isprintable():
            long = f"longer than 200 characters (at most {MAX_CELL:,} in a cell below)"
            raise Refused("no-header", f"the name of column {at}: {why or long}",
                          mend="the first line must name the columns")  # fmt: skip
    if len(header) < 2:
        raise Refused("one-column", "it has one column only; known delimiters are , ; | and tab",
                      mend="an event needs a number and a time at least: two columns")  # fmt: skip
    if len(header) > COLUMNS:
        raise Refused("too-many-columns", f"{len(header):,} columns; at most {COLUMNS}",
                      mend="export those that others may need")  # fmt: skip
    if not any(any(map(str.isalpha, name)) for name in header):
        raise Refused("no-header", "its first line has no names",
                      mend="the first line must name the columns")  # fmt: skip
    return header


def _columns(header: list[str]) -> tuple[str, ...]:
    """A name for each column under which a source finds it and no other."""
    found: dict[int, str] = {}
    for name, at in names(header).items():
        if (name and header.count(name) == 1) or name not in header:
            found.setdefault(at, name)
    return tuple(found[at] for at in range(len(header)))
