"""One timeline as it goes out under an agreement, from a case's covered records and entries. Pure.

Nothing in it is finer than what goes out: entries are in the order of what they show, and only a ref
has a direction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from crosstown.agreements.agreement import Agreement
from crosstown.cases import timeline
from crosstown.cases.cases import Entry, Record
from crosstown.event.envelope import text_bytes, texts_bytes, zigzag
from crosstown.feeds import form
from crosstown.feeds.feed import LookAt
from crosstown.feeds.look import Look
from crosstown.feeds.names import Names
from crosstown.feeds.projection import Projection, digest

MOST_BYTES: Final = 800_000
"""Of entries in one message: Kafka takes a megabyte."""
_RULE: Final = {rule: zigzag(index) for index, rule in enumerate(form.RULES)}
_Link = tuple[str, str, str]


class Composer:
    """How timelines go out under one agreement."""

    def __init__(self, agreement: Agreement, names: Names, how: Projection) -> None:
        self._as_they_are = agreement.identifiers == "records"
        self._shows = frozenset(agreement.envelope)
        self._names = names
        self._how = how

    def composed(
        self, members: Sequence[Record], entries: Sequence[Entry], jurisdiction: str, look_at: LookAt
    ) -> tuple[bytes, bytes]:  # fmt: skip
        """The Avro bytes of what a timeline says, and their digest."""
        is_open = any(timeline.is_open(record.entries) for record in members)
        about = [b"\0" if is_open else b"\2"]
        if "occurred_at" in self._shows:
            about += [self._time(entries[0]), self._time(entries[-1])]
        if "agency" in self._shows:
            about.append(texts_bytes(sorted({one.name.partition("/")[0] for one in members})))
        links = _links_of(members, entries)
        about += [zigzag(len(members)), zigzag(len(entries)), zigzag(len(links))]
        present = {record.name for record in members}
        looks = (_in(look_at(one.id), jurisdiction) for one in reversed(entries[-form.SHOWN :]))
        shown, tells = self._shown(looks, present)
        said_links = self._links(links[-form.SHOWN :])
        told = hashlib.sha256(b"".join((*about, *tells, said_links)))
        body = b"".join((b"\2", *about, text_bytes(told.hexdigest()), shown, said_links))
        return body, digest(told.digest(), self._how.reach)

    def _named(self, record: str) -> str:
        return record if self._as_they_are else self._names.record(record)

    def _time(self, entry: Entry) -> bytes:
        return b"\2" + zigzag(self._how.time(entry.occurred))

    def _shown(
        self, newest_first: Iterator[Look], present: Collection[str]
    ) -> tuple[bytes, list[bytes]]:
        """The array of entries, ordered by what of them goes out, and what tells them from others."""
        rows: list[tuple[int, str, bytes, bytes]] = []
        size = 0
        for look in newest_first:
            name = self._names.event(look.fields["event_id"])
            refs = look.fields["refs"] if self._how.names_refs else ()
            shown = [self._named(ref) for ref in refs if ref in present]
            said, tells = self._how.said(look, shown)
            at = self._how.time(look.fields["occurred_at"]) if "occurred_at" in self._shows else 0
            begin = text_bytes(name) + text_bytes(self._named(look.fields["record"]))
            size += len(begin) + len(said)
            if rows and size > MOST_BYTES:
                break
            rows.append((at, name, begin + said, begin + tells))
        rows.sort()
        return _array([row[2] for row in rows]), [row[3] for row in rows]

    def _links(self, newest: Sequence[_Link]) -> bytes:
        """The array of links, ordered by what of them goes out."""
        rows = [(rule, self._named(source), self._named(target)) for rule, source, target in newest]
        rows = sorted(
            (rule, *((a, b) if rule == "ref" else sorted((a, b)))) for rule, a, b in rows
        )  # fmt: skip
        return _array([_RULE[rule] + text_bytes(a) + text_bytes(b) for rule, a, b in rows])


def _links_of(members: Sequence[Record], entries: Sequence[Entry]) -> list[_Link]:
    """Why they are one case, the newest last; reasons in words stay inside.

    Only a ref has a direction: which of two came first may be finer than the times that go out.
    """
    found: dict[_Link, int] = {}
    for link in timeline.links_of(members, entries) if len(members) > 1 else ():
        turned = link.rule != "ref" and link.source > link.target
        ends = (link.target, link.source) if turned else (link.source, link.target)
        one = (link.rule, *ends)
        found[one] = max(found.get(one, link.at), link.at)
    return sorted(found, key=lambda one: (found[one], one))


def _in(looks: Sequence[Look], jurisdiction: str) -> Look:
    return next(look for look in looks if look.version.lane.jurisdiction == jurisdiction)


def _array(items: list[bytes]) -> bytes:
    return zigzag(len(items)) + b"".join(items) + b"\0" if items else b"\0"
