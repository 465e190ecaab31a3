"""One feed as the gateway has it: its newest messages, shared by all who read it."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from crosstown.gateway.feeds.places import Places

HELD: Final = 2_000
"""Messages of a feed that are held in memory, at most."""
HELD_BYTES: Final = 4_000_000
"""Their bytes, at most, as they came from Kafka."""
_number = attrgetter("number")


@dataclass(slots=True)
class Message:
    """One message of a feed; `value` is framed, `line` its JSON as `by` has opened it."""

    number: int
    offset: int
    value: bytes
    line: bytes = b""
    by: object = None


class Feed:
    """What is known of one feed; used on the event loop only.

    `last` is the greatest number seen, 0 where none lies there; `at_end` whether all that lay there
    when it was first asked for has been seen.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.last = 0
        self.at_end = False
        self.places = Places()
        self.opening = asyncio.Lock()
        """Held while messages are opened: once for all readers."""
        self._held: list[Message] = []
        self._size = 0
        self._news = asyncio.Event()

    def arrived(self, messages: Sequence[Message]) -> None:
        """Messages that were read at the feed's end, in order; one that is known is passed over."""
        for one in messages:
            if self._held and one.offset <= self._held[-1].offset:
                self.anew()
            if one.number > self.last:
                self.last = one.number
                self._held.append(one)
                self._size += len(one.value)
        if self._held:
            self.places.learn(self._held[-1].number, self._held[-1].offset)
        if len(self._held) > HELD or self._size > HELD_BYTES:
            self._drop()
        self.wake()

    def _drop(self) -> None:
        """Half of what may be held stays: so this is seldom done."""
        kept = 0
        while kept < len(self._held) - 1 and (
            len(self._held) - kept > HELD // 2 or self._size > HELD_BYTES // 2
        ):
            self._size -= len(self._held[kept].value)
            kept += 1
        del self._held[:kept]

    def is_at_end(self) -> None:
        """All that lies there has been seen."""
        self.at_end = True
        self.wake()

    def anew(self) -> None:
        """The topic is gone or was made anew: what was held is no longer there, numbers go on."""
        self._held.clear()
        self._size = 0
        self.places.forget()

    def after(self, number: int, most: int, most_bytes: int) -> list[Message] | None:
        """The messages after a number, some at least where there are any; None: look in Kafka."""
        if number >= self.last:
            return []
        if not self._held or self._held[0].number > number + 1:
            return None
        at = bisect_right(self._held, number, key=_number)
        found: list[Message] = []
        size = 0
        for one in self._held[at : at + most]:
            size += len(one.value)
            if found and size > most_bytes:
                break
            found.append(one)
        return found

    def wake(self) -> None:
        """Let all who wait look again."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, seconds: float) -> None:
        """Return once something has changed, or the time is over."""
        event = self._news
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
