"""How much goes into one transaction, and the form of what does."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from crosstown.errors import Refused, Unavailable
from crosstown.feeds.feed import Told

MESSAGES: Final = 2_000
BYTES: Final = 8 << 20
LIMIT: Final = 1_000_000
"""Bytes of one message; the topic takes 1,048,588 with its key and overhead."""
_FRAME: Final = struct.Struct(">bI")


def piece(outputs: Iterable[Told]) -> list[Told]:
    """The first of what is to be told: so many messages, or so many bytes.

    Raises `Unavailable` where the very first can't be made now; what was made before is given out, since
    it counts as told.
    """
    found: list[Told] = []
    size = 0
    try:
        for one in outputs:
            found.append(one)
            size += len(one.value)
            if len(found) >= MESSAGES or size >= BYTES:
                break
    except Unavailable:
        if not found:
            raise
    return found


def framed(schema_id: int, body: bytes) -> bytes:
    """A feed's value; `Refused` (too-large) where Kafka wouldn't take it."""
    if len(body) > LIMIT:
        raise Refused("too-large", f"a message of {len(body):,} bytes; at most {LIMIT:,}",
                      mend="take fields with long texts out of the agreement")  # fmt: skip
    return _FRAME.pack(0, schema_id) + body
