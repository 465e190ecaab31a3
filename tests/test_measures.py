"""Each measure as docs/measures.md defines it: its examples, through the join and the casebook."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from crosstown.casebook.casebook import Casebook, Row
from crosstown.casebook.lookup import Lookup, Order
from crosstown.casebook.measures import CONDITIONS, Measure, measure
from crosstown.casebook.store import Sqlite
from crosstown.cases.cases import City
from crosstown.cases.timeline import CAP, message_bytes
from crosstown.erasure.erasures import Key
from crosstown.event.envelope import Envelope, saying  # fmt: skip
from crosstown.event.identity import event_id
from crosstown.home import Home
from crosstown.registry.read_back import Reading, read_timeline
from crosstown.settings import Settings

DAY = 86_400_000_000
DOC = (Path(__file__).parents[1] / "docs" / "measures.md").read_text("utf-8")
LINE = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d)  (?P<agency>\S+) +(?P<record>\S+) +(?P<step>[A-Z_]+)"
    r"(?: +to (?P<to>\S+))?(?: +due (?P<due>\d{4}-\d\d-\d\d \d\d:\d\d))?(?: +at (?P<place>\S+))?"
)


@dataclass
class Example:
    """One worked example: its events, how long it took in days, what holds on which day."""

    title: str
    events: list[Envelope] = field(default_factory=list)
    took: int | None = None
    on: dict[int, set[str]] = field(default_factory=dict)


def micros(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * 1_000_000


def examples() -> Iterator[Example]:
    title = ""
    for part in re.split(r"^(## [^\n]*|```events\n.*?```)$", DOC, flags=re.MULTILINE | re.DOTALL):
        if part.startswith("## "):
            title = part[3:]
        elif part.startswith("```events"):
            example = Example(title)
            for line in part.splitlines()[1:-1]:
                if found := LINE.fullmatch(line):
                    example.events.append(envelope(found, example))
                elif line.startswith("took "):
                    example.took = int(line.split()[1])
                else:
                    day, _, names = line.removeprefix("on ").partition(": ")
                    example.on[micros(f"{day} 00:00")] = set(names.split(", "))
            yield example


def envelope(found: re.Match[str], example: Example) -> Envelope:
    record = f"{found['agency']}/{found['record']}"
    first = example.events[0].record if example.events else record
    return Envelope(
        event_id=event_id(record, found["step"], (found["at"],)), agency=found["agency"],
        record=record, type=found["step"].lower(), step=found["step"],
        occurred_at=micros(found["at"]), due_at=micros(found["due"]) if found["due"] else None,
        jurisdiction="us-xx-riverton", to_agency=found["to"] or "",
        place=f"address:{found['place']}" if found["place"] else "", concern="any",
        refs=() if record == first or found["place"] else (first,), known_at=micros(found["at"]), via="batch",
    )  # fmt: skip


def messages(events: Iterable[Envelope]) -> Iterator[bytes]:
    """What `timelines` says when these events have been joined, framed."""
    city = City("us-xx-riverton", lambda _concern: 30 * DAY)
    for one in events:
        city.say(*saying(one, b""))
    for change in city.changes():
        body = message_bytes("us-xx-riverton", change.record, change.case_id, 1, change.case)
        yield bytes(5) + body


@contextmanager
def casebook(tmp_path: Path, *cases: Iterable[Envelope]) -> Iterator[Lookup]:
    """A casebook that has taken in these cases; each must be one."""
    settings = Settings(home=tmp_path)
    writer = Casebook(Sqlite(Home(tmp_path).casebook, read_only=False), "x",
                      Reading(lambda _id: ""), Key(b"x"))  # fmt: skip
    for n, events in enumerate(cases):
        writer.apply(Row("timelines", 0, n, None, value) for value in messages(events))
    writer.close()
    lookup = Lookup(settings)
    try:
        yield lookup
    finally:
        lookup.close()


def holds(lookup: Lookup, now: int) -> set[str]:
    return {one.value for one in Measure if list(lookup.cases(measure=one, now=now))}


@pytest.mark.parametrize("example", list(examples()), ids=lambda one: one.title)
def test_measure_says_other_than_its_definition(example: Example, tmp_path: Path) -> None:
    for number, (now, expected) in enumerate(example.on.items()):
        known = [one for one in example.events if one.occurred_at <= now]
        home = tmp_path / str(number)
        home.mkdir()
        with casebook(home, known) as lookup:
            (case,) = lookup.cases()
            assert holds(lookup, now) == expected, example
            took = case["seconds"]
    assert took == (None if example.took is None else example.took * 86_400), example


def test_measure_has_no_definition_or_no_example() -> None:
    shown = set[str]().union(*(names for one in examples() for names in one.on.values()))
    assert {one.value for one in Measure} - shown == {"too-large"}, "its example would fill pages"
    titles = " ".join(re.findall(r"^## (.*)$", DOC, flags=re.MULTILINE))
    for one in Measure:
        assert one.value in titles or f"**{one.value}**" in DOC
    assert set(CONDITIONS) == set(Measure)


def test_case_too_large_for_its_message_is_measured_from_a_part(tmp_path: Path) -> None:
    (example, *_) = examples()
    first = example.events[0]
    many = [
        replace(first, event_id=event_id(first.record, "note", (n,)), step="NOTE",
                occurred_at=first.occurred_at + n)
        for n in range(CAP)
    ]  # fmt: skip
    with casebook(tmp_path, [*example.events, *many]) as lookup:
        assert holds(lookup, first.occurred_at) == {"open", "too-large"}


def test_case_whose_links_are_cut_is_said_to_be_joined_by_place_alone(tmp_path: Path) -> None:
    records = [f"riverton-311/request/{n}" for n in range(16)]

    def said(record: str, at: int, refs: Iterable[str]) -> Envelope:
        return Envelope(
            event_id=event_id(record, "REPORTED"), agency=record.partition("/")[0], record=record,
            type="reported", step="REPORTED", occurred_at=at, jurisdiction="us-xx-riverton",
            place="address:12-elm-st", concern="any", refs=tuple(refs), known_at=at, via="batch",
        )  # fmt: skip

    inspection = said("riverton-housing/inspection/7", 0, records[:1])
    among = [said(one, 1, (other for other in records if other != one)) for one in records]
    with casebook(tmp_path, [inspection, *among[:2]]) as lookup:
        assert holds(lookup, 2) == {"open", "enriched"}
    with casebook(tmp_path, [inspection, *among]) as lookup:
        (case,) = lookup.store.rows("select link_count from raw_cases")
        assert case["link_count"] > CAP, "the inspection's own is not among the newest"
        assert holds(lookup, 2) == {"open", "enriched"}


def test_order_of_entries_changes_a_measure() -> None:
    rng = random.Random(4)
    for example in examples():
        (case,) = (said["case"] for said in map(read_timeline, bare(example)) if said["case"])
        first = measure(case)
        for _ in range(5):
            rng.shuffle(case["entries"])
            again = measure(case)
            assert set(again.handoffs) == set(first.handoffs)
            assert replace(again, handoffs=first.handoffs) == first


def test_who_enriched_for_whom_is_mixed_up() -> None:
    found = {
        (one.for_agency, one.by_agency)
        for example in examples() if example.title == "enriched"
        for said in map(read_timeline, bare(example)) if said["case"]
        for one in measure(said["case"]).enrichments
    }  # fmt: skip
    assert found == {("riverton-311", "riverton-tenants")}


def bare(example: Example) -> Iterator[bytes]:
    return (value[5:] for value in messages(example.events))


def test_median_is_not_one_of_the_times(tmp_path: Path) -> None:
    def took(days: int) -> list[Envelope]:
        record = f"riverton-311/request/{days}"
        return [
            Envelope(
                event_id=event_id(record, step), agency="riverton-311", record=record, type=step,
                step=step, occurred_at=at, jurisdiction="us-xx-riverton", known_at=at, via="batch",
            )
            for step, at in (("REPORTED", 0), ("CLOSED", days * DAY))
        ]  # fmt: skip

    with casebook(tmp_path, *(took(days) for days in range(1, 21))) as lookup:
        figures = lookup.stats(0)["measures"]
        assert figures["single_agency"]["first_report_to_last_close"] == {
            "n": 20, "median_seconds": 10 * 86_400, "p90_seconds": 18 * 86_400,
        }  # fmt: skip
        assert figures["cross_agency"]["first_report_to_last_close"] == {
            "n": 0, "median_seconds": None, "p90_seconds": None,
        }  # fmt: skip
        longest, *_ = lookup.cases(order=Order.SECONDS)
        assert longest["seconds"] == 20 * 86_400
