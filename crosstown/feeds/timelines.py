"""The content of a feed of timelines: cases composed anew from the covered events only. Pure.

The rule of cases (docs/decisions/0008) over what is covered, and nothing else: two records that only
something hidden connects are two timelines here, and nothing in one counts, orders or times what isn't
shown. What people say keeps records apart whoever said it; what joins them must be covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from crosstown.agreements.agreement import Agreement
from crosstown.cases import timeline
from crosstown.cases.cases import Case, City
from crosstown.event.identity import case_key
from crosstown.feeds.composing import Composer
from crosstown.feeds.cover import Cover
from crosstown.feeds.feed import LookAt
from crosstown.feeds.look import Look
from crosstown.feeds.names import Names
from crosstown.feeds.projection import Projection


class Timelines:
    """All covered cases under one agreement, a city for each jurisdiction."""

    def __init__(
        self, agreement: Agreement, cover: Cover, names: Names, how: Projection,
        window: Callable[[str], int],
    ) -> None:  # fmt: skip
        self._cover = cover
        self._names = names
        self._composer = Composer(agreement, names, how)
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
        city.say(version.content, look.fields, look.body, look.said, self._said, version.via)
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
        said = self._composer.composed(case.members, entries, jurisdiction, look_at)
        yield self._name(jurisdiction, head.name), *said
        for record in case.members:
            if record is not head and (jurisdiction, record.name) in self._heads:
                yield from self._gone(jurisdiction, record.name)

    def _gone(self, jurisdiction: str, record: str) -> Iterator[tuple[str, bytes, bytes]]:
        """A record that headed a timeline heads none any more."""
        yield self._name(jurisdiction, record), b"", b""
        self._heads.discard((jurisdiction, record))

    def _name(self, jurisdiction: str, record: str) -> str:
        return self._names.case(case_key(jurisdiction, record))
