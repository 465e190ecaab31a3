"""Which version of each event counts, over everything that was said: the fold beneath all feeds.

The same rule as in cases (docs/decisions/0008, "Versions"): of each content the last time it was said decides, then
its hash. The order of saying and repetition change nothing. What no agreement could ever give is kept
without its bytes, since it may still be what counts. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from crosstown.errors import Refused
from crosstown.event.envelope import VIAS, content_of, read_long
from crosstown.feeds.lanes import Lane


class Version:
    """One content of one event: when it was said first and last, and the bytes if they may go out.

    `first` and `via` are those of the smallest (known_at, via), which is what is shown.
    """

    __slots__ = ("body", "content", "first", "lane", "last", "via")

    def __init__(
        self, content: bytes, lane: Lane, known_at: int, via: int, body: bytes | None
    ) -> None:
        self.content = content
        self.lane = lane
        self.first = self.last = known_at
        self.via = via
        self.body = body

    def hear_again(self, known_at: int, via: int) -> bool:
        """The same content said again; whether that changed what is kept."""
        changed = False
        if known_at > self.last:
            self.last, changed = known_at, True
        if (known_at, via) < (self.first, self.via):
            self.first, self.via, changed = known_at, via, True
        return changed


Versions = tuple[Version, ...]


class Counting:
    """All versions of all events; `events` is by the 16 bytes of an event's id."""

    def __init__(self) -> None:
        self.events: dict[bytes, Versions] = {}

    def say(self, key: bytes, lane: Lane, body: bytes, end: int) -> bytes | None:
        """Take one version in; the event's id where that changed something.

        `key` is that of `accepted`, `end` where the envelope's prefix ends in the body.
        """
        known_at, at = read_long(body, end)
        via = body[at] >> 1
        if via >= len(VIAS):
            raise Refused("not-from-intake", "its via is none")
        content, event = content_of(key), event_of(key)
        versions = self.events.get(event, ())
        for version in versions:
            if version.content == content:
                return event if version.hear_again(known_at, via) else None
        one = Version(content, lane, known_at, via, body if lane.kept else None)
        self.events[event] = (*versions, one)
        return event

    def forget(self, event: bytes) -> None:
        """The bytes of an event are gone from the log."""
        self.events.pop(event, None)


def event_of(key: bytes) -> bytes:
    """The event's id, 16 bytes, out of a key of `accepted`; raises `ValueError` on others' keys."""
    found = bytes.fromhex(key[:36].decode().replace("-", ""))
    if len(found) != 16:
        raise ValueError("not a key of accepted")
    return found


def counting(versions: Iterable[Version]) -> Iterable[Version]:
    """The version that counts in each jurisdiction: one said in two is withdrawn in one of them."""
    best: dict[str, Version] = {}
    for one in versions:
        known = best.get(one.lane.jurisdiction)
        if known is None or (one.last, one.content) > (known.last, known.content):
            best[one.lane.jurisdiction] = one
    return best.values()


def text_of(event: bytes) -> str:
    """An event's id as it is written, from its 16 bytes."""
    digits = event.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def record_of(body: bytes) -> str:
    """The record of an event, out of the bytes of its envelope: the third text in them."""
    size, at = read_long(body, 37)
    size, at = read_long(body, at + size)
    return body[at : at + size].decode()
