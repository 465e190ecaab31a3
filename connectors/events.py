"""Events in the envelope's own words: one JSON object a line, from anyone who can print a line.

Required: agency, record, type, occurred_at, jurisdiction. Whatever isn't a field of the envelope,
a headline too, travels in the payload.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from connectors.text_file import refuse_unless_text, shown
from connectors.times import instant
from crosstown.envelope import STEPS, VIAS
from crosstown.naming import Naming
from crosstown.source import Reject, Said

MAX_LINE: Final = 256_000
"""Bytes of one line; a longer one is a reject."""
_REQUIRED: Final = ("agency", "record", "type", "occurred_at", "jurisdiction")
_TEXTS: Final = ("agency", "record", "type", "jurisdiction", "place", "area", "concern",
                 "to_agency", "channel")  # fmt: skip
_LISTS: Final = ("refs", "flags", "identity")
_BOM: Final = b"\xef\xbb\xbf"


class _BrokenFieldError(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


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
                except _BrokenFieldError as error:
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
    given = _object(line)
    for name in _REQUIRED:
        if given.get(name) in (None, ""):
            raise _BrokenFieldError(name, f"missing-value: {name} is required")
    body: dict[str, Any] = {name: _text(given, name) for name in _TEXTS}
    body |= {name: _texts(given, name) for name in _LISTS}
    body["step"] = _word(given, "step", STEPS, "OTHER")
    body["occurred_at"], body["due_at"] = _time(given, "occurred_at"), _time(given, "due_at")
    known_at, via = _time(given, "known_at"), _word(given, "via", VIAS, "event")
    rest = {k: v for k, v in given.items() if k not in _OURS}
    body["payload"] = _packed(rest) if rest else ""
    return Said("any/events", body["agency"], body, number, known_at, via)


_OURS: Final = frozenset({*_TEXTS, *_LISTS, "step", "occurred_at", "due_at", "known_at", "via"})


def _packed(rest: dict[str, Any]) -> str:
    """Every other field, sorted: another order of fields is not another saying."""
    return json.dumps(rest, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise _BrokenFieldError("", f"line-too-long: over {MAX_LINE:,} bytes")
    try:
        value = json.loads(line.decode(), parse_constant=_no_number, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise _BrokenFieldError("", "not-utf-8: bytes that are no UTF-8") from None
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.pos + 1}; an event is one JSON object on one line"
        raise _BrokenFieldError("", f"not-json: {why}") from None
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _BrokenFieldError("", f"not-json: {why}") from None
    if not isinstance(value, dict):
        raise _BrokenFieldError("", "not-json: a line must be one JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a field stands twice in one object")
    return made


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _BrokenFieldError(name, "wrong-type: must be text")
    return value


def _texts(given: dict[str, Any], name: str) -> list[str]:
    value = given.get(name)
    if value is None or value == "":
        return []
    several = value if isinstance(value, list) else [value]
    if name == "identity":
        several = [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in several]
    if not all(isinstance(one, str) for one in several):
        raise _BrokenFieldError(name, "wrong-type: must be text, or a list of texts")
    return several


def _word(given: dict[str, Any], name: str, words: tuple[str, ...], default: str) -> str:
    value = _text(given, name) or default
    if value not in words:
        raise _BrokenFieldError(name, f"unknown-code: {value[:40]!r} is none of {', '.join(words)}")
    return value


def _time(given: dict[str, Any], name: str) -> int | None:
    value = _text(given, name)
    try:
        return instant(value) if value else None
    except ValueError as error:
        raise _BrokenFieldError(name, f"broken-date: {error}") from None
