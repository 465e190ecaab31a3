"""One agreement's feed: what the receiver has been told, and what there is to be told next. Pure.

A feed's state is what is covered now. It begins when the agreement comes into force, from everything
that was ever said, and ends with it; what was told stays known, so that nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Word, standing
from crosstown.event.envelope import text_bytes, zigzag
from crosstown.feeds.cover import Cover
from crosstown.feeds.look import Look
from crosstown.feeds.names import Names

SAID: Final = b"\0"
GONE: Final = b"\2"
FOREVER: Final = 1 << 63
LookAt = Callable[[bytes], Sequence[Look]]
"""The versions of an event that count and may go out, one a jurisdiction at most."""


class Told(NamedTuple):
    """One message of a feed: `value` is the Avro body without a frame; an empty digest says GONE."""

    agreement: str
    thing: str
    number: int
    value: bytes
    digest: bytes


class Content(Protocol):
    """What is covered now, under one agreement: events, or timelines."""

    def begin(self) -> None:
        """Forget all: the agreement has come into force, or its terms are others."""

    def consider(self, event: bytes, looks: Sequence[Look]) -> None:
        """Take in what counts of an event now; nothing where none of it may go out."""

    def changed(self, look_at: LookAt) -> Iterator[tuple[str, bytes, bytes]]:
        """What may be to be told: thing, its bytes behind the name, digest; both empty where gone.

        Each is left to be told until it was given out.
        """

    def thing(self, look: Look) -> str:
        """Under which name a covered event is told of; once all that changed was given out."""


class Feed:
    """One agreement with the words of its parties, what was told under it, and what is covered."""

    def __init__(self, agreement: Agreement, cover: Cover, names: Names, content: Content) -> None:
        self.agreement = agreement
        self.cover = cover
        self.names = names
        self.content = content
        self.holds = False
        self._told: dict[str, bytes] = {}
        self._number = 0
        self._unseen: set[str] = set()
        self._valid = (0, 0)

    def delivered(self, thing: str, number: int, digest: bytes) -> None:
        """What was told before, in any order of things."""
        self._number = max(self._number, number)
        if digest:
            self._told[thing] = digest
        else:
            self._told.pop(thing, None)

    def take_over(self, other: Feed) -> None:
        """Go on where an earlier form of the same agreement was."""
        self._told, self._number = other._told, other._number

    def words_changed(self) -> None:
        """Somebody has said something of the agreement: where it stands is to be asked again."""
        self._valid = (0, 0)

    def stand(self, words: Iterable[Word], now: int) -> bool:
        """Find where the agreement stands at `now`; whether it has just begun to hold, anew."""
        if self._valid[0] <= now < self._valid[1]:
            return False
        said = list(words)
        found = standing(self.agreement, said, now)
        later = [at for at in (found.begins, found.ends, *(w.said_at for w in said)) if at > now]
        self._valid = (now, min(later, default=FOREVER))
        before, self.holds = self.holds, found.holds
        begins = self.holds and (self.cover.stand(found) or not before)
        if begins or (before and not self.holds):
            self.content.begin()
            self._unseen = set(self._told) if begins else set()
        return begins

    def changes(self, look_at: LookAt) -> Iterator[Told]:
        """What is to be told now, numbered; what was given out counts as told."""
        for thing, said, digest in self.content.changed(look_at):
            self._unseen.discard(thing)
            if self._told.get(thing, b"") != digest:
                yield self._tell(thing, said, digest)
        while self._unseen:
            yield self._tell(self._unseen.pop(), b"", b"")

    def _tell(self, thing: str, said: bytes, digest: bytes) -> Told:
        self.delivered(thing, self._number + 1, digest)
        rest = (
            SAID + text_bytes(thing) + said if digest else GONE + text_bytes(thing) + self._nothing
        )
        return Told(self.agreement.id, thing, self._number, zigzag(self._number) + rest, digest)

    @property
    def _nothing(self) -> bytes:
        """What stands behind the name where the thing is gone: no record, nothing said."""
        return b"\0" if self.agreement.gives == "timelines" else b"\0\0"
