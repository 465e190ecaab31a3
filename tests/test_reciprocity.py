"""Reciprocity: each figure as docs/measures.md defines it, and all of them on a real Kafka."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from feeding import Town, body, handshake, until
from installation import Installation, call
from jsonschema import Draft202012Validator
from prometheus_client import REGISTRY
from riverton_said import REPOSITORY
from sharing_said import Installation as Riverton
from sharing_said import accepted

from crosstown import metrics
from crosstown.agreements.requests import requests
from crosstown.agreements.words import Word
from crosstown.casebook.lookup import Lookup
from crosstown.completeness.answer import completeness
from crosstown.completeness.flow import Flow
from crosstown.contracts.repository import Repository
from crosstown.lookout.shown import Shown
from crosstown.publishing.bodies import publish_bodies
from crosstown.reciprocity.balance import Balance, Enriched, Side, Term, balances, spread
from crosstown.reciprocity.reciprocity_log import changes, read
from crosstown.reciprocity.report import Report, report
from crosstown.reciprocity.shares import Share
from crosstown.sample import write
from crosstown.supervision.waiting import Waiting
from streams.reciprocity import measure

DOC = (Path(__file__).parents[1] / "docs" / "measures.md").read_text("utf-8")
GOLDEN = Path(__file__).parent / "golden" / "cli" / "reciprocity.schema.json"
TIME = r"(\d{4}-\d\d-\d\d \d\d:\d\d)"
AGREEMENT = re.compile(r"agreement (\S+): (.+) to (\S+?)(?: since (\S+))?")
SHARE = re.compile(rf"share (\S+) (\S+) (\S+) happened {TIME} said {TIME} told (?:{TIME}|never)")
ENRICHED = re.compile(r"enriched (\S+): (\S+) for (\S+)")
ASKED = re.compile(r"asked (\S+): (\S+) of (\S+) on (\S+)")
ANSWERED = re.compile(r"answered (\S+): (accepted|declined) by (\S+) on (\S+)")
HOLDS = re.compile(r"(\S+) (gives|gets|asked for|was asked): (.+)")


def micros(text: str | None) -> int:
    if not text:
        return 0
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * 1_000_000


@dataclass
class Example:
    """One worked example: what there is, and the figures that hold."""

    title: str
    terms: list[Term] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    enriched: list[Enriched] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    now: int = 1 << 60
    holds: list[tuple[str, str, dict[str, int]]] = field(default_factory=list)

    def read(self, line: str) -> None:
        if found := AGREEMENT.fullmatch(line):
            providers = tuple(found[2].split(", "))
            self.terms.append(Term(found[1], providers, found[3], micros(found[4])))
        elif found := SHARE.fullmatch(line):
            self.shares.append(self._share(*found.groups()))
        elif found := ENRICHED.fullmatch(line):
            self.enriched.append(Enriched(found[1], for_agency=found[3], by_agency=found[2]))
        elif found := ASKED.fullmatch(line):
            self.words.append(Word(agreement=found[1], word="requested", party=found[2], by="x",
                                   said_at=micros(found[4]), of=found[3]))  # fmt: skip
        elif found := ANSWERED.fullmatch(line):
            self.words.append(Word(agreement=found[1], word=found[2], party=found[3], by="y",  # type: ignore[arg-type]
                                   said_at=micros(found[4])))  # fmt: skip
        elif line.startswith("on "):
            self.now = micros(line.removeprefix("on "))
        else:
            found = HOLDS.fullmatch(line)
            assert found, line
            figures = (one.rsplit(" ", 1) for one in found[3].split(", "))
            self.holds.append((found[1], found[2], {name: int(n) for name, n in figures}))

    def _share(self, name: str, record: str, step: str, *at: str | None) -> Share:
        (term,) = (one for one in self.terms if one.agreement == name)
        happened, said, told = map(micros, at)
        return Share(
            name, term.receiver, "events", record.partition("/")[0], "x/y", "us-xx-riverton", record,
            f"{record} {step}", happened, said, said, f"{record} {step}", told or None,
        )  # fmt: skip

    def balances(self) -> dict[str, Balance]:
        asked = requests(self.words, self.now)
        each = balances((), self.terms, self.shares, self.enriched, asked)
        return {one.agency: one for one in each}


def examples() -> Iterator[Example]:
    title = ""
    for part in re.split(r"^(## [^\n]*|```shares\n.*?```)$", DOC, flags=re.MULTILINE | re.DOTALL):
        if part.startswith("## "):
            title = part[3:]
        elif part.startswith("```shares"):
            example = Example(title)
            for line in part.splitlines()[1:-1]:
                example.read(line)
            yield example


def figures(balance: Balance, way: str) -> dict[str, Any]:
    side = asdict(balance)[way.replace(" ", "_")]
    after = side.pop("after", {})
    return {**side, "measured": after.get("n"), **after}


@pytest.mark.parametrize("example", list(examples()), ids=lambda one: one.title)
def test_figure_says_other_than_its_definition(example: Example) -> None:
    found = example.balances()
    assert example.holds
    for agency, way, expected in example.holds:
        one = figures(found.get(agency, Balance(agency)), way)
        assert {name: one[name] for name in expected} == expected, (agency, way)


def test_figure_has_no_definition_or_no_example() -> None:
    shown = {name for one in examples() for _, _, expected in one.holds for name in expected}
    every = {name for way in ("gives", "gets", "asked for") for name in figures(Balance("x"), way)}
    assert every - {"n"} == shown


def test_order_or_repetition_changes_a_balance() -> None:
    for example in examples():
        first = example.balances()
        again = replace(example, shares=example.shares[::-1], enriched=example.enriched[::-1],
                        words=example.words[::-1])  # fmt: skip
        assert again.balances() == first


def test_spread_is_not_one_of_the_times() -> None:
    assert asdict(spread([])) == {"n": 0, "median_seconds": None, "p90_seconds": None}
    twenty = spread(n * 1_000_000 for n in range(1, 21))
    assert (twenty.n, twenty.median_seconds, twenty.p90_seconds) == (20, 10, 18)


def test_median_is_shown_of_what_is_gone() -> None:
    def shown() -> dict[str, float | None]:
        name = "crosstown_reciprocity_after_seconds"
        return {
            way: REGISTRY.get_sample_value(name, {"agency": "median-1", "way": way})
            for way in ("gives", "gets")
        }

    one = Balance("median-1", gives=Side(after=spread([5_000_000])))
    after = Shown(metrics.reciprocity_after)
    measure([one], after)
    assert shown() == {"gives": 5, "gets": None}
    measure([replace(one, gives=Side())], after)
    assert shown() == {"gives": None, "gets": None}


def test_what_did_not_change_is_written_again() -> None:
    one, other = Balance("a"), Balance("b")
    before = {"a": {**asdict(one), "at": 5}, "gone": {**asdict(one), "at": 5}}
    assert list(changes(before, [one, other], 9)) == [
        ("b", {**asdict(other), "at": 9}), ("gone", None),
    ]  # fmt: skip


def test_share_is_of_another_thing_than_its_feed_tells_of(tmp_path: Path) -> None:
    city = Riverton(list(REPOSITORY.agreements.values()), REPOSITORY.window)
    for said in accepted(write(tmp_path, events=4_000)):
        city.say(said)
    for agreement in city.terms:
        city.accept(agreement)
    city.hand_out()
    shares: dict[str, Counter[str]] = {}
    for one in city.sharing.covered():
        shares.setdefault(one.agreement.id, Counter())[one.thing] += 1
    assert len(shares) == len(REPOSITORY.agreements) >= 3
    for name, of in shares.items():
        known = city.known(name)
        assert of.keys() == known.keys()
        if REPOSITORY.agreements[name].gives == "timelines":
            assert of == {thing: told["said"]["entry_count"] for thing, told in known.items()}
            assert max(of.values()) > 1
        else:
            assert set(of.values()) == {1}


# On a real Kafka

HEALTH, TENANTS = "xx-county-health", "riverton-tenants"
CONTRACT, DAY = "any/events", "2026-03-02"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """311 gives its reports to the nurses, and, with housing, timelines to the tenants."""
    files = {
        "reports": handshake("reports", HEALTH, filter='step == "REPORTED"'),
        "cases": handshake(
            "cases", TENANTS, gives="timelines", providers="[riverton-311, riverton-housing]",
            stewards=f"{{riverton-311: a, riverton-housing: b, {TENANTS}: c}}",
            identifiers="pseudonyms", delivery="{ways: [http]}",
        ),
        "asleep": handshake("asleep", "riverton-water"),
    }  # fmt: skip
    one = Town(tmp_path_factory.mktemp("town"), files)
    one.start("intake", "cases", "casebook", "feeds")
    yield one
    one.close()


def publish(
    town: Town, bodies: list[dict[str, Any]], agency: str = "riverton-311", at: str = "12:00"
) -> None:
    """As said on `DAY`."""
    repository = Repository.of(town.settings)
    contract = repository.contracts[CONTRACT]
    done = publish_bodies(town.settings, town.where, repository, contract, bodies, agency,
                          micros(f"{DAY} {at}"), "event")  # fmt: skip
    assert not done.rejected


def settle(town: Town) -> None:
    Waiting(town.settings, town.where, 60, set, lambda _: None).run()


def balance(found: Report, agency: str) -> Balance:
    (one,) = (one for one in found.balances if one.agency == agency)
    return one


def asked(town: Town) -> Flow:
    settle(town)
    flows = completeness(town.settings, town.where, DAY, CONTRACT)
    (flow,) = (one for one in flows if one.slot.agency == "riverton-311")
    return flow


def test_what_was_given_is_not_counted_or_not_named(town: Town) -> None:
    publish(town, [
        body(1, place="address:1-elm", concern="housing-condition"),
        body(1, type="request.closed", step="CLOSED", occurred_at="2026-03-02T11:00:00Z"), body(2),
    ])  # fmt: skip
    housing = {"place": "address:1-elm", "concern": "housing-condition"}
    publish(town, [
        body(1, "riverton-housing", occurred_at="2026-03-02T09:00:00Z", **housing),
        body(1, "riverton-housing", type="inspected", step="RESOLVED",
             occurred_at="2026-03-02T12:00:00Z", **housing),
    ], "riverton-housing")  # fmt: skip
    town.say("accepted", "reports")
    town.say("accepted", "cases")
    settle(town)
    until(lambda: len(town.feed("reports")) == 2 and len(town.feed("cases")) == 2)
    now = time.time_ns() // 1000
    found = report(town.settings, town.where, now)

    gives = balance(found, "riverton-311").gives
    assert (gives.agreements, gives.partners, gives.events, gives.records) == (2, 2, 3, 2)
    assert gives.untold == 0
    assert gives.after.n == 3
    health, tenants = balance(found, HEALTH).gets, balance(found, TENANTS).gets
    assert (health.agreements, health.partners, health.events, health.records) == (1, 1, 2, 2)
    assert (tenants.agreements, tenants.partners, tenants.events, tenants.records) == (1, 2, 5, 3)
    assert balance(found, "riverton-water").empty, "nobody has accepted that one"
    assert balance(found, "riverton-housing").gives.enriched == 1
    assert balance(found, "riverton-311").gets.enriched == 1
    names = {(one.agreement, one.record) for one in found.shares if one.provider == "riverton-311"}
    assert names == {
        (agreement, f"riverton-311/request/{n}") for agreement in ("reports", "cases") for n in (1, 2)
    }  # fmt: skip

    flow = asked(town)
    assert flow.complete, flow.differences
    delivered = {name: (one.receiver, one.due, one.told) for name, one in flow.delivered.items()}
    assert delivered == {"reports": (HEALTH, 2, 2), "cases": (TENANTS, 3, 3)}


def test_event_that_reached_no_partner_is_not_missed(town: Town) -> None:
    town.stop("feeds")
    try:
        publish(town, [body(2, occurred_at="2026-03-02T08:45:00Z"), body(3)], at="13:00")
        flow = asked(town)
        left = [(one.stage, one.record, one.at) for one in flow.differences]
        assert sorted(left) == [
            ("not delivered", f"riverton-311/request/{n}", f"feed.{name}")
            for n in (2, 3) for name in ("cases", "reports")
        ]  # fmt: skip
        found = report(town.settings, town.where, time.time_ns() // 1000, 0)
        gives = balance(found, "riverton-311").gives
        assert (gives.events, gives.untold) == (2, 4), "told otherwise isn't told"
        publish(town, [body(2, occurred_at="2026-03-02T08:45:00Z", step="NOTE")], at="14:00")
        settle(town)
        flows = completeness(town.settings, town.where)
        gone = [(flow.slot.agency, one.stage, one.at) for flow in flows if not flow.slot.contract
                for one in flow.differences]  # fmt: skip
        assert gone == [(HEALTH, "not taken back", "feed.reports")]
    finally:
        town.start("feeds")
    until(lambda: [one.change for one in town.feed("reports")[2:]].count("GONE") == 1)
    assert asked(town).complete


def test_figures_are_not_in_kafka(town: Town) -> None:
    town.start("reciprocity")
    until(lambda: bool(read(town.settings, town.where)))
    said = read(town.settings, town.where)
    found = report(town.settings, town.where, time.time_ns() // 1000)
    assert {name: {**one, "at": 0} for name, one in said.items()} == {
        one.agency: {**asdict(one), "at": 0} for one in found.balances
    }  # fmt: skip
    town.kill("reciprocity")
    until(lambda: "0 are others than before" in town.log("reciprocity"))
    town.stop("reciprocity")


def test_program_reads_another_form(town: Town) -> None:
    from crosstown.cli.reciprocity import as_json

    schema = json.loads(GOLDEN.read_text("utf-8"))
    found = report(town.settings, town.where, time.time_ns() // 1000)
    rows = [{**asdict(one), "at": "2026-01-01T00:00:00Z"} for one in found.balances]
    for row in (*rows, *map(as_json, found.shares)):
        for error in Draft202012Validator(schema).iter_errors(row):
            pytest.fail(f"reciprocity: {error.json_path}: {error.message}"[:500])


def test_figure_of_enriched_cases_leads_to_others(town: Town) -> None:
    with closing(Lookup(town.settings)) as lookup:

        def listed(**who: str) -> list[list[str]]:
            return [one["records"] for one in lookup.cases(**who)]  # type: ignore[arg-type]

        mine = listed(enriched_by="riverton-housing")
        assert mine == [["riverton-311/request/1", "riverton-housing/request/1"]]
        assert listed(enriched_for="riverton-311") == mine
        assert listed(enriched_by="riverton-housing", enriched_for="riverton-311") == mine
        assert listed(enriched_by="riverton-311") == listed(enriched_by="nobody") == []
        assert len(listed()) > 1


def test_clerk_cannot_ask_who_gives_and_gets(installation: Installation) -> None:
    said = installation("reciprocity", "-o", "json").ok().lines()
    assert {one["agency"] for one in said} >= {"riverton-311", HEALTH}
    (one,) = installation("reciprocity", "riverton-311", "-o", "json").ok().lines()
    assert one["agency"] == "riverton-311"
    assert installation("reciprocity").ok().out
    assert installation("reciprocity", "riverton-311", COLUMNS="160").ok().out.count("gives") >= 1
    assert installation("reciprocity", HEALTH, "--events", "gets").code == 0
    for words in (("atlantis",), ("--events", "gives"), (HEALTH, "--events", "takes")):
        refused = installation("reciprocity", *words)
        assert (refused.code, refused.out) == (2, ""), refused
    assert "riverton-311" in installation("reciprocity", "atlantis").err


def test_nothing_runs_and_nobody_says_so(home: Path) -> None:
    for words in (("reciprocity",), ("completeness",)):
        said = call(home, *words)
        assert (said.code, said.out) == (5, ""), said
        assert "crosstown up" in said.err
