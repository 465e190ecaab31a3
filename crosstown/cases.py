"""The linking rule as a state that is folded: what was said of one jurisdiction, joined into cases.

The state is a function of the set of sayings: order, repetition and the size of batches change
nothing. Adding an event touches its neighbours; removing one marks its case, which is taken apart
at most once a batch. Source of the rules: DESIGN "Cases"; docs/decisions/0008.

    say(...)      one version of one event
    changes()     once a batch: what is to be told of every record whose case changed
    settle()      the same without telling it: after a restore from the log
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from crosstown import timeline
from crosstown.envelope import STEPS, VIAS, suffix_bytes
from crosstown.identity import case_key

WITHDRAWN: Final = STEPS.index("WITHDRAWN")
_hex = bytes.fromhex
_STEP: Final = {step: index for index, step in enumerate(STEPS)}


class Spot:
    """One place and concern: its events that count, in order."""

    __slots__ = ("rows", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.rows: list[Entry] = []


class Record:
    """One record of one jurisdiction; `told` is the head that `timelines` last named for it."""

    __slots__ = ("case", "entries", "name", "told")

    def __init__(self, name: str) -> None:
        self.name = name
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
        self, event: bytes, content: bytes, record: Record, occurred: int, step: int,
        spot: Spot | None, refs: tuple[str, ...], envelope: bytes, said: int, known_at: int,
        via: int,
    ) -> None:  # fmt: skip
        self.id = event
        self.content = content
        self.record = record
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
    """What is to be told of one record: `case_id` empty = gone; `case` only for the head."""

    jurisdiction: str
    record: str
    key: str
    case_id: str
    case: bytes | None


class City:
    """The state of one jurisdiction."""

    def __init__(self, jurisdiction: str, window_of: Callable[[str], int]) -> None:
        self.jurisdiction = jurisdiction
        self.records: dict[str, Record] = {}
        self.events: dict[bytes, Entry] = {}
        self._window_of = window_of
        self._spots: dict[tuple[str, str], Spot] = {}
        self._namers: dict[str, dict[Record, int]] = {}
        self._touched: dict[Case, None] = {}
        self._alone: dict[Record, None] = {}

    def say(
        self, content: bytes, fields: Mapping[str, Any], envelope: bytes, said: int,
        known_at: int, via: int,
    ) -> None:  # fmt: skip
        """One version of an event, that passed intake.

        `fields` are those of the prefix, `envelope` the Avro bytes (the first `said` the prefix),
        `known_at` microseconds UTC, `via` the enum's index, `content` the content's hash.
        """
        event = _hex(fields["event_id"].replace("-", ""))
        head = self.events.get(event)
        if head is None:
            entry = self._entry(event, content, fields, envelope, said, known_at, via)
            self.events[event] = entry
            self._count(entry)
            return
        again = head if head.content == content else _rival(head, content)
        if again is None:
            again = self._entry(event, content, fields, envelope, said, known_at, via)
            head.rivals += (again,)
        elif not _hear_again(again, known_at, via):
            return
        winner = max((head, *head.rivals), key=lambda one: (one.last, one.content))
        if winner is not head:
            self._replace(head, winner)
        elif again is not head:
            return
        if head.record.case is not None:
            self._touched[head.record.case] = None

    def changes(self) -> Iterator[Change]:
        """What changed since the last call, each record at most once; heads carry their timeline."""
        place, key = self.jurisdiction, case_key
        for members, entries in self._settled():
            head = entries[0].record
            case_id = key(place, head.name)
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
                yield Change(place, record.name, key(place, record.name), "", None)
        self._alone.clear()

    def settle(self) -> None:
        """Take all that was folded as told: the state after a restore from the log."""
        for members, entries in self._settled():
            for record in members:
                record.told = entries[0].record
        self._alone.clear()

    def _settled(self) -> Iterator[tuple[list[Record], list[Entry]]]:
        """The touched cases, as members and entries in order, once each and taken apart if need be."""
        for case in [case for case in self._touched if case.suspect]:
            self._take_apart(case)
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

    def _entry(
        self, event: bytes, content: bytes, fields: Mapping[str, Any], envelope: bytes, said: int,
        known_at: int, via: int,
    ) -> Entry:  # fmt: skip
        name = fields["record"]
        record = self.records.get(name)
        if record is None:
            record = self.records[name] = Record(name)
        place, concern = fields["place"], fields["concern"]
        spot = None
        if place and concern:
            spot = self._spots.get((place, concern))
            if spot is None:
                spot = self._spots[place, concern] = Spot(self._window_of(concern))
        refs = fields["refs"]
        return Entry(
            event, content, record, fields["occurred_at"], _STEP[fields["step"]], spot,
            tuple(refs) if refs else (), envelope, said, known_at, via,
        )  # fmt: skip

    def _count(self, entry: Entry) -> None:
        """Let an event count, and join its record with its neighbours (rules 1 to 3)."""
        record = entry.record
        if entry.step == WITHDRAWN:
            if record.case is None:
                self._alone[record] = None
            return
        record.entries.append(entry)
        if record.case is None:
            record.case = Case([record])
            for namer in self._namers.get(record.name, ()):
                self._join(record, namer)
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
            self._join(record, target)

    def _settle_in(self, entry: Entry, spot: Spot) -> None:
        """Consecutive neighbours suffice: who else is in the window is in theirs already."""
        rows = spot.rows
        if not rows:
            rows.append(entry)
            return
        at = bisect_left(rows, timeline.in_order(entry), key=timeline.in_order)
        rows.insert(at, entry)
        if at and entry.occurred - rows[at - 1].occurred <= spot.window:
            self._join(entry.record, rows[at - 1].record)
        if at + 1 < len(rows) and rows[at + 1].occurred - entry.occurred <= spot.window:
            self._join(entry.record, rows[at + 1].record)

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
        if (
            WITHDRAWN not in (head.step, winner.step)
            and head.occurred == winner.occurred
            and head.spot is winner.spot
            and head.refs == winner.refs
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
        if entry.spot is not None:
            entry.spot.rows.remove(entry)
        if case is not None:
            case.suspect = True
            self._touched[case] = None

    def _take_apart(self, case: Case) -> None:
        """Compute a case anew from its records: its components become cases of their own."""
        del self._touched[case]
        for record in case.members:
            record.case = Case([record]) if record.entries else None
            if record.case is None:
                self._alone[record] = None
            else:
                self._touched[record.case] = None
        last: dict[Spot, Entry] = {}
        entries = [entry for record in case.members for entry in record.entries]
        for entry in sorted(entries, key=timeline.in_order):
            for ref in entry.refs:
                target = self.records.get(ref)
                if target is not None:
                    self._join(entry.record, target)
            if entry.spot is not None:
                before = last.get(entry.spot)
                if before is not None and entry.occurred - before.occurred <= entry.spot.window:
                    self._join(before.record, entry.record)
                last[entry.spot] = entry


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
