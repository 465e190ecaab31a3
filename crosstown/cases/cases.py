"""The linking rule as a state that is folded: what was said of one jurisdiction, joined into cases.

The state is a function of the set of sayings: order, repetition and the size of batches change
nothing. Adding an event touches its neighbours; removing one marks its case, which is taken apart
at most once a batch. Source of the rules: docs/decisions/0008.

    say(...)      one version of one event
    erase(...)    a record is to be forgotten, restore(...): no longer, forget(...): its bytes went
    changes()     once a batch: what is to be told of every record whose case changed
    settle()      the same without telling it: after a restore from the log
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from crosstown.cases import timeline
from crosstown.event.envelope import STEPS, VIAS, suffix_bytes
from crosstown.event.identity import case_key
from crosstown.event.sayings import APART, ASSERTED, About, Edge, edge_of, edges_of, parted

WITHDRAWN: Final = STEPS.index("WITHDRAWN")
_hex = bytes.fromhex
_STEP: Final = {step: index for index, step in enumerate(STEPS)}


class Spot:
    """One place and concern: its events that count, in order, less those of records apart.

    `careful` once a record that is separated from another was here: then neighbours don't suffice.
    """

    __slots__ = ("careful", "rows", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.careful = False
        self.rows: list[Entry] = []


class Record:
    """One record of one jurisdiction; `told` is the head that `timelines` last named for it.

    `about` is what people say of it, None where nothing; no event of an `erased` record counts.
    """

    __slots__ = ("about", "case", "entries", "erased", "name", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.about: About | None = None
        self.erased = False
        self.entries: list[Entry] = []
        self.case: Case | None = None
        self.told: Record | None = None


class Case:
    """A connected component; `suspect` once an event was taken from it."""

    __slots__ = ("members", "suspect")

    def __init__(self, members: list[Record]) -> None:
        self.members = members
        self.suspect = False


class Entry:
    """One content of one event; `first` and `last` are when it was said, `rivals` the other contents.

    `envelope` are its Avro bytes as they are shown, of which the first `said` are what it says.
    `via` is that of the smallest (known_at, via), by the order of the envelope's enum.
    """

    __slots__ = ("content", "envelope", "first", "id", "last", "occurred", "record", "refs",
                 "rivals", "said", "spot", "step", "via")  # fmt: skip

    def __init__(  # noqa: PLR0917 - by position: this is the hot path
        self, event: bytes, content: bytes, record: Any, occurred: int, step: int,
        spot: Spot | None, refs: tuple[str, ...], envelope: bytes, said: int, known_at: int,
        via: int,
    ) -> None:  # fmt: skip
        self.id = event
        self.content = content
        self.record = record  # a Record; an Edge where people say something of records
        self.occurred = occurred
        self.step = step
        self.spot = spot
        self.refs = refs
        self.envelope = envelope
        self.said = said
        self.first = self.last = known_at
        self.via = via
        self.rivals: tuple[Entry, ...] = ()


class Change(NamedTuple):
    """What is to be told of one record: `case_id` empty = gone; `case` only for the head.

    Of an `erased` record nothing is told any more: a tombstone takes the place of what was.
    """

    jurisdiction: str
    record: str
    key: str
    case_id: str
    case: bytes | None
    erased: bool = False


class City:
    """The state of one jurisdiction."""

    def __init__(
        self, jurisdiction: str, window_of: Callable[[str], int],
        is_erased: Callable[[str], bool] | None = None,
    ) -> None:  # fmt: skip
        self.jurisdiction = jurisdiction
        self._is_erased = is_erased or _never
        self._about: dict[str, About] = {}
        self._muted: dict[bytes, Entry] = {}
        self.records: dict[str, Record] = {}
        self.events: dict[bytes, Entry] = {}
        self._window_of = window_of
        self._spots: dict[tuple[str, str], Spot] = {}
        self._namers: dict[str, dict[Record, int]] = {}
        self._touched: dict[Case, None] = {}
        self._alone: dict[Record, None] = {}
        self.merged = self.split = 0
        """Cases that were joined to another, or split off from one, by what `changes` has told."""

    def say(
        self, content: bytes, fields: Mapping[str, Any], envelope: bytes, said: int,
        known_at: int, via: int,
    ) -> bytes | None:  # fmt: skip
        """One version of an event, that passed intake; gives the event's id the first time.

        `fields` are those of the prefix, `envelope` the Avro bytes (the first `said` the prefix),
        `known_at` microseconds UTC, `via` the enum's index, `content` the content's hash.
        """
        event = _hex(fields["event_id"].replace("-", ""))
        head = self.events.get(event)
        if head is None:
            entry = self._entry(event, content, fields, envelope, said, known_at, via)
            self.events[event] = entry
            self._count(entry)
            return event
        again = head if head.content == content else _rival(head, content)
        if again is None:
            again = self._entry(event, content, fields, envelope, said, known_at, via)
            head.rivals += (again,)
        elif not _hear_again(again, known_at, via):
            return None
        winner = max((head, *head.rivals), key=lambda one: (one.last, one.content))
        if winner is not head:
            self._replace(head, winner)
        elif again is not head:
            return None
        if head.record.case is not None:
            self._touched[head.record.case] = None
        return None

    def erase(self, wanted: Callable[[str], bool]) -> None:
        """No event of the records that are wanted counts any more, nor what people say of them."""
        for name in [name for name in self.records if wanted(name)]:
            record = self.records[name]
            if not record.erased:
                for entry in list(record.entries):
                    self._discount(entry)
                record.erased = True
                self._alone[record] = None
        for name in [name for name in self._about if wanted(name)]:
            about = self._about.get(name)  # gone with another's, where both are wanted
            for spoken, edge in list(edges_of(about)) if about else ():
                entry = cast("Entry", spoken)
                self._unsay(entry, edge)
                self._muted[entry.id] = entry

    def restore(self, wanted: Callable[[str], bool]) -> None:
        """They aren't to be erased after all: what is still there of them counts again."""
        again = {r.name: r for r in self.records.values() if r.erased and wanted(r.name)}
        for record in again.values():
            record.erased = False
        for entry in self.events.values() if again else ():
            if type(entry.record) is Record and entry.record.name in again:
                self._count(entry)
        muted, self._muted = self._muted, {}
        for entry in muted.values():
            self._count(entry)

    def forget(self, event: bytes) -> None:
        """The bytes of an erased record's event are gone from the log, so they go from here."""
        entry = self.events.get(event)
        if entry is None:
            return
        record = entry.record
        if type(record) is Edge:
            muted = self._muted.pop(event, None) is not None
            if muted or any(map(self._is_erased, entry.refs)):  # or it was withdrawn
                del self.events[event]
        elif record.erased:
            del self.events[event]
            self.records.pop(record.name, None)

    def adopt(self, other: City) -> None:
        """Take in a settled city of the same jurisdiction that has nothing in common with this one."""
        self.records.update(other.records)
        self.events.update(other.events)
        self._spots.update(other._spots)
        self._namers.update(other._namers)
        self._about.update(other._about)
        self._muted.update(other._muted)

    def release(
        self, events: Iterable[bytes], names: Iterable[str], spots: Iterable[tuple[str, str]]
    ) -> None:
        """Forget a part that has nothing in common with the rest and is settled: it's kept elsewhere.

        Its objects name each other in circles: these are cut, since the collector comes seldom.
        """
        for event in events:
            head = self.events.pop(event, None)
            if head is not None:
                head.record = head.spot = None
                head.rivals = ()
        for name in names:
            record = self.records.pop(name, None)
            if record is not None:
                record.entries = []
                record.case = record.told = None
            self._namers.pop(name, None)
            self._about.pop(name, None)
        for spot in spots:
            self._spots.pop(spot, None)

    def take(self, event: bytes) -> None:
        """An event is no longer of this city, as if it had never been said; for feeds' timelines."""
        head = self.events.pop(event, None)
        if head is None:
            return
        if type(head.record) is Edge:
            if self._muted.pop(event, None) is None and head.step != WITHDRAWN:
                self._unsay(head, head.record)
        elif not head.record.erased and head.step != WITHDRAWN:
            self._discount(head)

    def touched(self) -> tuple[list[Case], list[Record]]:
        """The cases that changed since the last call, and the records that are in none any more."""
        self._part()
        cases, self._touched = list(self._touched), {}
        alone = [record for record in self._alone if record.case is None]
        self._alone.clear()
        return cases, alone

    def sayings(self, event: bytes) -> tuple[Entry, ...]:
        """All contents of an event, the one that counts first; empty where it's forgotten."""
        head = self.events.get(event)
        return () if head is None else (head, *head.rivals)

    def waits(self, event: bytes) -> bool:
        """Whether an event was said that mustn't count, since its record is to be forgotten."""
        head = self.events.get(event)
        if head is None:
            return False
        if type(head.record) is Edge:
            return event in self._muted or any(map(self._is_erased, head.refs))
        return bool(head.record.erased)

    def changes(self) -> Iterator[Change]:
        """What changed since the last call, each record at most once; heads carry their timeline."""
        place, key = self.jurisdiction, case_key
        for members, entries in self._settled():
            head = entries[0].record
            case_id = key(place, head.name)
            if len(members) > 1 or head.told is not head:
                self._regroup(members)
            for record in members:
                if record is not head and record.told is not head:
                    record.told = head
                    yield Change(place, record.name, key(place, record.name), case_id, None)
            head.told = head
            links = timeline.links_of(members, entries) if len(members) > 1 else ()
            body = timeline.case_bytes(members, entries, links)
            yield Change(place, head.name, case_id, case_id, body)
        for record in self._alone:
            if record.case is None:
                record.told = None
                yield Change(place, record.name, key(place, record.name), "", None, record.erased)
        self._alone.clear()

    def _regroup(self, members: list[Record]) -> None:
        """Count what a case is new against what was told: heads that met here, and what left one."""
        before = {record.told: None for record in members if record.told is not None}
        self.merged += max(len(before) - 1, 0)
        case = members[0].case
        self.split += sum(head.case is not None and head.case is not case for head in before)

    def settle(self) -> None:
        """Take all that was folded as told: the state after a restore from the log."""
        for members, entries in self._settled():
            for record in members:
                record.told = entries[0].record
        for record in [one for one in self._alone if one.case is None]:
            record.told = None
        self._alone.clear()

    def _settled(self) -> Iterator[tuple[list[Record], list[Entry]]]:
        """The touched cases, as members and entries in order, once each and taken apart if need be."""
        self._part()
        touched, self._touched = self._touched, {}
        for case in touched:
            members = case.members
            if len(members) == 1:
                entries = members[0].entries
                if len(entries) > 1:
                    entries = sorted(entries, key=timeline.in_order)
            else:
                entries = [entry for record in members for entry in record.entries]
                entries.sort(key=timeline.in_order)
            yield members, entries

    def _part(self) -> None:
        """Take apart what an event was taken from."""
        while suspects := [case for case in self._touched if case.suspect]:
            for case in suspects:
                if case in self._touched:  # not joined meanwhile
                    self._take_apart(case)

    def _entry(
        self, event: bytes, content: bytes, fields: Mapping[str, Any], envelope: bytes, said: int,
        known_at: int, via: int,
    ) -> Entry:  # fmt: skip
        refs = fields["refs"]
        if fields["type"].startswith("link."):
            return Entry(
                event, content, edge_of(fields),
                fields["occurred_at"], _STEP[fields["step"]], None, tuple(refs), envelope, said,
                known_at, via,
            )  # fmt: skip
        name = fields["record"]
        record = self.records.get(name)
        if record is None:
            record = self.records[name] = Record(name)
            record.erased = self._is_erased(name)
            record.about = self._about.get(name)
        place, concern = fields["place"], fields["concern"]
        spot = None
        if place and concern:
            spot = self._spots.get((place, concern))
            if spot is None:
                spot = self._spots[place, concern] = Spot(self._window_of(concern))
        return Entry(
            event, content, record, fields["occurred_at"], _STEP[fields["step"]], spot,
            tuple(refs) if refs else (), envelope, said, known_at, via,
        )  # fmt: skip

    def _count(self, entry: Entry) -> None:
        """Let an event count, and join its record with its neighbours (rules 1 to 5)."""
        record = entry.record
        if type(record) is Edge:
            self._let_say(entry, record)
            return
        if record.erased:
            return
        if entry.step == WITHDRAWN:
            if record.case is None:
                self._alone[record] = None
            return
        record.entries.append(entry)
        if record.case is None:
            record.case = Case([record])
            for namer in self._namers.get(record.name, ()):
                self._join_by_rule(record, namer)
            if record.about is not None:
                self._join_asserted(record)
        for ref in entry.refs:
            self._name(record, ref)
        if entry.spot is not None:
            self._settle_in(entry, entry.spot)
        self._touched[record.case] = None

    def _name(self, record: Record, ref: str) -> None:
        namers = self._namers.setdefault(ref, {})
        namers[record] = namers.get(record, 0) + 1
        target = self.records.get(ref)
        if target is not None and target.case is not None:
            self._join_by_rule(record, target)

    def _settle_in(self, entry: Entry, spot: Spot) -> None:
        """Consecutive neighbours suffice: who else is in the window is in theirs already.

        Not so where a record is separated from another: then each in the window is looked at.
        """
        rows, about = spot.rows, entry.record.about
        if about is not None:
            if about.apart:
                return
            spot.careful = spot.careful or bool(about.separated)
        if not rows:
            rows.append(entry)
            return
        at = bisect_left(rows, timeline.in_order(entry), key=timeline.in_order)
        rows.insert(at, entry)
        if spot.careful:
            for other in _within(rows, at, spot.window):
                self._join_by_rule(entry.record, other.record)
            return
        if at and entry.occurred - rows[at - 1].occurred <= spot.window:
            self._join(entry.record, rows[at - 1].record)
        if at + 1 < len(rows) and rows[at + 1].occurred - entry.occurred <= spot.window:
            self._join(entry.record, rows[at + 1].record)

    def _let_say(self, entry: Entry, edge: Edge) -> None:
        """Let people's word count (rules 4 and 5), unless it names a record that is to be forgotten."""
        if any(map(self._is_erased, entry.refs)):
            self._muted[entry.id] = entry
            return
        if entry.step == WITHDRAWN:
            return
        for name, other in _ends(entry):
            about = self._about.get(name)
            record = self.records.get(name)
            if about is None:
                about = self._about[name] = About()
                if record is not None:
                    record.about = about
            if edge.kind == APART:
                if not about.apart and record is not None:
                    self._stand_apart(record)
                about.apart.append((entry, edge))
            else:
                by_other = about.asserted if edge.kind == ASSERTED else about.separated
                by_other.setdefault(other, []).append((entry, edge))
        self._heard(entry, edge, joins=edge.kind == ASSERTED)

    def _unsay(self, entry: Entry, edge: Edge) -> None:
        """People's word no longer counts: it was withdrawn, replaced, or is to be forgotten."""
        freed = []
        for name, other in _ends(entry):
            about = self._about.get(name)
            if about is None:
                return
            if edge.kind == APART:
                about.apart.remove((entry, edge))
                if not about.apart:
                    freed.append(name)
            else:
                by_other = about.asserted if edge.kind == ASSERTED else about.separated
                by_other[other].remove((entry, edge))
                if not by_other[other]:
                    del by_other[other]
            if not about:
                del self._about[name]
                if name in self.records:
                    self.records[name].about = None
        for name in freed:
            if name in self.records:
                self._come_back(self.records[name])
        self._heard(entry, edge, joins=edge.kind != ASSERTED)

    def _heard(self, entry: Entry, edge: Edge, *, joins: bool) -> None:
        """Touch the cases that a saying is about; join its records, or see whether they still are."""
        found = [self.records.get(name) for name in entry.refs]
        there = [record for record in found if record is not None and record.case is not None]
        for record in there:
            case = cast("Case", record.case)
            if not joins:
                case.suspect = True
            if edge.kind not in (ASSERTED, APART):
                for one in record.entries:
                    if one.spot is not None:
                        one.spot.careful = True
            self._touched[case] = None
        if joins and len(there) == 2:
            if edge.kind == ASSERTED:
                self._join(*there)
            elif _direct(*there):
                self._join_by_rule(*there)

    def _stand_apart(self, record: Record) -> None:
        for entry in record.entries:
            if entry.spot is not None:
                entry.spot.rows.remove(entry)

    def _come_back(self, record: Record) -> None:
        for entry in record.entries:
            for ref in entry.refs:
                target = self.records.get(ref)
                if target is not None:
                    self._join_by_rule(record, target)
            if entry.spot is not None:
                self._settle_in(entry, entry.spot)
        for namer in self._namers.get(record.name, ()):
            self._join_by_rule(record, namer)

    def _join_asserted(self, record: Record) -> None:
        if record.about is not None:
            for other in record.about.asserted:
                target = self.records.get(other)
                if target is not None:
                    self._join(record, target)

    def _join_by_rule(self, one: Record, two: Record) -> None:
        """Join by rule 2 or 3, unless people say otherwise."""
        if (one.about is None and two.about is None) or not parted(one, two):
            self._join(one, two)

    def _join(self, one: Record, two: Record) -> None:
        a, b = one.case, two.case
        if a is b or a is None or b is None:
            return
        if len(a.members) < len(b.members):
            a, b = b, a
        for record in b.members:
            record.case = a
        a.members += b.members
        a.suspect |= b.suspect
        self._touched.pop(b, None)
        self._touched[a] = None

    def _replace(self, head: Entry, winner: Entry) -> None:
        """Another content counts now; only where it says other neighbours is the case taken apart."""
        winner.rivals = (head, *(rival for rival in head.rivals if rival is not winner))
        head.rivals = ()
        self.events[winner.id] = winner
        if type(head.record) is Edge:
            if self._muted.pop(head.id, None) is None and head.step != WITHDRAWN:
                self._unsay(head, head.record)
            self._count(winner)
            return
        if head.record.erased:
            return
        if (
            WITHDRAWN not in (head.step, winner.step)
            and head.occurred == winner.occurred
            and head.spot is winner.spot
            and head.refs == winner.refs
            and head.record.about is None
        ):
            _swap(head.record.entries, head, winner)
            if head.spot is not None:
                _swap(head.spot.rows, head, winner)
            return
        if head.step != WITHDRAWN:
            self._discount(head)
        self._count(winner)

    def _discount(self, entry: Entry) -> None:
        record, case = entry.record, entry.record.case
        record.entries.remove(entry)
        for ref in entry.refs:
            namers = self._namers[ref]
            if namers[record] == 1:
                del namers[record]
            else:
                namers[record] -= 1
        if entry.spot is not None and not (record.about is not None and record.about.apart):
            entry.spot.rows.remove(entry)
        if case is not None:
            case.suspect = True
            self._touched[case] = None

    def _take_apart(self, case: Case) -> None:  # noqa: C901 - the rules, one after another
        """Compute a case anew from its records: its components become cases of their own."""
        del self._touched[case]
        for record in case.members:
            record.case = Case([record]) if record.entries else None
            if record.case is None:
                self._alone[record] = None
            else:
                self._touched[record.case] = None
        last: dict[Spot, Entry] = {}
        rows: dict[Spot, list[Entry]] = {}
        entries = [entry for record in case.members for entry in record.entries]
        for record in case.members:
            self._join_asserted(record)
        for entry in sorted(entries, key=timeline.in_order):
            record, spot = entry.record, entry.spot
            for ref in entry.refs:
                target = self.records.get(ref)
                if target is not None:
                    self._join_by_rule(record, target)
            if spot is None or (record.about is not None and record.about.apart):
                continue
            if spot.careful:
                here = rows.setdefault(spot, [])
                here.append(entry)
                for before in _within(here, len(here) - 1, spot.window):
                    self._join_by_rule(before.record, record)
                continue
            previous = last.get(spot)
            if previous is not None and entry.occurred - previous.occurred <= spot.window:
                self._join(previous.record, record)
            last[spot] = entry


