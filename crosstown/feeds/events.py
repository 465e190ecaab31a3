"""The content of a feed of events: each covered event as it counts now. Pure.

A ref goes out where the feed shows the record that it names, so events are told once all of a batch
were taken in, and again when a record that they name comes or goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from crosstown.agreements.agreement import Agreement
from crosstown.event.envelope import text_bytes
from crosstown.feeds.counting import text_of
from crosstown.feeds.cover import Cover
from crosstown.feeds.feed import LookAt
from crosstown.feeds.look import Look
from crosstown.feeds.names import Names
from crosstown.feeds.projection import Projection, digest

Shown = tuple[str, tuple[str, ...]]
"""An event's record, and the records that it names."""


class Events:
    """All covered events under one agreement, by the 16 bytes of their ids."""

    def __init__(self, agreement: Agreement, cover: Cover, names: Names, how: Projection) -> None:
        self._as_they_are = agreement.identifiers == "records"
        self._cover = cover
        self._names = names
        self._how = how
        self.begin()

    def begin(self) -> None:
        """Nothing is covered yet."""
        self._shown: dict[bytes, Shown] = {}
        self._records: Counter[str] = Counter()
        self._namers: dict[str, dict[bytes, None]] = {}
        self._waiting: dict[bytes, None] = {}

    def consider(self, event: bytes, looks: Sequence[Look]) -> None:
        """Take in what counts of an event now; nothing where none of it may go out."""
        look = self._covered(looks)
        if look is not None or event in self._shown:
            self._waiting[event] = None
            if self._how.names_refs:
                self._keep_refs(event, look)
            elif look is not None:
                self._shown[event] = ("", ())

    def changed(self, look_at: LookAt) -> Iterator[tuple[str, bytes, bytes]]:
        """What may be to be told: an event's name, what it says, and the digest of that."""
        while self._waiting:
            event = next(iter(self._waiting))
            name = self._names.event(text_of(event))
            look = self._covered(look_at(event))
            said = (
                (b"", b"") if look is None else self._said(look)
            )  # raises where it can't be read now
            del self._waiting[event]
            if look is None:
                self._shown.pop(event, None)
            yield name, *said

    def thing(self, look: Look) -> str:
        """The event's own name."""
        return self._names.event(look.fields["event_id"])

    def _covered(self, looks: Sequence[Look]) -> Look | None:
        """What is covered of an event; of one that counts in two jurisdictions what was said last."""
        covered = [look for look in looks if self._cover.covers(look)]
        return max(covered, key=lambda one: (one.version.last, one.version.content), default=None)

    def _said(self, look: Look) -> tuple[bytes, bytes]:
        refs = look.fields["refs"] if self._how.names_refs else ()
        shown = [self._named(ref) for ref in refs if self._records[ref]]
        said, tells = self._how.said(look, shown)
        record = text_bytes(self._named(look.fields["record"]))
        return record + b"\2" + said, digest(record, tells, self._how.reach)

    def _named(self, record: str) -> str:
        return record if self._as_they_are else self._names.record(record)

    def _keep_refs(self, event: bytes, look: Look | None) -> None:
        """Keep who names whom; who names a record that comes or goes is to be told again."""
        before = self._shown.pop(event, None)
        now = None
        if look is not None:
            now = self._shown[event] = (look.fields["record"], tuple(look.fields["refs"]))
        if now == before:
            return
        if now is not None:
            for ref in now[1]:
                self._namers.setdefault(ref, {})[event] = None
            self._count(now[0], 1)
        if before is not None:
            for ref in before[1]:
                if now is None or ref not in now[1]:
                    self._namers[ref].pop(event, None)
            self._count(before[0], -1)

    def _count(self, record: str, by: int) -> None:
        before = self._records[record]
        self._records[record] = before + by
        if not before or not before + by:
            self._waiting.update(self._namers.get(record, {}))
            if not before + by:
                del self._records[record]
