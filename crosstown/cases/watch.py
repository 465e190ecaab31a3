"""What the watcher looks for: a deadline that passed, a hand-off that nobody picked up.

Pure: `advance` says what a timeline changes in what is watched, `survey` what is due at a moment.
State is a row a record, not a case: records move between cases, and what was said about a record
must be remembered wherever it goes. Source of the rules: docs/decisions/0009.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any, Final, NamedTuple, Protocol, cast

import fastavro

from crosstown.cases.timeline import is_open
from crosstown.errors import Refused
from crosstown.event.envelope import STEPS, Envelope
from crosstown.event.identity import case_key
from crosstown.formats import TIMELINE, plain

DEADLINE: Final = "deadline"
PICKUP: Final = "pickup"
RULES: Final = (DEADLINE, PICKUP)
DAY: Final = 86_400_000_000

_SAY_NOTHING: Final = ("NOTE", "OTHER")
_INDEX: Final = {step: index for index, step in enumerate(STEPS)}
_SCHEMA: Final = fastavro.parse_schema(plain(TIMELINE))
_ROW_FORM: Final = 1


@dataclass(frozen=True, slots=True)
class Timeline:
    """One message on `timelines`; `entries` None: this record doesn't head a case.

    `complete` is false where the case is a runaway, of which only the newest entries are here.
    """

    jurisdiction: str
    record: str
    case_id: str
    entries: tuple[Envelope, ...] | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class HandOff:
    """A record was handed to an agency, of which the case has no event since (microseconds UTC)."""

    to_agency: str
    at: int


@dataclass(frozen=True, slots=True)
class Told:
    """The one alert of a rule; not `sure`: it was about to be written when we last heard of it."""

    rule: str
    at: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched of one record, and what was said about it; `due_at` None: nothing is due."""

    jurisdiction: str
    record: str
    case_id: str
    due_at: int | None = None
    handed: tuple[HandOff, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the row may be forgotten: nothing to watch, and nothing was ever said."""
        return self.due_at is None and not self.handed and not self.told

    def tell(self, told: Told) -> Watched:
        """The row with what was said by that rule."""
        return replace(self, told=(*self.untell(told.rule).told, told))

    def untell(self, rule: str) -> Watched:
        """The row as if nothing had been said by that rule."""
        return replace(self, told=tuple(one for one in self.told if one.rule != rule))


@dataclass(frozen=True, slots=True)
class Alert:
    """Something in a case that somebody should look at (formats/alert.avsc)."""

    rule: str
    jurisdiction: str
    record: str
    case_id: str
    agency: str
    since: int
    seen_at: int
    message: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What is due now: alerts to send, and how many records are late by rule and agency.

    `counted` is how many were late before the watcher first started, which is counted, not sent.
    """

    alerts: tuple[Alert, ...] = ()
    late: Mapping[tuple[str, str], int] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)


def key_of(jurisdiction: str, record: str) -> str:
    """The name of a record's row: its key in `timelines`."""
    return case_key(jurisdiction, record)


class _Step(NamedTuple):
    """An entry as `is_open` looks at it."""

    occurred: int
    step: int


class Known(Protocol):
    """The rows so far, by `key_of` their records; a dict will do."""

    def get(self, key: str, /) -> Watched | None:
        """The row, if there is one."""


def advance(known: Known, timeline: Timeline) -> dict[str, Watched | None]:
    """The rows that a timeline changes; None: the row may go. Said twice, it changes nothing more.

    A message that a record is in another case changes nothing: that case's timeline speaks for it.
    """
    if timeline.entries is None:
        return {} if timeline.case_id else _gone(known, timeline)
    by_record: dict[str, list[Envelope]] = {}
    for entry in timeline.entries:
        by_record.setdefault(entry.record, []).append(entry)
    changed: dict[str, Watched | None] = {}
    for record, entries in by_record.items():
        key = key_of(timeline.jurisdiction, record)
        old = known.get(key)
        row = _watch(timeline, record, entries, old)
        if row != old and not (old is None and row.empty):
            changed[key] = None if row.empty else row
    return changed


def _gone(known: Known, timeline: Timeline) -> dict[str, Watched | None]:
    """No event of the record counts any more: nothing to watch, but what was said stays said."""
    key = key_of(timeline.jurisdiction, timeline.record)
    old = known.get(key)
    if old is None:
        return {}
    row = replace(old, case_id="", due_at=None, handed=())
    return {} if row == old else {key: None if row.empty else row}


def _watch(
    timeline: Timeline, record: str, entries: Sequence[Envelope], old: Watched | None
) -> Watched:
    """A record's row from its entries in order; what fell off a runaway stays as it was known."""
    before = old if old is not None and not timeline.complete else None
    due_at = next((e.due_at for e in reversed(entries) if e.due_at is not None), None)
    if due_at is None and before is not None:
        due_at = before.due_at
    still_open = is_open(cast("Any", [_Step(e.occurred_at, _INDEX[e.step]) for e in entries]))
    if before is not None and all(e.step in _SAY_NOTHING for e in entries):
        still_open = before.due_at is not None
    return Watched(
        timeline.jurisdiction, record, timeline.case_id,
        due_at=due_at if still_open else None,
        handed=tuple(_unclaimed(timeline, entries, before)),
        told=old.told if old is not None else (),
    )  # fmt: skip


