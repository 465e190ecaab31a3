"""Events in the envelope's own words: one JSON object a line, from anyone who can print a line.

What may stand in a line: `crosstown/own_words.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, Final

from connectors.text_file import refuse_unless_text, shown
from crosstown import strict_json
from crosstown.errors import Refused
from crosstown.naming import Naming
from crosstown.own_words import own_words
from crosstown.source import Reject, Said

MAX_LINE: Final = 256_000
"""Bytes of one line; a longer one is a reject."""
_BOM: Final = b"\xef\xbb\xbf"


class Events:
    """`crosstown publish events FILES`; `-` is standard input."""

    name = "events"

    def __init__(self, naming: Naming) -> None:
        del naming  # ids stand in the lines

    def survey(self, files: Iterable[Path]) -> None:
        """No look at all files is needed."""

    def read(self, file: Path) -> Iterator[Said | Reject]:
        """One event a line, in order; raises `Refused` where the file is no text."""
        opened = nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb")
        with opened as stream:
            for number, line in _lines(stream):
                try:
                    yield _event(line, number)
                except Refused as error:
                    raw = shown(line.decode("utf-8", "surrogateescape"))
                    yield Reject(number, error.field, str(error), raw)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number, empty = 0, True
    while line := stream.readline(MAX_LINE + 2):
        number += 1
        ended = line.endswith(b"\n")
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            if empty:
                refuse_unless_text(line)
            empty = False
            yield number, line
        while not ended and (more := stream.readline(MAX_LINE)):
            ended = more.endswith(b"\n")
    if empty:
        refuse_unless_text(b"")


def _event(line: bytes, number: int) -> Said:
    if len(line) > MAX_LINE:
        raise Refused("line-too-long", f"over {MAX_LINE:,} bytes")
    try:
        given = strict_json.parse(line)
    except Refused as error:
        if error.reason == "not-json":
            raise Refused("not-json", f"{error.detail}; an event is one JSON object on one line") from None  # fmt: skip
        raise
    if not isinstance(given, dict):
        raise Refused("not-json", "a line must be one JSON object")
    body, known_at, via = own_words(given)
    return Said("any/events", body["agency"], body, number, known_at, via or "event")
