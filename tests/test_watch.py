"""The watcher's rules, without Kafka: what is watched, what is due, what was told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosstown.cases.watch import (
    DAY,
    HandOff,
    Survey,
    Timeline,
    Told,
    Watched,
    advance,
    key_of,
    read_row,
    read_timeline,
    row_bytes,
    survey,
    unsure,
)
from crosstown.errors import Refused
from crosstown.event.envelope import Envelope
from crosstown.event.identity import case_key, event_id
from crosstown.formats import TIMELINE, plain

CITY = "us-xx-riverton"
START = 1_000 * DAY
REQUEST = "riverton-311/request/7"
VISIT = "xx-county-health/visit/9"


def event(
    record: str, step: str, day: float, *, due: float | None = None, to: str = ""
) -> Envelope:
    """An event `day` days after the watcher's first start."""
    at = START + int(day * DAY)
    return Envelope(
        event_id=event_id(record, step, (at, to)), agency=record.partition("/")[0], record=record,
        type="it.happened", step=step, occurred_at=at, jurisdiction=CITY, to_agency=to,
        due_at=None if due is None else START + int(due * DAY), known_at=at, via="event",
    )  # fmt: skip


def case(*entries: Envelope, complete: bool = True) -> Timeline:
    """The timeline of a case headed by its first entry's record."""
    head = entries[0].record
    ordered = tuple(sorted(entries, key=lambda e: (e.occurred_at, e.event_id)))
    return Timeline(CITY, head, case_key(CITY, head), ordered, complete)


def elsewhere(record: str, head: str = "") -> Timeline:
    """The message that a record is in the case headed by another, or gone."""
    return Timeline(CITY, record, case_key(CITY, head) if head else "")


class Desk:
    """Rows as the program keeps them, and a survey of them at a time."""

    def __init__(self, *timelines: Timeline) -> None:
        self.rows: dict[str, Watched] = {}
        self.told: list[tuple[str, str]] = []
        self.hear(*timelines)

    def hear(self, *timelines: Timeline) -> None:
        for timeline in timelines:
            for key, row in advance(self.rows, timeline).items():
                if row is None:
                    del self.rows[key]
                else:
                    self.rows[key] = read_row(row_bytes(row))

    def look(self, day: float, started: float = 0) -> Survey:
        now = START + int(day * DAY)
        found = survey(self.rows.values(), now, START + int(started * DAY), 3 * DAY)
        for alert in found.alerts:
            key = key_of(alert.jurisdiction, alert.record)
            self.rows[key] = self.rows[key].tell(Told(alert.rule, alert.seen_at, sure=True))
            self.told.append((alert.rule, alert.record))
        return found


def said(found: Survey) -> list[tuple[str, str, str]]:
    return [(alert.rule, alert.record, alert.agency) for alert in found.alerts]


def test_a_deadline_passes_and_nobody_is_reminded() -> None:
    desk = Desk(case(event(REQUEST, "REPORTED", 1, due=5)))
    assert said(desk.look(5)) == []
    (alert,) = desk.look(5.001).alerts
    assert (alert.rule, alert.record, alert.agency) == ("deadline", REQUEST, "riverton-311")
    assert alert.since == START + 5 * DAY
    assert alert.case_id == case_key(CITY, REQUEST)
    assert alert.message == f"{REQUEST} was due on 1972-10-02 00:00 UTC and is still open."


def test_somebody_is_reminded_twice() -> None:
    desk = Desk(case(event(REQUEST, "REPORTED", 1, due=5)))
    desk.look(6)
    assert said(desk.look(7)) == []
    desk.hear(case(event(REQUEST, "REPORTED", 1, due=5), event(REQUEST, "ASSIGNED", 6, due=7)))
    assert said(desk.look(8)) == []


@pytest.mark.parametrize(
    ("entries", "reminded"),
    [
        ([("REPORTED", 1, 5), ("CLOSED", 2, None)], False),
        ([("REPORTED", 1, 5), ("RESOLVED", 2, None)], False),
        ([("REPORTED", 1, 5), ("CLOSED", 2, None), ("REOPENED", 3, None)], True),
        ([("REPORTED", 1, 5), ("CLOSED", 2, None), ("NOTE", 3, None)], False),
        ([("REPORTED", 1, 5), ("NOTE", 3, None)], True),
        ([("REPORTED", 1, 5), ("WAITING", 2, 20)], False),
        ([("REPORTED", 1, 20), ("ASSIGNED", 2, 5)], True),
        ([("REPORTED", 1, None)], False),
        ([("CLOSED", 1, 5), ("REPORTED", 1, 5)], False),
    ],
)
def test_the_wrong_records_are_called_overdue(
    entries: list[tuple[str, float, float | None]], reminded: bool
) -> None:
    desk = Desk(case(*(event(REQUEST, step, day, due=due) for step, day, due in entries)))
    assert said(desk.look(10)) == ([("deadline", REQUEST, "riverton-311")] if reminded else [])


def test_a_withdrawn_deadline_or_record_is_still_watched() -> None:
    open_case = case(event(REQUEST, "REPORTED", 1, due=5))
    assert not Desk(open_case, elsewhere(REQUEST)).rows
    assert not Desk(open_case, case(event(REQUEST, "REPORTED", 1))).rows