def _unclaimed(
    timeline: Timeline, entries: Sequence[Envelope], before: Watched | None
) -> Iterator[HandOff]:
    """The hand-offs since which the case has no event of the agency that it was handed to."""
    case = timeline.entries or ()
    latest = {entry.agency: entry.occurred_at for entry in case}
    handed = [
        HandOff(e.to_agency, e.occurred_at)
        for e in entries
        if e.step == "HANDED_OFF" and e.to_agency
    ]
    if before is not None:
        handed = [one for one in before.handed if one.at < case[0].occurred_at] + handed
    for one in handed:
        if latest.get(one.to_agency, one.at - 1) < one.at:
            yield one


def survey(
    rows: Iterable[Watched], now: int, started: int, pickup_within: int, at_most: int = 500
) -> Survey:
    """What is due at `now`; times and `pickup_within` are microseconds, `started` the first start.

    At most one alert a record and rule, and none that was told or became due before `started`.
    """
    alerts: list[Alert] = []
    late: Counter[tuple[str, str]] = Counter()
    counted: Counter[str] = Counter()
    for row in rows:
        told = {one.rule for one in row.told}
        seen: set[tuple[str, str]] = set()
        for rule, agency, since in _moments(row, pickup_within):
            if since >= now:
                continue
            if (rule, agency) not in seen:
                seen.add((rule, agency))
                late[rule, agency] += 1
            if rule in told:
                continue
            if since <= started:
                counted[rule] += (rule, "") not in seen
                seen.add((rule, ""))
            elif len(alerts) < at_most:
                told.add(rule)
                alerts.append(_alert(row, rule, agency, since, now))
    return Survey(tuple(alerts), late, counted)


def unsure(rows: Iterable[Watched]) -> list[tuple[Watched, Told]]:
    """The alerts that were about to be written when their writer ended: each was, or wasn't."""
    return [(row, told) for row in rows for told in row.told if not told.sure]


def _moments(row: Watched, pickup_within: int) -> Iterator[tuple[str, str, int]]:
    """What can become due of a record: the rule, who is expected to act, and when."""
    if row.due_at is not None:
        yield DEADLINE, row.record.partition("/")[0], row.due_at
    for one in row.handed:
        yield PICKUP, one.to_agency, one.at + pickup_within


def _alert(row: Watched, rule: str, agency: str, since: int, now: int) -> Alert:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=since)
    when = f"{moment:%Y-%m-%d %H:%M} UTC"
    match rule:
        case "deadline":
            message = f"{row.record} was due on {when} and is still open."
        case _:
            message = f"{row.record} was handed to {agency}; nothing was heard from it by {when}."
    return Alert(rule, row.jurisdiction, row.record, row.case_id, agency, since, now, message)


def read_timeline(body: bytes) -> Timeline:
    """A message's Avro body; `Refused` (not-avro, trailing-bytes) where it is none."""
    stream = BytesIO(body)
    try:
        fields = cast("dict[str, Any]", fastavro.schemaless_reader(stream, _SCHEMA, None))
        case = fields["case"]
        entries = None if case is None else tuple(_entry(one) for one in case["entries"])
    except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
        raise Refused("not-avro", f"{type(error).__name__}: {error}"[:300]) from None
    if stream.tell() != len(body):
        raise Refused("trailing-bytes", f"{len(body) - stream.tell()} bytes follow the record")
    complete = entries is None or case["entry_count"] == len(entries)
    return Timeline(
        fields["jurisdiction"], fields["record"], fields["case_id"], entries or None, complete
    )


def _entry(fields: dict[str, Any]) -> Envelope:
    return Envelope(**{**fields, "refs": tuple(fields["refs"]), "flags": tuple(fields["flags"])})


def row_bytes(row: Watched) -> bytes:
    """A row as it is kept: a JSON array that begins with the form's number."""
    return json.dumps(
        [
            _ROW_FORM, row.jurisdiction, row.record, row.case_id, row.due_at,
            [[one.to_agency, one.at] for one in row.handed],
            [[one.rule, one.at, one.sure] for one in row.told],
        ],
        ensure_ascii=False, separators=(",", ":"),
    ).encode()  # fmt: skip


def read_row(data: bytes) -> Watched:
    """A row from bytes that `row_bytes` wrote."""
    _, jurisdiction, record, case_id, due_at, handed, told = json.loads(data)
    return Watched(
        jurisdiction, record, case_id, due_at,
        tuple(HandOff(*one) for one in handed), tuple(Told(*one) for one in told),
    )  # fmt: skip
