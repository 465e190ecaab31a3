"""The stream's cases against the oracle: histories in any order, said twice, in any batches."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Found, join

from crosstown.cases import timeline
from crosstown.cases.cases import Change, City
from crosstown.event.envelope import STEPS, VIAS, Envelope, prefix_bytes, read_prefix, saying
from crosstown.event.identity import case_key, event_id
from crosstown.formats import TIMELINE, plain

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
    assert read_prefix(prefix)[1] == len(prefix)
    city.say(*saying(envelope, payload))


@dataclass(frozen=True)
class Forget:
    """A record is to be forgotten (`yes`), or isn't any more; `swept`: its bytes are gone too."""

    record: str
    yes: bool = True
    swept: bool = False


class Reader:
    """What a reader of `timelines` knows after any number of batches."""

    def __init__(self) -> None:
        self.latest: dict[tuple[str, str], Change] = {}
        self.cities: dict[str, City] = {}
        self.erased: set[str] = set()
        self.merges = self.splits = 0

    def batch(self, said: Sequence[Saying | Forget]) -> None:
        for one in said:
            if isinstance(one, Forget):
                self.forget(one)
            else:
                hear(self.city(one[0].jurisdiction), *one)
        for city in self.cities.values():
            told = list(city.changes())
            assert len({change.record for change in told}) == len(told)
            before = self.cases_of({change.record for change in told}, city.jurisdiction)
            for change in told:
                at = (change.jurisdiction, change.record)
                before_it = self.latest.get(at)
                if change.case is None and before_it is not None and not change.erased:
                    said_so = before_it.case is None and before_it.case_id == change.case_id
                    assert not said_so or change.case_id == "", "a pointer is told twice"
                if change.erased:
                    self.latest.pop(at, None)
                else:
                    self.latest[at] = change
            after = self.cases_of(before.keys(), city.jurisdiction)
            stayed = [r for r in before if before[r] and after.get(r)]
            pairs = list(combinations(stayed, 2))
            self.merges += any(before[a] != before[b] and after[a] == after[b] for a, b in pairs)
            self.splits += any(before[a] == before[b] and after[a] != after[b] for a, b in pairs)

    def cases_of(self, records: Iterable[str], jurisdiction: str) -> dict[str, str]:
        return {
            record: self.latest[jurisdiction, record].case_id
            for record in records
            if (jurisdiction, record) in self.latest
        }

    def city(self, jurisdiction: str) -> City:
        if jurisdiction not in self.cities:
            self.cities[jurisdiction] = City(jurisdiction, window_of, self.erased.__contains__)
        return self.cities[jurisdiction]

    def forget(self, one: Forget) -> None:
        if one.yes == (one.record in self.erased):
            return
        (self.erased.add if one.yes else self.erased.discard)(one.record)
        for city in self.cities.values():
            (city.erase if one.yes else city.restore)(one.record.__eq__)
            if one.swept:
                for event in list(city.events):
                    city.forget(event)

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
                (
                    x["rule"],
                    x["from"],
                    x["to"],
                    x["event_from"],
                    x["event_to"],
                    x["seconds"],
                    x["why"],
                )
                for x in case["links"]
            )
            result.people[change.case_id] = frozenset(
                (x["kind"], x["event_id"], x["record"], x["other"], x["why"])
                for x in case["people"]
            )
            result.digests[change.case_id] = case["digest"]
            result.shown.update(
                {(jurisdiction, e["event_id"]): (e["known_at"], e["via"]) for e in case["entries"]}
            )
        return result


History = Sequence[Sequence[Saying | Forget]]


def told(batches: History) -> Found:
    reader = Reader()
    for batch in batches:
        reader.batch(batch)
    return reader.found()


def by_the_rule(history: History) -> Found:
    """What the oracle says of a history."""
    erased: set[str] = set()
    said = []
    for one in (one for batch in history for one in batch):
        if not isinstance(one, Forget):
            said.append(one)
        elif one.yes:
            erased.add(one.record)
        else:
            erased.discard(one.record)
    return join(said, window_of, erased)


RECORDS = [f"{agency}/r/{n}" for agency in ("a", "b", "c") for n in (1, 2)]
MOMENTS = [0, 10, 50, 90, 100, 110, 150, 160, 200, 250, 310, 400]
sayings = st.builds(
    say,
    st.sampled_from(RECORDS),
    st.sampled_from(MOMENTS),
    kind=st.sampled_from(["seen", "done"]),
    step=st.sampled_from(["REPORTED", "NOTE", "NOTE", "CLOSED", "WITHDRAWN"]),
    place=st.sampled_from(["", "p:1", "p:1", "p:1", "p:2"]),
    concern=st.sampled_from(["heat", "heat", "heat", "noise", ""]),
    refs=st.just(()) | st.lists(st.sampled_from([*RECORDS, "z/r/9"]), max_size=2).map(tuple),
    known_at=st.integers(0, 6),
    via=st.sampled_from(VIAS),
    jurisdiction=st.sampled_from(["us-a", "us-a", "us-a", "us-b"]),
    payload=st.sampled_from([b"", b"x"]),
)