HANDED = event(REQUEST, "HANDED_OFF", 1, to="xx-county-health")


@pytest.mark.parametrize(
    ("others", "reminded"),
    [
        ([], True),
        ([event(VISIT, "REPORTED", 2)], False),
        ([event(VISIT, "REPORTED", 1)], False),
        ([event(VISIT, "NOTE", 3.9)], False),
        ([event(VISIT, "REPORTED", 0.9)], True),
        ([event("riverton-water/order/1", "REPORTED", 2)], True),
        ([event(REQUEST, "CLOSED", 2)], True),
    ],
)
def test_a_hand_off_is_called_dropped_when_it_was_not(
    others: list[Envelope], reminded: bool
) -> None:
    desk = Desk(case(HANDED, *others))
    assert said(desk.look(4)) == []
    expected = [("pickup", REQUEST, "xx-county-health")] if reminded else []
    assert said(desk.look(4.001)) == expected


def test_picking_it_up_late_brings_a_reminder_nobody_needs() -> None:
    assert said(Desk(case(HANDED, event(VISIT, "REPORTED", 8))).look(10)) == []


def test_what_was_late_before_the_first_start_floods_everybody() -> None:
    desk = Desk(case(event(REQUEST, "REPORTED", -9, due=-5)),
                case(event(VISIT, "REPORTED", 1, due=2)))  # fmt: skip
    found = desk.look(3)
    assert said(found) == [("deadline", VISIT, "xx-county-health")]
    assert found.counted == {"deadline": 1}
    assert found.late == {("deadline", "riverton-311"): 1, ("deadline", "xx-county-health"): 1}
    desk.hear(case(event("riverton-311/request/8", "REPORTED", -20, due=-10)))  # arrives late
    assert said(desk.look(4)) == []
    assert desk.look(4).counted == {"deadline": 2}


def test_a_promise_made_anew_after_the_first_start_is_forgotten() -> None:
    desk = Desk(case(event(REQUEST, "REPORTED", -9, due=-5)))
    assert said(desk.look(1)) == []
    desk.hear(case(event(REQUEST, "REPORTED", -9, due=-5), event(REQUEST, "WAITING", 1, due=2)))
    assert said(desk.look(3)) == [("deadline", REQUEST, "riverton-311")]


def test_a_record_that_moves_between_cases_is_reminded_of_twice_or_never() -> None:
    late, visit = event(REQUEST, "REPORTED", 1, due=5), event(VISIT, "REPORTED", 0, due=5)
    for moves in (
        (case(visit, late), elsewhere(REQUEST, VISIT)),
        (elsewhere(REQUEST, VISIT), case(visit, late)),
    ):
        desk = Desk(case(late), case(visit))
        desk.hear(*moves)
        assert sorted(said(desk.look(6))) == [("deadline", REQUEST, "riverton-311"),
                                              ("deadline", VISIT, "xx-county-health")]  # fmt: skip
        assert {row.case_id for row in desk.rows.values()} == {case_key(CITY, VISIT)}
        desk.hear(case(visit), case(late))
        assert said(desk.look(7)) == []
        assert desk.rows[key_of(CITY, REQUEST)].case_id == case_key(CITY, REQUEST)


def test_a_record_that_goes_and_comes_back_is_reminded_of_again() -> None:
    open_case = case(event(REQUEST, "REPORTED", 1, due=5))
    desk = Desk(open_case)
    desk.look(6)
    desk.hear(elsewhere(REQUEST))
    assert desk.look(7).late == {}
    desk.hear(open_case)
    assert said(desk.look(8)) == []


def test_what_fell_off_a_runaway_is_forgotten() -> None:
    other = [event(VISIT, "NOTE", 2 + i / 1000) for i in range(3)]
    desk = Desk(case(HANDED, event(REQUEST, "IN_PROGRESS", 1, due=9)))
    desk.hear(case(*other, event(REQUEST, "NOTE", 3), complete=False))
    assert desk.rows[key_of(CITY, REQUEST)].handed == ()  # the visit's events are newer: picked up
    assert desk.rows[key_of(CITY, REQUEST)].due_at == START + 9 * DAY
    desk.hear(case(*other, complete=False))
    assert said(desk.look(10)) == [("deadline", REQUEST, "riverton-311")]
    desk.hear(case(*other, event(REQUEST, "CLOSED", 11), complete=False))
    assert desk.look(12).late == {}


def test_an_alert_about_to_be_told_is_lost_or_told_again_after_a_crash() -> None:
    row = Watched(CITY, REQUEST, "case", due_at=START + DAY)
    about = row.tell(Told("deadline", START + 2 * DAY, sure=False))
    assert unsure([about, row]) == [(about, about.told[0])]
    assert said(survey_of(about)) == []  # until the log of alerts says whether it is there
    assert said(survey_of(about.untell("deadline"))) == [("deadline", REQUEST, "riverton-311")]


def survey_of(row: Watched) -> Survey:
    return survey([row], START + 9 * DAY, START, 3 * DAY)


