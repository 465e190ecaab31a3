"""CSV text as records, each with the line it starts on; no broken one takes others with it.

Quoting is RFC 4180, read strictly: a quote in the wrong place is said, not guessed at.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

MAX_RECORD: Final = 64_000_000
"""Characters of one cell at which reading ends: more is no CSV."""


class BrokenRecord(str):
    """In place of a record's cells: why it can't be read."""

    __slots__ = ()


class Records:
    """Iterates over (line, cells); `raw` is what the record was read from."""

    def __init__(self, lines: Iterable[str], delimiter: str = ",") -> None:
        self._stream = iter(lines)
        self._delimiter = delimiter
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._line = 0

    @property
    def raw(self) -> str:
        """The lines of the record that was read last, as they stood."""
        return "".join(self._taken)

    def _lines(self) -> Iterator[str]:
        take = self._taken.append
        while self._again:
            line = self._again.popleft()
            take(line)
            yield line
        for line in self._stream:
            take(line)
            yield line

    def __iter__(self) -> Iterator[tuple[int, list[str] | BrokenRecord]]:
        csv.field_size_limit(MAX_RECORD)
        reader, taken = self._reader(), self._taken
        while True:
            start = self._line + 1
            taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = _words(error)
                if "limit" in str(error):
                    yield start, BrokenRecord(f"{problem}; the file wasn't read any further")
                    return
                if len(taken) > 1:
                    # A quote has swallowed rows that may be good: only its own line is given up.
                    # Whoever doubles quotes in texts, as RFC 4180 says, never gets here.
                    self._again.extendleft(reversed(taken[1:]))
                    del taken[1:]
                    reader = self._reader()
                self._line += len(taken)
                yield start, BrokenRecord(problem)
            else:
                self._line += len(taken)
                if cells and (len(cells) > 1 or cells[0].strip()):
                    yield start, cells

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)


def _words(error: csv.Error) -> str:
    said = str(error)
    if "limit" in said:
        return "a cell is larger than 64 MB: is a closing quote missing?"
    if "end of data" in said:
        return "a quote opens in this row and never closes"
    if "expected after" in said:
        return "text follows a closing quote: a quote inside a text must be doubled"
    return said