def _never(_name: str) -> bool:
    return False


def _ends(entry: Entry) -> tuple[tuple[str, str], ...]:
    """The records that a saying names, each with the other one."""
    if len(entry.refs) == 1:
        return ((entry.refs[0], ""),)
    one, two = entry.refs
    return ((one, two), (two, one))


def _within(rows: list[Entry], at: int, window: int) -> Iterator[Entry]:
    """The rows other than the one at `at` that lie in its window."""
    here = rows[at].occurred
    for i in range(at - 1, -1, -1):
        if here - rows[i].occurred > window:
            break
        yield rows[i]
    for i in range(at + 1, len(rows)):
        if rows[i].occurred - here > window:
            break
        yield rows[i]


def _direct(one: Record, two: Record) -> bool:
    """Whether rule 2 or 3 would join these two directly."""
    if any(two.name in e.refs for e in one.entries) or any(one.name in e.refs for e in two.entries):
        return True
    return any(
        a.spot is not None and a.spot is b.spot and abs(a.occurred - b.occurred) <= a.spot.window
        for a in one.entries
        for b in two.entries
    )


def _rival(head: Entry, content: bytes) -> Entry | None:
    return next((rival for rival in head.rivals if rival.content == content), None)


def _hear_again(entry: Entry, known_at: int, via: int) -> bool:
    """The same content said again; whether that changed what is kept."""
    if known_at > entry.last:
        entry.last = known_at  # may make it the one that counts
    elif (known_at, via) >= (entry.first, entry.via):
        return False
    if (known_at, via) < (entry.first, entry.via):
        entry.first, entry.via = known_at, via
        entry.envelope = entry.envelope[: entry.said] + suffix_bytes(known_at, VIAS[via])
    return True


def _swap(rows: list[Entry], old: Entry, new: Entry) -> None:
    rows[rows.index(old)] = new
