"""W3C Trace Context's `traceparent`, read from strangers: one that isn't exactly so counts as none.

Pure. Source: Trace Context level 1, section 3.2. `tracestate` and `baggage` aren't passed on: they are
a sender's own words, and nothing here needs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

HEADER: Final = "traceparent"
LONGEST: Final = 256
"""Characters; a later version may append to what is known."""
_FORM: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)
_SAMPLED: Final = 1


class Parent(NamedTuple):
    """Where a span hangs: ids as numbers, never zero."""

    trace_id: int
    span_id: int

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


def parent_in(values: Iterable[str | bytes | None]) -> Parent | None:
    """The parent that all headers of this name together say; None: there is none, or it isn't sampled.

    Two headers say nothing: neither is more right than the other.
    """
    found = list(values)
    if len(found) != 1 or not found[0] or len(found[0]) > LONGEST:
        return None
    value = found[0].decode("latin-1") if isinstance(found[0], bytes) else found[0]
    parts = _FORM.fullmatch(value)
    if parts is None or parts[1] == "ff" or (parts[1] == "00" and parts[5]):
        return None
    parent = Parent(int(parts[2], 16), int(parts[3], 16))
    sampled = int(parts[4], 16) & _SAMPLED
    return parent if sampled and parent.trace_id and parent.span_id else None
