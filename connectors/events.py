"""Events in the envelope's own words: one JSON object a line, from anyone who can print a line.

What may stand in a line: `crosstown/event/own_words.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from io import UnsupportedOperation
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO, Final

from connectors.text_file import refuse_unless_text, shown
from crosstown.contracts.naming import Naming
from crosstown.errors import Refused
from crosstown.event import strict_json
from crosstown.event.own_words import own_words
from crosstown.source import Quiet, Reject, Said

MAX_LINE: Final = 256_000
"""Bytes of one line; a longer one is a reject."""
SILENCE: Final = 1.0
"""Seconds without another line on standard input, after which what was read is sent."""
_BOM: Final = b"\xef\xbb\xbf"


class Events:
    """`crosstown publish events FILES`; `-` is standard input."""

    name = "events"

    def __init__(self, naming: Naming) -> None:
        del naming  # ids stand in the lines

    def survey(self, files: Iterable[Path]) -> None:
        """No look at all files is needed."""

    def read(self, file: Path) -> Iterator[Said | Reject | Quiet]:
        """One event a line, in order; raises `Refused` where the file is no text."""
        piped = str(file) == "-"
        with nullcontext(_stdin()) if piped else file.open("rb") as stream:
            for heard in _as_they_come(_lines(stream)) if piped else _lines(stream):
                if isinstance(heard, Quiet):
                    yield heard
                    continue
                number, line = heard
                try:
                    yield _event(line, number)
                except Refused as error:
                    raw = shown(line.decode("utf-8", "surrogateescape"))
                    yield Reject(number, error.field, str(error), raw)


def _stdin() -> BinaryIO:
    """Standard input, as a file of its own that nobody closes: who did would wait for who reads it."""
    if sys.stdin is None:
        raise Refused("no-input", "standard input is closed", mend="feed it, or name a file")
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except UnsupportedOperation:  # it isn't the system's own
        return sys.stdin.buffer


def _as_they_come(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes] | Quiet]:
    """The lines, and a word once whenever a second has passed without another."""
    arrived: Queue[tuple[int, bytes] | Exception | None] = Queue(1_000)

    def fetch() -> None:
        try:
            for line in lines:
                arrived.put(line)
            arrived.put(None)
        except Exception as error:  # noqa: BLE001 - it's raised again by who asks
            arrived.put(error)

    Thread(target=fetch, name="standard input", daemon=True).start()
    said = True
    while True:
        try:
            heard = arrived.get(timeout=SILENCE)
        except Empty:
            if not said:
                yield Quiet()
            said = True
            continue
        if heard is None:
            return
        if isinstance(heard, Exception):
            raise heard
        said = False
        yield heard


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
