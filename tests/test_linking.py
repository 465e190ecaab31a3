"""The stream's cases against the oracle: histories in any order, said twice, in any batches."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Found, join

from crosstown import timeline
from crosstown.cases import Change, City
from crosstown.envelope import (
    STEPS,
    VIAS,
    Envelope,
    content_hash,
    prefix_bytes,
    read_prefix,
    suffix_bytes,
)
from crosstown.formats import TIMELINE, plain
from crosstown.identity import case_key, event_id

SECOND = 1_000_000
WINDOW = 100 * SECOND
Saying = tuple[Envelope, bytes]


def window_of(concern: str) -> int:
    return 10 * SECOND if concern == "noise" else WINDOW


def say(
    record: str, at: int, *, kind: str = "seen", step: str = "NOTE", place: str = "",
    concern: str = "heat", refs: tuple[str, ...] = (), known_at: int = 0, via: str = "batch",
    jurisdiction: str = "us-a", payload: bytes = b"",
) -> Saying:  # fmt: skip
    return Envelope(
        event_id=event_id(record, kind), agency=record.partition("/")[0], record=record, type=kind,
        step=step, occurred_at=at * SECOND, jurisdiction=jurisdiction, place=place, concern=concern,
        refs=refs, known_at=known_at, via=via,
    ), b"\0\0\0\0\1" + payload  # fmt: skip


def hear(city: City, envelope: Envelope, payload: bytes) -> None:
    prefix = prefix_bytes(envelope)
    fields, end = read_prefix(prefix)
    assert end == len(prefix)
    via = VIAS.index(envelope.via)
    shown = prefix + suffix_bytes(envelope.known_at, envelope.via)
    content = content_hash(prefix, payload)
    city.say(content, fields, shown, end, envelope.known_at, via)


class Reader:
    """What a reader of `timelines` knows after any number of batches."""

    def __init__(self) -> None:
        self.latest: dict[tuple[str, str], Change] = {}
        self.cities: dict[str, City] = {}

    def batch(self, sayings: Sequence[Saying]) -> None:
        for envelope, payload in sayings:
            city = self.cities.setdefault(
                envelope.jurisdiction, City(envelope.jurisdiction, window_of)
            )
            hear(city, envelope, payload)
        for city in self.cities.values():
            told = list(city.changes())
            assert len({change.record for change in told}) == len(told)
            for change in told:
                self.latest[change.jurisdiction, change.record] = change

    def found(self) -> Found:
        result = Found({}, {}, {}, {}, {})
        for (jurisdiction, record), change in self.latest.items():
            assert change.key == case_key(jurisdiction, record)
            result.case_of[jurisdiction, record] = change.case_id
            if change.case is None:
                continue
            assert change.case_id == change.key
            message = fastavro.schemaless_reader(
                io.BytesIO(
                    timeline.message_bytes(jurisdiction, record, change.case_id, 0, change.case)
                ),
                fastavro.parse_schema(plain(TIMELINE)),
                None,
            )
            case = message["case"]
            assert case["flags"] == []
            order = [(e["occurred_at"], e["event_id"]) for e in case["entries"]]
            assert order == sorted(order)
            result.records[change.case_id] = frozenset(e["record"] for e in case["entries"])
            result.links[change.case_id] = frozenset(
                (x["rule"], x["from"], x["to"], x["event_from"], x["event_to"], x["seconds"])
                for x in case["links"]
            )
            result.digests[change.case_id] = case["digest"]
            result.shown.update(
                {(jurisdiction, e["event_id"]): (e["known_at"], e["via"]) for e in case["entries"]}
            )
        return result


def told(batches: Sequence[Sequence[Saying]]) -> Found:
    reader = Reader()
    for batch in batches:
        reader.batch(batch)
    return reader.found()


RECORDS = [f"{agency}/r/{n}" for agency in ("a", "b", "c") for n in (1, 2, 3)]
sayings = st.builds(
    say,
    st.sampled_from(RECORDS),
    st.integers(0, 400),
    kind=st.sampled_from(["seen", "done"]),
    step=st.sampled_from(["REPORTED", "NOTE", "CLOSED", "WITHDRAWN"]),
    place=st.sampled_from(["", "p:1", "p:2"]),
    concern=st.sampled_from(["heat", "noise", ""]),
    refs=st.lists(st.sampled_from([*RECORDS, "z/r/9"]), max_size=2).map(tuple),
    known_at=st.integers(0, 6),
    via=st.sampled_from(VIAS),
    jurisdiction=st.sampled_from(["us-a", "us-a", "us-a", "us-b"]),
    payload=st.sampled_from([b"", b"x"]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Saying]]:
    said = draw(st.lists(sayings, min_size=2, max_size=24))
    said += draw(st.lists(st.sampled_from(said), max_size=6))
    said = draw(st.permutations(said))
    cuts = sorted(draw(st.sets(st.integers(1, len(said)), max_size=6)))
    return [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]


@given(histories())
@settings(max_examples=500, deadline=None)
def test_cases_differ_from_the_rule(history: list[list[Saying]]) -> None:
    assert told(history) == join([one for batch in history for one in batch], window_of)


@pytest.mark.long
@given(histories())
@settings(max_examples=5_000, deadline=None)
def test_cases_differ_from_the_rule_in_a_long_run(history: list[list[Saying]]) -> None:
    assert told(history) == join([one for batch in history for one in batch], window_of)


@pytest.mark.parametrize(("gap", "cases"), [(100, 1), (101, 2)])
def test_the_window_is_not_inclusive(gap: int, cases: int) -> None:
    found = told([[say("a/r/1", 0, place="p:1"), say("b/r/1", gap, place="p:1")]])
    assert len(found.records) == cases


def test_a_reference_seen_before_its_record_is_lost() -> None:
    found = told([[say("a/r/1", 0, refs=("b/r/1",))], [say("b/r/1", 900)]])
    assert set(found.records.values()) == {frozenset({"a/r/1", "b/r/1"})}
    assert found.case_of["us-a", "b/r/1"] == case_key("us-a", "a/r/1")


def test_a_reference_joins_records_of_two_jurisdictions() -> None:
    found = told([[say("a/r/1", 0, refs=("b/r/1",)), say("b/r/1", 0, jurisdiction="us-b")]])
    assert len(found.records) == 2


def test_ten_five_ten_does_not_end_at_ten() -> None:
    ten, five = say("a/r/1", 10, known_at=1), say("a/r/1", 5, known_at=2)
    again = say("a/r/1", 10, known_at=3)
    found = told([[ten], [five], [again]])
    assert found == told([[again, five, ten]]) == join([ten, five, again], window_of)
    assert found.shown["us-a", ten[0].event_id] == (1, "batch")


def test_a_withdrawn_event_still_joins() -> None:
    one, two = say("a/r/1", 0, place="p:1"), say("c/r/1", 160, place="p:1")
    bridge = say("b/r/1", 80, place="p:1", known_at=1)
    gone = say("b/r/1", 80, place="p:1", known_at=2, step="WITHDRAWN")
    reader = Reader()
    reader.batch([one, two, bridge])
    assert len(reader.found().records) == 1
    reader.batch([gone])
    assert len(reader.found().records) == 2
    assert reader.found().case_of["us-a", "b/r/1"] == ""


def test_a_long_chain_is_cut() -> None:
    chain = [say(f"a/r/{n}", n * 100, place="p:1") for n in range(150)]
    random.Random(1).shuffle(chain)
    assert len(told([chain[:70], chain[70:]]).records) == 1


def test_a_runaway_case_is_cut_instead_of_flagged() -> None:
    many = [say(f"a/r/{n}", n, place="p:1") for n in range(450)]
    reader = Reader()
    reader.batch(many)
    (body,) = [change.case for change in reader.latest.values() if change.case]
    message = fastavro.schemaless_reader(
        io.BytesIO(timeline.message_bytes("us-a", "a/r/0", "x", 7, body)),
        fastavro.parse_schema(plain(TIMELINE)),
        None,
    )
    case = message["case"]
    assert case["flags"] == ["runaway"]
    assert (case["record_count"], case["entry_count"], case["link_count"]) == (450, 450, 449)
    assert len(case["entries"]) == len(case["links"]) == 200
    assert case["entries"][-1]["record"] == "a/r/449"


def test_a_state_restored_from_the_log_tells_something_else() -> None:
    rng = random.Random(5)
    said = [
        say(rng.choice(RECORDS), rng.randrange(400), place=rng.choice(["", "p:1", "p:2"]),
            step=rng.choice(STEPS), refs=tuple(rng.sample(RECORDS, rng.randrange(2))),
            known_at=rng.randrange(5))
        for _ in range(60)
    ]  # fmt: skip
    whole = Reader()
    whole.batch(said[:40])
    restored = Reader()
    restored.latest = dict(whole.latest)
    silent = Reader()
    silent.batch([])
    for envelope, payload in said[:40]:
        silent.batch([(envelope, payload)])
    city = City("us-a", window_of)
    for envelope, payload in said[:40]:
        hear(city, envelope, payload)
    city.settle()
    restored.cities["us-a"] = city
    for reader in (whole, restored):
        reader.batch(said[40:])
    assert restored.found() == whole.found() == join(said, window_of)
