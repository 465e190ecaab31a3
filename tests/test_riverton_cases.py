"""The sample city's timelines: the same in every order, across governments, with a story to show."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from oracle import join
from riverton_said import REPOSITORY, sayings

from crosstown.cases.cases import City
from crosstown.event.envelope import Envelope, content_hash, prefix_bytes, saying  # fmt: skip
from crosstown.event.identity import shard
from crosstown.sample import showcase, write

Saying = tuple[Envelope, bytes]
Heard = tuple[str, tuple[bytes, dict[str, Any], bytes, int, int, int]]
DAY = 86_400_000_000
RIVERTON = "us-xx-riverton"
CITY = {"riverton-311", "riverton-housing", "riverton-buildings", "riverton-police"}
OTHER_BODIES = {"riverton-water", "xx-county-health"}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> list[Saying]:
    return list(sayings(write(tmp_path_factory.mktemp("exports"))))


@pytest.fixture(scope="module")
def cases(city: list[Saying]) -> list[list[Envelope]]:
    return grouped(counting(city))


def counting(said: Iterable[Saying]) -> list[Envelope]:
    """The events that count: of each the content that was said last, unless it is withdrawn."""
    last: dict[str, tuple[int, bytes, Envelope]] = {}
    for e, payload in said:
        one = (e.known_at, content_hash(prefix_bytes(e), payload), e)
        if e.event_id not in last or one[:2] > last[e.event_id][:2]:
            last[e.event_id] = one
    return [e for _, _, e in last.values() if e.step != "WITHDRAWN"]


def grouped(events: list[Envelope]) -> list[list[Envelope]]:
    """Rules 1 to 3 by a small union-find."""
    parent = {(e.jurisdiction, e.record): (e.jurisdiction, e.record) for e in events}

    def root(record: tuple[str, str]) -> tuple[str, str]:
        while parent[record] != record:
            parent[record] = parent[parent[record]]
            record = parent[record]
        return record

    spots = defaultdict(list)
    for e in events:
        own = (e.jurisdiction, e.record)
        for ref in e.refs:
            if (e.jurisdiction, ref) in parent:
                parent[root(own)] = root((e.jurisdiction, ref))
        if e.place and e.concern:
            spots[e.jurisdiction, e.place, e.concern].append((e.occurred_at, own))
    for (_, _, concern), rows in spots.items():
        for (earlier, a), (later, b) in pairwise(sorted(rows)):
            if later - earlier <= REPOSITORY.window(concern):
                parent[root(a)] = root(b)
    found = defaultdict(list)
    for e in events:
        found[root((e.jurisdiction, e.record))].append(e)
    return list(found.values())


def agencies(case: Iterable[Envelope]) -> set[str]:
    return {e.agency for e in case}


def in_riverton(cases: list[list[Envelope]]) -> list[list[Envelope]]:
    return [case for case in cases if case[0].jurisdiction == RIVERTON]


def heard(said: Iterable[Saying]) -> list[Heard]:
    """What `City.say` is told of each."""
    return [(e.jurisdiction, saying(e, payload)) for e, payload in said]


def told(said: Sequence[Heard], batch: int) -> dict[tuple[str, str], tuple[str, bytes | None]]:
    """What a reader of `timelines` knows in the end."""
    cities: dict[str, City] = {}
    known: dict[tuple[str, str], tuple[str, bytes | None]] = {}
    for start in range(0, len(said), batch):
        for jurisdiction, one in said[start : start + batch]:
            if jurisdiction not in cities:
                cities[jurisdiction] = City(jurisdiction, REPOSITORY.window)
            cities[jurisdiction].say(*one)
        for city in cities.values():
            for change in city.changes():
                known[change.jurisdiction, change.record] = (change.case_id, change.case)
    return known


def test_the_order_of_arrival_changes_the_cases(city: list[Saying]) -> None:
    said = heard(city)
    first = told(said, len(said))
    rng = random.Random(20)
    for _ in range(20):
        order = said + rng.sample(said, 200)
        rng.shuffle(order)
        assert told(order, rng.choice((2_000, 5_000, 20_000))) == first


def test_the_cases_differ_from_the_rule(tmp_path_factory: pytest.TempPathFactory) -> None:
    small = list(sayings(write(tmp_path_factory.mktemp("small"), seed=3, events=1_200)))
    found = join(small, REPOSITORY.window)
    assert {key: case_id for key, (case_id, _) in told(heard(small), 100).items()} == found.case_of


def test_the_small_rule_of_these_tests_is_another(cases: list[list[Envelope]],
                                                  city: list[Saying]) -> None:  # fmt: skip
    heads = {case_id for case_id, body in told(heard(city), len(city)).values() if body}
    assert len(heads) == len(cases)


def test_riverton_is_too_small_or_too_large(city: list[Saying]) -> None:
    events = {e.event_id for e, _ in city if e.jurisdiction == RIVERTON}
    records = {e.record for e, _ in city if e.jurisdiction == RIVERTON}
    elsewhere = {e.event_id for e, _ in city} - events
    assert 8_000 <= len(events) <= 10_000
    assert 2_500 <= len(records) <= 3_500
    assert 0.07 <= len(elsewhere) / (len(events) + len(elsewhere)) <= 0.15


def test_all_towns_lie_on_one_shard(city: list[Saying]) -> None:
    towns = {e.jurisdiction for e, _ in city}
    assert len(towns) == 4
    assert len({shard(town, 5) for town in towns}) >= 3
    assert len({shard(town, 2) for town in towns}) == 2


def test_no_other_government_joins_the_city(cases: list[list[Envelope]]) -> None:
    across = [c for c in in_riverton(cases) if agencies(c) & CITY and agencies(c) & OTHER_BODIES]
    county = [c for c in across if "xx-county-health" in agencies(c)]
    assert len(across) >= 200
    assert len(county) >= 50


def test_few_stories_have_four_agencies(cases: list[list[Envelope]]) -> None:
    stories = [c for c in cases if len(agencies(c)) >= 4 and "xx-county-health" in agencies(c)]
    assert len(stories) >= 40
    assert {len(agencies(c)) for c in stories} >= {4, 5, 6}


def test_a_case_swallows_the_city(cases: list[list[Envelope]]) -> None:
    assert max(len({e.record for e in case}) for case in cases) <= 25
    assert sum(len(agencies(case)) == 1 for case in cases) > len(cases) / 2


def test_a_pothole_joins_a_heating_complaint() -> None:
    concern = {"HEAT": "housing-condition", "POTHL": "streets"}
    contract = REPOSITORY.contracts["riverton-311/requests"].file.crosstown.envelope.concern
    assert contract is not None
    assert contract.crosswalk is not None
    assert {code: contract.crosswalk[code] for code in concern} == concern


def test_every_number_that_is_named_is_known(city: list[Saying]) -> None:
    here = {(e.jurisdiction, e.record) for e, _ in city}
    anywhere = {record for _, record in here}
    pointers = {(e.jurisdiction, ref) for e, _ in city for ref in e.refs} - here
    elsewhere = {ref for _, ref in pointers if ref in anywhere}
    assert len(elsewhere) >= 10
    assert len({ref for _, ref in pointers} - elsewhere) >= 5


def test_numbers_are_only_named_after_their_record_was_seen(city: list[Saying]) -> None:
    seen: set[tuple[str, str]] = set()
    before = after = 0
    here = {(e.jurisdiction, e.record) for e, _ in city}
    for e, _ in sorted(city, key=lambda one: one[0].occurred_at):
        for ref in e.refs:
            after += (e.jurisdiction, ref) in seen
            before += (e.jurisdiction, ref) in here - seen
        seen.add((e.jurisdiction, e.record))
    assert before >= 30
    assert after >= 500


def test_every_hand_off_is_picked_up_or_none_is(cases: list[list[Envelope]]) -> None:
    picked, late, never = 0, 0, 0
    for case in cases:
        for e in case:
            if e.step == "HANDED_OFF":
                then = [x.occurred_at - e.occurred_at for x in case if x.agency == e.to_agency]
                never += not then
                picked += any(0 <= gap <= 3 * DAY for gap in then)
                late += bool(then) and not any(0 <= gap <= 3 * DAY for gap in then)
    assert picked >= 300
    assert late >= 20
    assert never >= 20


def test_no_deadline_passes(cases: list[list[Envelope]]) -> None:
    kept = overdue = 0
    for case in cases:
        for e in case:
            if e.due_at is not None:
                steps = [
                    x for x in case if x.record == e.record and x.step in {"CLOSED", "RESOLVED"}
                ]
                kept += any(x.occurred_at <= e.due_at for x in steps)
                overdue += not any(x.occurred_at <= e.due_at for x in steps)
    assert kept >= 250
    assert overdue >= 100


def test_nothing_is_said_twice_otherwise_or_taken_back(city: list[Saying]) -> None:
    versions = defaultdict(list)
    for e, payload in sorted(city, key=lambda one: one[0].known_at):
        versions[e.event_id].append((content_hash(prefix_bytes(e), payload), e))
    several = [v for v in versions.values() if len({content for content, _ in v}) > 1]
    flipped = [v for v in several if [c for c, _ in v].count(v[0][0]) > 1 and v[0][0] == v[-1][0]]
    withdrawn = [v for v in versions.values() if v[-1][1].step == "WITHDRAWN"]
    repeated = len(city) - sum(len({(c, e.known_at) for c, e in v}) for v in versions.values())
    assert len(several) >= 40
    assert len(flipped) >= 5
    assert len(withdrawn) >= 8
    assert repeated >= 200


def test_the_demo_shows_no_story(cases: list[list[Envelope]]) -> None:
    shown = showcase()
    (case,) = [case for case in cases if any(e.record == shown for e in case)]
    case.sort(key=lambda e: (e.occurred_at, e.event_id))
    assert case[0].record == shown
    assert len(case) == 16
    assert "xx-county-health" in agencies(case)
    assert len(agencies(case)) == 6
    assert {e.to_agency for e in case if e.step == "HANDED_OFF"} == {
        "riverton-housing", "xx-county-health"
    }  # fmt: skip
    assert [e.headline for e in case if e.via == "hand"] == [
        "A volunteer carried papers between offices", "Cold home: referral received"
    ]  # fmt: skip
    assert len({e.place for e in case}) == 1
    assert {e.step for e in case[-3:]} == {"CLOSED"}
    assert sum(len(e.refs) for e in case) == 6


def test_the_figures_in_the_docs_are_others(cases: list[list[Envelope]]) -> None:
    across = [c for c in in_riverton(cases) if agencies(c) & CITY and agencies(c) & OTHER_BODIES]
    records = [{e.record for e in case} for case in cases]
    county = "xx-county-health"
    text = " ".join((Path(__file__).parents[1] / "docs/riverton.md").read_text("utf-8").split())
    for figure in (
        f"{sum(map(len, cases)):,} events count, of {sum(map(len, records)):,} records",
        f"{len(cases):,} cases, {sum(len(agencies(c)) >= 2 for c in cases)} of them",
        f"{sum(len(agencies(c)) >= 3 for c in cases)} with three or more",
        f"the largest has {max(map(len, records))} records",
        f"{len(across)} cases join the city",
        f"{sum(county in agencies(c) for c in across)} of these with county health",
        f"{sum(len(agencies(c)) >= 4 and county in agencies(c) for c in cases)} cases hold four",
    ):
        assert figure in text, figure