FEW = RECORDS[:4]
neighbours = st.builds(
    say, st.sampled_from(FEW), st.sampled_from([0, 50, 100, 150]), place=st.just("p:1"),
    refs=st.sampled_from([(), (), (), (FEW[0],)]), known_at=st.integers(0, 3),
)  # fmt: skip
loners = st.builds(say, st.sampled_from(FEW), st.sampled_from(MOMENTS))


def link(
    kind: str, records: tuple[str, ...], *, why: str = "so", agency: str = "c", known_at: int = 0,
    step: str = "OTHER", at: int = 0, jurisdiction: str = "us-a",
) -> Saying:  # fmt: skip
    number = "+".join(r.replace("/", ".") for r in sorted(records))
    envelope, payload = say(
        f"{agency}/link/{number}", at, kind=f"link.{kind}", step=step, concern="", refs=records,
        known_at=known_at, jurisdiction=jurisdiction,
    )  # fmt: skip
    return replace(envelope, headline=why), payload


def links(records: Sequence[str]) -> st.SearchStrategy[Saying]:
    """What people say of these records."""
    return st.builds(
        link,
        st.sampled_from(["asserted", "separated", "separated", "separated"]),
        st.permutations(records).map(lambda shuffled: tuple(shuffled[:2])),
        why=st.sampled_from(["so", "not so"]),
        agency=st.sampled_from(["a", "c"]),
        known_at=st.integers(0, 6),
        step=st.sampled_from(["OTHER", "OTHER", "OTHER", "WITHDRAWN"]),
        at=st.sampled_from(MOMENTS),
        jurisdiction=st.sampled_from(["us-a", "us-a", "us-a", "us-b"]),
    ) | st.builds(
        link,
        st.just("apart"),
        st.sampled_from(records).map(lambda record: (record,)),
        known_at=st.integers(0, 6),
        step=st.sampled_from(["OTHER", "OTHER", "WITHDRAWN"]),
    )


corrections: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"step": "WITHDRAWN"},
        {"place": ""},
        {"place": "p:2"},
        {"refs": ()},
        {"occurred_at": 0},
        *({"via": via} for via in VIAS),
    ]
)
forgets = st.builds(Forget, st.sampled_from(RECORDS), st.booleans())


