"""An event in the envelope's own words as a body of the contract `any/events`.

Required: agency, record, type, occurred_at, jurisdiction. Whatever isn't a field of the envelope,
a headline too, travels in the payload.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from crosstown.errors import Refused
from crosstown.event.envelope import STEPS, VIAS
from crosstown.moments import instant

_REQUIRED: Final = ("agency", "record", "type", "occurred_at", "jurisdiction")
_TEXTS: Final = ("agency", "record", "type", "jurisdiction", "place", "area", "concern",
                 "to_agency", "channel")  # fmt: skip
_LISTS: Final = ("refs", "flags", "identity")
_OURS: Final = frozenset({*_TEXTS, *_LISTS, "step", "occurred_at", "due_at", "known_at", "via"})


class OwnWords(NamedTuple):
    """The body, and what was said of how it became known; `via` is empty where nothing was."""

    body: dict[str, Any]
    known_at: int | None
    via: str


def own_words(given: Mapping[str, Any]) -> OwnWords:
    """The body of one JSON object; raises `Refused` with the field that is wrong."""
    for name in _REQUIRED:
        if given.get(name) in (None, ""):
            raise Refused("missing-value", f"{name} is required", field=name)
    body: dict[str, Any] = {name: _text(given, name) for name in _TEXTS}
    body |= {name: _texts(given, name) for name in _LISTS}
    body["step"] = _word(given, "step", STEPS) or "OTHER"
    body["occurred_at"], body["due_at"] = _time(given, "occurred_at"), _time(given, "due_at")
    known_at, via = _time(given, "known_at"), _word(given, "via", VIAS)
    rest = {k: v for k, v in given.items() if k not in _OURS}
    body["payload"] = _packed(rest) if rest else ""
    return OwnWords(body, known_at, via)


def _packed(rest: dict[str, Any]) -> str:
    """Every other field, sorted: another order of fields is not another saying."""
    try:
        return json.dumps(rest, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except RecursionError:  # what could be read can still be too deep to be written
        raise Refused("nested-too-deep", "what isn't the envelope's nests too deep", field="payload",
                      mend="flatten it") from None  # fmt: skip


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused("wrong-type", "must be text", field=name)
    return value


def _texts(given: Mapping[str, Any], name: str) -> list[str]:
    value = given.get(name)
    if value is None or value == "":
        return []
    several = value if isinstance(value, list) else [value]
    if name == "identity":
        several = [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in several]
    if not all(isinstance(one, str) for one in several):
        raise Refused("wrong-type", "must be text, or a list of texts", field=name)
    return several


def _word(given: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    value = _text(given, name)
    if value and value not in words:
        why = f"{value[:40]!r} is none of {', '.join(words)}"
        raise Refused("unknown-code", why, field=name)
    return value


def _time(given: Mapping[str, Any], name: str) -> int | None:
    value = _text(given, name)
    try:
        return instant(value) if value else None
    except ValueError as error:
        raise Refused("broken-date", str(error), field=name) from None
