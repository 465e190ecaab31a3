"""The content of a feed of timelines: cases composed anew from the covered events only. Pure.

The rule of cases (DESIGN "Cases") over what is covered, and nothing else: two records that only
something hidden connects are two timelines here, and nothing in one counts, orders or times what isn't
shown. What people say keeps records apart whoever said it; what joins them must be covered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final
from uuid import UUID

from crosstown import timeline
from crosstown.agreements.agreement import Agreement
from crosstown.cases import Case, City, Entry, Record
from crosstown.envelope import text_bytes, texts_bytes, zigzag
from crosstown.feeds import form
from crosstown.feeds.cover import Cover
from crosstown.feeds.feed import LookAt
from crosstown.feeds.look import Look
from crosstown.feeds.names import Names
from crosstown.feeds.projection import DIGEST_BYTES, Projection
from crosstown.identity import case_key

MOST_BYTES: Final = 800_000
"""Of entries in one message: Kafka takes a megabyte."""
_RULE: Final = {rule: zigzag(index) for index, rule in enumerate(form.RULES)}
_Link = tuple[str, str, str]


class Timelines:
    """All covered cases under one agreement, a city for each jurisdiction."""

    def __init__(
        self, agreement: Agreement, cover: Cover, names: Names, how: Projection,
        window: Callable[[str], int],
    ) -> None:  # fmt: skip
        self._as_they_are = agreement.identifiers == "records"
        self._shows = frozenset(agreement.envelope)
        self._cover = cover
        self._names = names
        self._how = how
        self._window = window
        self.begin()

    def begin(self) -> None:
        """Nothing is covered yet."""
        self._cities: dict[str, City] = {}
        self._heads: set[tuple[str, str]] = set()
        self._cases: dict[Case, str] = {}
        self._alone: dict[tuple[str, str], None] = {}
        self._things: dict[Case, str] = {}
        self._said = 0

    def consider(self, event: bytes, looks: Sequence[Look]) -> None:
        """Take in what counts of an event now; nothing where none of it may go out."""
        covered = {one.version.lane.jurisdiction: one for one in looks if self._cover.covers(one)}
        for jurisdiction, look in covered.items():
            self._let_count(event, self._city(jurisdiction), look)
        for jurisdiction, city in self._cities.items():
            if jurisdiction not in covered:
                city.take(event)

    def changed(self, look_at: LookAt) -> Iterator[tuple[str, bytes, bytes]]:
        """What may be to be told: a timeline's name, what it says, and the digest of that."""
        self._gather()
        while self._cases:
            case, jurisdiction = next(iter(self._cases.items()))
            if case.members[0].case is case:  # neither joined with another meanwhile nor apart
                yield from self._case(case, jurisdiction, look_at)
            del self._cases[case]
        while self._alone:
            jurisdiction, record = next(iter(self._alone))
            back = record in self._cities[jurisdiction].records
            if not back and (jurisdiction, record) in self._heads:
                yield from self._gone(jurisdiction, record)
            del self._alone[jurisdiction, record]

    def thing(self, look: Look) -> str:
        """The name of the timeline that a covered event is in."""
        jurisdiction = look.version.lane.jurisdiction
        case = self._cities[jurisdiction].records[look.fields["record"]].case
        assert case is not None  # noqa: S101 - a covered event counts, and so does its record
        if case not in self._things:
            entries = (entry for record in case.members for entry in record.entries)
            head = min(entries, key=timeline.in_order).record
            self._things[case] = self._name(jurisdiction, head.name)
        return self._things[case]

    def _city(self, jurisdiction: str) -> City:
        if jurisdiction not in self._cities:
            self._cities[jurisdiction] = City(jurisdiction, self._window)
        return self._cities[jurisdiction]

    def _let_count(self, event: bytes, city: City, look: Look) -> None:
        """What counts was decided already: to the city each saying is later than the one before."""
        version = look.version
        self._said += 1
        body = version.body or b""
        city.say(version.content, look.fields, body, look.said, self._said, version.via)
        city.events[event].rivals = ()

    def _gather(self) -> None:
        self._things.clear()
        for jurisdiction, city in self._cities.items():
            cases, alone = city.touched()
            self._cases.update(dict.fromkeys(cases, jurisdiction))
            for record in alone:
                self._alone[jurisdiction, record.name] = None
                del city.records[record.name]

    def _case(
        self, case: Case, jurisdiction: str, look_at: LookAt
    ) -> Iterator[tuple[str, bytes, bytes]]:
        entries = [entry for record in case.members for entry in record.entries]
        entries.sort(key=timeline.in_order)
        head = entries[0].record
        self._heads.add((jurisdiction, head.name))
        yield (self._name(jurisdiction, head.name),
               *self._composed(case.members, entries, jurisdiction, look_at))  # fmt: skip
        for record in case.members:
            if record is not head and (jurisdiction, record.name) in self._heads:
                yield from self._gone(jurisdiction, record.name)

    def _gone(self, jurisdiction: str, record: str) -> Iterator[tuple[str, bytes, bytes]]:
        """A record that headed a timeline heads none any more."""
        yield self._name(jurisdiction, record), b"", b""
        self._heads.discard((jurisdiction, record))

    def _name(self, jurisdiction: str, record: str) -> str:
        return self._names.case(case_key(jurisdiction, record))

    def _named(self, record: str) -> str:
        return record if self._as_they_are else self._names.record(record)

    def _composed(
        self, members: Sequence[Record], entries: Sequence[Entry], jurisdiction: str, look_at: LookAt
    ) -> tuple[bytes, bytes]:  # fmt: skip
        """The Avro bytes of what a timeline says, and their digest."""
        is_open = any(timeline.is_open(record.entries) for record in members)
        about = [b"\0" if is_open else b"\2"]
        if "occurred_at" in self._shows:
            about += [self._time(entries[0]), self._time(entries[-1])]
        if "agency" in self._shows:
            about.append(texts_bytes(sorted({one.name.partition("/")[0] for one in members})))
        links = self._links(members, entries) if len(members) > 1 else []
        about += [zigzag(len(members)), zigzag(len(entries)), zigzag(len(links))]
        present = {record.name for record in members}
        looks = (_in(look_at(one.id), jurisdiction) for one in reversed(entries[-form.SHOWN :]))
        shown, tells = self._shown(looks, present)
        said_links = _array([
            _RULE[rule] + text_bytes(source) + text_bytes(target)
            for rule, source, target in links[-form.SHOWN :]
        ])  # fmt: skip
        told = hashlib.sha256(b"".join((*about, *tells, said_links)))
        body = b"".join((b"\2", *about, text_bytes(told.hexdigest()), shown, said_links))
        return body, told.digest()[:DIGEST_BYTES]

    def _time(self, entry: Entry) -> bytes:
        return b"\2" + zigzag(self._how.time(entry.occurred))

    def _shown(
        self, newest_first: Iterator[Look], present: Collection[str]
    ) -> tuple[bytes, list[bytes]]:
        """The array of entries, ordered by what of them goes out, and what tells them from others."""
        rows: list[tuple[int, str, bytes, bytes]] = []
        size = 0
        for look in newest_first:
            name = self._names.event(str(UUID(bytes=_id(look))))
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

    def _links(self, members: Sequence[Record], entries: Sequence[Entry]) -> list[_Link]:
        """Why they are one case, the newest last; reasons in words stay inside.

        Only a ref has a direction: which of two came first may be finer than the times that go out.
        """
        found: dict[_Link, int] = {}
        for link in timeline.links_of(members, entries):
            ends = [self._named(link.source), self._named(link.target)]
            if link.rule != "ref":
                ends.sort()
            one = (link.rule, ends[0], ends[1])
            found[one] = max(found.get(one, link.at), link.at)
        newest = sorted(found, key=lambda one: (found[one], one))[-form.SHOWN :]
        hidden = [one for one in found if one not in set(newest)]
        return [*hidden, *sorted(newest)]


def _in(looks: Sequence[Look], jurisdiction: str) -> Look:
    return next(look for look in looks if look.version.lane.jurisdiction == jurisdiction)


def _id(look: Look) -> bytes:
    return bytes.fromhex(look.fields["event_id"].replace("-", ""))


def _array(items: list[bytes]) -> bytes:
    return zigzag(len(items)) + b"".join(items) + b"\0" if items else b"\0"