def test_a_burst_of_deadlines_blocks_the_program() -> None:
    rows = [Watched(CITY, f"a/b/{n}", "case", due_at=START + DAY) for n in range(30)]
    found = survey(rows, START + 9 * DAY, START, 3 * DAY, at_most=10)
    assert len(found.alerts) == 10
    assert found.late == {("deadline", "a"): 30}


def test_one_record_handed_to_two_brings_two_alerts_of_one_rule() -> None:
    desk = Desk(case(HANDED, event(REQUEST, "HANDED_OFF", 1, to="riverton-water")))
    assert len(desk.look(9).alerts) == 1
    assert said(desk.look(10)) == []
    assert sum(desk.look(10).late.values()) == 2


def test_a_row_comes_back_other_than_it_was_kept() -> None:
    row = Watched(CITY, 'ä/b/"7"', "c", 5, (HandOff("x", -1),), (Told("pickup", 3, sure=False),))
    assert read_row(row_bytes(row)) == row
    assert read_row(row_bytes(replace(row, due_at=None))).due_at is None


_SCHEMA = fastavro.parse_schema(plain(TIMELINE))


def message(timeline: Timeline, entry_count: int | None = None) -> bytes:
    """A message's body as the case program writes it."""
    entries: list[dict[str, Any]] | None = None
    if timeline.entries is not None:
        names = [field["name"] for field in TIMELINE["fields"][4]["type"][1]["fields"][10]["type"]["items"]["fields"]]  # fmt: skip
        entries = [{n: getattr(e, n) for n in names} for e in timeline.entries]
    fields = {
        "jurisdiction": timeline.jurisdiction, "record": timeline.record,
        "case_id": timeline.case_id, "version": 1,
        "case": entries and {
            "digest": "", "status": "open", "first": 0, "last": 0, "agencies": [], "record_count": 1,
            "entry_count": entry_count or len(entries), "link_count": 0, "vias": {}, "flags": [],
            "entries": entries, "links": [],
        },
    }  # fmt: skip
    stream = BytesIO()
    fastavro.schemaless_writer(stream, _SCHEMA, fields)
    return stream.getvalue()


def test_a_timeline_is_read_wrong() -> None:
    for timeline in (case(HANDED, event(VISIT, "CLOSED", 3, due=9)), elsewhere(REQUEST, VISIT),
                     elsewhere(REQUEST)):  # fmt: skip
        assert read_timeline(message(timeline)) == timeline
    assert not read_timeline(message(case(HANDED), entry_count=300)).complete


@given(st.binary(max_size=200), st.integers(0, 300))
@settings(max_examples=200, deadline=None)
def test_foreign_bytes_end_the_program(noise: bytes, cut: int) -> None:
    good = message(case(HANDED, event(VISIT, "CLOSED", 3, due=9)))
    for data in (noise, good[:cut] + noise, good + b"x" + noise):
        with suppress(Refused):
            read_timeline(data)


_RECORDS = [f"agency-{n}/r/{n}" for n in range(4)]
_EVENTS = st.builds(
    event, st.sampled_from(_RECORDS), st.sampled_from(["REPORTED", "HANDED_OFF", "CLOSED", "NOTE"]),
    st.integers(-5, 9), due=st.none() | st.integers(-5, 12),
    to=st.sampled_from(["", "agency-0", "agency-1"]),
)  # fmt: skip
_STATES = st.lists(
    st.tuples(st.lists(_EVENTS, max_size=8), st.lists(st.integers(0, 3), min_size=4, max_size=4)),
    min_size=1, max_size=5,
)  # fmt: skip


def told_by(events: Sequence[Envelope], grouping: list[int]) -> list[Timeline]:
    """What `timelines` says of a city whose records are grouped into cases like that."""
    groups: dict[int, list[Envelope]] = {}
    for one in events:
        groups.setdefault(grouping[_RECORDS.index(one.record)], []).append(one)
    cases = [case(*sorted(group, key=lambda e: e.occurred_at)) for group in groups.values()]
    heads = {grouping[_RECORDS.index(one.record)]: one.record for one in cases}
    present = {one.record for one in events}
    others = [
        elsewhere(record, heads[grouping[n]] if record in present else "")
        for n, record in enumerate(_RECORDS)
        if record not in heads.values()
    ]
    return [*others, *cases]


@given(_STATES, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_some_history_brings_two_alerts_or_none(
    states: list[tuple[list[Envelope], list[int]]], random: Any
) -> None:
    desk = Desk()
    for day, (events, grouping) in enumerate(states):
        heard = told_by(events, grouping)
        random.shuffle(heard)
        desk.hear(*heard)
        before = dict(desk.rows)
        desk.hear(*heard)  # delivered again
        assert desk.rows == before
        desk.look(day * 3)
    last = 20
    found = desk.look(last)
    assert len(desk.told) == len(set(desk.told))
    events, grouping = states[-1]
    fresh = Desk(*told_by(events, grouping))
    again = fresh.look(last)
    assert found.late == again.late  # the past leaves no trace in what is late now
    assert {(a.rule, a.record) for a in again.alerts} <= set(desk.told)