@st.composite
def drawn(draw: st.DrawFn) -> list[list[Saying | Forget]]:
    kind, least, most = draw(st.sampled_from([
        (sayings, 2, 28), *[(sayings, 18, 28)] * 4, (neighbours, 4, 7), (loners, 4, 10),
    ]))  # fmt: skip
    said: list[Saying | Forget] = list(draw(st.lists(kind, min_size=least, max_size=most)))
    spoken = links(RECORDS if kind is sayings else FEW)
    said += draw(st.lists(spoken, min_size=0 if kind is sayings else 2, max_size=6))
    said += draw(st.lists(st.sampled_from(said), max_size=6))
    said = draw(st.permutations(said))
    versions = [one for one in said if not isinstance(one, Forget)]
    for envelope, payload in draw(st.lists(st.sampled_from(versions), max_size=5)):
        change: dict[str, Any] = {**draw(corrections)}
        if "via" not in change:  # the same at the same time by another way, or another saying
            change["known_at"] = draw(st.integers(4, 8))
        if envelope.type.startswith("link."):
            change = {"known_at": 9, "step": "WITHDRAWN"}
        said.append((replace(envelope, **change), payload))
    for one in draw(st.lists(forgets, max_size=3)) if draw(st.integers(0, 3)) == 0 else []:
        said.insert(draw(st.integers(0, len(said))), one)
    if draw(st.integers(0, 7)) == 0:
        said.append(Forget(draw(st.sampled_from(RECORDS)), swept=True))
    cuts = sorted(
        draw(st.sets(st.integers(1, len(said)), min_size=min(4, len(said) // 2), max_size=9))
    )
    return [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]


def thrown(seed: int) -> list[list[Saying | Forget]]:
    """A history by dice: what hypothesis draws leans to the small and plain, these don't."""
    dice = random.Random(seed)
    records = dice.sample(RECORDS, dice.choice([3, 4, 6, 6]))
    places = dice.choice([[""], ["p:1"], ["p:1", "p:2"], ["", "p:1", "p:2"]])
    refs = dice.choice([0, 0, 0.1, 0.3])
    cities = ["us-a", *(["us-b"] if dice.random() < 0.4 else [])]
    said: list[Saying | Forget] = []
    for _ in range(dice.randint(6, 40)):
        change = dice.random() < 0.3 and [one for one in said if isinstance(one, tuple)]
        if change:
            envelope, payload = dice.choice(change)
            later: dict[str, Any] = {"known_at": envelope.known_at + dice.randint(0, 2)}
            later |= dice.choice([{"step": "WITHDRAWN"}, {"step": "WITHDRAWN"}, {"step": "OTHER"},
                                  {"via": dice.choice(VIAS)}, {"occurred_at": dice.choice(MOMENTS) * SECOND},
                                  {"headline": dice.choice(["so", "not so"])}])  # fmt: skip
            said.append((replace(envelope, **later), payload))
        elif dice.random() < 0.3:
            kind = dice.choice(["asserted", "separated", "separated", "apart"])
            two = tuple(dice.sample(records, 1 if kind == "apart" else 2))
            said.append(link(kind, two, agency=dice.choice("ac"), known_at=dice.randint(0, 3),
                             at=dice.choice(MOMENTS), jurisdiction=dice.choice(cities)))  # fmt: skip
        else:
            named = tuple(r for r in records if dice.random() < refs)
            said.append(say(
                dice.choice(records), dice.choice(MOMENTS), kind=dice.choice(["seen", "done"]),
                place=dice.choice(places), refs=named, known_at=dice.randint(0, 3),
                jurisdiction=dice.choice(cities),
            ))  # fmt: skip
        if dice.random() < 0.02:
            said.append(Forget(dice.choice(records), yes=dice.random() < 0.7))
    if dice.random() < 0.3:
        dice.shuffle(said)
    cuts = sorted(dice.sample(range(1, len(said)), dice.randint(1, len(said) - 1)))
    return [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]


class Share:
    """How many histories there were, and how many of each kind: a thin strategy proves little."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def hold(self, history: History) -> None:
        reader = Reader()
        for batch in history:
            reader.batch(batch)
        found = by_the_rule(history)
        assert reader.found() == found
        self.of["all"] += 1
        self.of["merge"] += reader.merges > 0
        self.of["split"] += reader.splits > 0
        self.of["late"] += arrives_late(history)
        self.of["across"] += refers_across(history)

    def suffice(self, histories: int) -> None:
        assert self.of["all"] >= histories
        for kind, least in (("merge", 0.3), ("split", 0.2), ("late", 0.2), ("across", 0.2)):
            assert self.of[kind] >= least * self.of["all"], self.of


def arrives_late(history: History) -> bool:
    """Whether an event that happened earlier than another of its jurisdiction comes in a later batch."""
    latest: dict[str, int] = {}
    for batch in history:
        said = [one[0] for one in batch if not isinstance(one, Forget)]
        if any(e.occurred_at < latest.get(e.jurisdiction, -1) for e in said):
            return True
        for e in said:
            latest[e.jurisdiction] = max(latest.get(e.jurisdiction, -1), e.occurred_at)
    return False


def refers_across(history: History) -> bool:
    """Whether an event names a record that has events in another jurisdiction."""
    said = [one[0] for batch in history for one in batch if not isinstance(one, Forget)]
    homes = {(e.record, e.jurisdiction) for e in said}
    return any(
        record in e.refs and place != e.jurisdiction for e in said for record, place in homes
    )


def held(histories_: int) -> None:
    share = Share()

    @given(drawn())
    @settings(max_examples=histories_, deadline=None, database=None, derandomize=histories_ < 1_000)
    def holds(history: History) -> None:
        share.hold(history)

    holds()
    for seed in range(histories_):
        share.hold(thrown(seed))
    share.suffice(2 * histories_)


def test_cases_differ_from_the_rule() -> None:
    held(500)


@pytest.mark.long
def test_cases_differ_from_the_rule_in_a_long_run() -> None:
    held(5_000)


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


def test_a_merge_or_a_split_is_not_counted_or_one_that_nobody_was_told_of_is() -> None:
    city = City("us-a", window_of)

    def told(*said: Saying) -> tuple[int, int]:
        for envelope, payload in said:
            hear(city, envelope, payload)
        for _ in city.changes():
            pass
        found, city.merged, city.split = (city.merged, city.split), 0, 0
        return found

    one, two, three = RECORDS[:3]
    assert told(say(one, 10), say(one, 20, kind="again")) == (0, 0)
    assert told(say(two, 30), say(three, 40)) == (0, 0)
    assert told(say(two, 50, kind="names", refs=(one, three))) == (2, 0)
    assert told(say(two, 50, kind="names", refs=(one, three), step="WITHDRAWN", known_at=9)) == (
        0,
        2,
    )
    assert told(say(RECORDS[3], 5, kind="joins", refs=(one,))) == (0, 0)  # it was in no case yet
    assert told(say(RECORDS[3], 5, kind="joins", refs=(two,), known_at=9)) == (1, 1)


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
    city = City("us-a", window_of)
    for envelope, payload in said[:40]:
        hear(city, envelope, payload)
    city.settle()
    restored.cities["us-a"] = city
    for reader in (whole, restored):
        reader.batch(said[40:])
    assert restored.found() == whole.found() == join(said, window_of)
