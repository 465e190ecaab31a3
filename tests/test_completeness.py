"""Completeness on real Kafka: what a source counted, and where something got lost on the way."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, call, line
from installation import Said as Answer
from jsonschema import Draft202012Validator

from crosstown.avro.codec import frame
from crosstown.casebook.casebook import Casebook
from crosstown.casebook.store import Sqlite
from crosstown.completeness.counted import CONTRACT, Count, count_of
from crosstown.completeness.flow import Flow, Message, Slot, source_differences
from crosstown.completeness.known import Known
from crosstown.completeness.published import Published
from crosstown.contracts.checked import Checker
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Erasures, Key
from crosstown.errors import Refused
from crosstown.event.cloudevents import CloudEvent, events
from crosstown.gateway.judge import Judge
from crosstown.home import Home
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.sending import Sending
from crosstown.registry.read_back import Reading
from crosstown.source import Said

SHIPPED = Path(__file__).parents[1] / "schemas"
GOLDEN = Path(__file__).parent / "golden" / "cli" / "completeness.schema.json"
HOUSING = "riverton-housing/inspections"
HEADER = (
    "Inspection No,Complaint,Complaint Text,Address,Received,311 No,Scheduled,Inspected,Result,"
    "Re-Inspected,Re-Result\n"
)


def export(folder: Path, name: str, *numbers: str, broken: str = "") -> Path:
    """A nightly file of housing, one complaint a number; a broken one has no time."""
    file = folder / name
    rows = [f"{n},HEAT,No heat,12 Elm St,{'' if n == broken else '03/02/2025 08:30 AM'},,,,,,\n"
            for n in numbers]  # fmt: skip
    file.write_text(HEADER + "".join(rows), "utf-8")
    return file


def publish(home: Installation, file: Path, day: str, *words: str) -> Answer:
    at = ("--known-at", f"{day}T23:00:00Z")
    return home("publish", "riverton", str(file), *at, *words, "-o", "json")


def asked(home: Installation, day: str, contract: str = HOUSING, *words: str) -> dict[str, Any]:
    """The one row of a day and contract, held against the form that programs rely on."""
    said = home("completeness", "--day", day, "--contract", contract, "-o", "json", *words)
    assert said.code in (0, 3), said
    (row,) = said.lines()
    for error in Draft202012Validator(json.loads(GOLDEN.read_text("utf-8"))).iter_errors(row):
        pytest.fail(f"completeness: {error.json_path}: {error.message}"[:500])
    assert row["complete"] == (said.code == 0)
    states = ("accepted", "erased", "under_way", "not_accepted")
    assert row["published"] == sum(row[name] for name in states) + sum(row["dead_letters"].values())
    assert row["accepted"] == row["joined"] + row["aside"] + row["not_joined"]
    return row


def named(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["stage"], one["record"]) for one in row["differences"]]


def inspection(number: str) -> str:
    return f"riverton-housing/inspection/{number}"


def test_nightly_file_that_was_cut_off_looks_whole(
    installation: Installation, tmp_path: Path
) -> None:
    file, day = export(tmp_path, "cut.csv", "HI-9101", "HI-9102"), "2025-03-04"
    manifest = {"rows": 3, "records": ["HI-9101", inspection("HI-9102"), inspection("HI-9103")]}
    (tmp_path / "cut.csv.manifest.json").write_text(json.dumps(manifest), "utf-8")
    said = publish(installation, file, day)
    assert said.code == 3
    assert said.json()["files"][0]["missing"] == [inspection("HI-9103")]
    assert "counted 3 rows, here are 2" in said.err
    row = asked(installation, day)
    (count,) = row["counts"]
    assert (count["counted"], count["read"], count["said"], count["known"]) == (3, 2, 2, 0)
    assert named(row) == [("not read", ""), ("not read", inspection("HI-9103"))]

    (tmp_path / "cut.csv.manifest.json").write_text('{"rows": 2}', "utf-8")
    assert publish(installation, file, day).code == 0, "the same file, counted rightly"
    row = asked(installation, day)
    assert [one["counted"] for one in row["counts"]] == [2], (
        "the later count is the one that counts"
    )
    assert (row["counts"][0]["said"], row["counts"][0]["known"], row["complete"]) == (2, 2, True)


def test_rejected_row_is_nobodys(installation: Installation, tmp_path: Path) -> None:
    day = "2025-03-05"
    file = export(tmp_path, "broken.csv", "HI-9111", "HI-9112", broken="HI-9112")
    assert publish(installation, file, day, "--expect", "2").code == 3
    row = asked(installation, day)
    (count,) = row["counts"]
    assert (count["counted"], count["read"], count["rejected"], count["how"]) == (
        2,
        2,
        1,
        "expected",
    )
    (difference,) = row["differences"]
    assert (difference["stage"], difference["at"]) == ("rejected", "broken.csv")
    assert "row 3, Received" in difference["why"]


def test_complete_day_is_called_incomplete(installation: Installation, tmp_path: Path) -> None:
    day = "2025-03-06"
    assert publish(installation, export(tmp_path, "good.csv", "HI-9121", "HI-9122"), day,
                   "--expect", "2").code == 0  # fmt: skip
    row = asked(installation, day)
    assert (row["published"], row["joined"], row["complete"]) == (2, 2, True)
    shown = installation("completeness", "--day", day, COLUMNS="160").ok().out
    assert "Nothing is missing" in shown
    assert HOUSING in shown
    assert installation("completeness", "--day", "1999-12-31").ok().out.startswith("nothing")


def test_dead_letter_has_no_name(installation: Installation) -> None:
    installation.topic("events.riverton-housing.inspections")
    with installation.producer() as theirs:
        theirs.produce("events.riverton-housing.inspections", b"garbage", inspection("HI-9131"))
    installation.stats()
    day = time.strftime("%Y-%m-%d", time.gmtime())
    row = asked(installation, day)
    assert row["dead_letters"] == {"wrong-magic": 1}
    assert ("dead letter", inspection("HI-9131")) in named(row)


@contextmanager
def casebook(home: Installation) -> Iterator[sqlite3.Connection]:
    """The casebook's own tables, to lose something in them."""
    db = sqlite3.connect(Home(home.home).casebook, timeout=30, isolation_level=None)
    yield db
    db.close()


def test_event_that_got_lost_on_the_way_isnt_missed(
    installation: Installation, tmp_path: Path
) -> None:
    day = "2025-03-07"
    numbers = ("HI-9141", "HI-9142", "HI-9143")
    publish(installation, export(tmp_path, "lost.csv", *numbers), day, "--expect", "3").ok()
    assert asked(installation, day)["complete"]
    with casebook(installation) as db:
        db.execute("delete from raw_versions where record = ?", (inspection("HI-9141"),))
        db.execute("delete from raw_records where record = ?", (inspection("HI-9142"),))
        db.execute("update raw_events set event_id = 'x' || event_id where record = ?",
                   (inspection("HI-9141"),))  # fmt: skip
    row = asked(installation, day)
    assert (row["not_accepted"], row["not_joined"], row["joined"]) == (1, 1, 1)
    assert sorted(named(row)) == [
        ("not accepted", inspection("HI-9141")), ("not joined", inspection("HI-9142")),
    ]  # fmt: skip
    (place,) = (one["at"] for one in row["differences"] if one["stage"] == "not accepted")
    assert place.startswith("events.riverton-housing.inspections/0/")


def test_event_that_is_late_is_called_lost(installation: Installation, tmp_path: Path) -> None:
    day = "2025-03-08"
    status = installation("status", "-o", "json").ok().json()
    intake = next(one["pid"] for one in status["processes"] if one["name"] == "intake")
    os.kill(intake, signal.SIGSTOP)
    try:
        publish(installation, export(tmp_path, "late.csv", "HI-9151"), day, "--expect", "1").ok()
        row = asked(installation, day, HOUSING, "--timeout", "1")
    finally:
        os.kill(intake, signal.SIGCONT)
    assert (row["under_way"], row["not_accepted"], row["complete"]) == (1, 0, True)
    assert asked(installation, day)["joined"] == 1


def test_erased_record_counts_as_lost(installation: Installation, tmp_path: Path) -> None:
    day, number = "2025-03-09", "HI-9161"
    file = export(tmp_path, "erased.csv", number)
    (tmp_path / "erased.csv.manifest.json").write_text('{"rows": 1, "records": []}', "utf-8")
    assert publish(installation, file, day).json()["files"][0]["unlisted"] == [inspection(number)]
    installation.stats()
    installation("erase", inspection(number), "--because", "a court's order", "--by", "clerk 1",
                 "--agency", "riverton-housing", "--yes").ok()  # fmt: skip
    row = asked(installation, day)
    assert row["published"] == row["erased"]
    assert row["erased"] == (not row["cut"]), "named, until the topic is cut off behind it"
    assert row["complete"]
    assert number not in json.dumps(row)


def test_what_people_said_of_an_erased_record_counts_as_lost(tmp_path: Path) -> None:
    key, hashed = Key(b"a key"), "riverton-housing/erasure/" + Key(b"a key").name(inspection("1"))
    erasures = Erasures(key)
    erasures.say({"record": hashed, "type": "record.erased", "step": "OTHER", "flags": []}, b"", 1)
    db = Sqlite(tmp_path / "casebook.sqlite", read_only=False)
    Casebook(db, "one", Reading(lambda _id: '"bytes"'), key)
    slot = Slot("2025-03-09", "any/links", "riverton-housing")
    found = Known(db, erasures).states([
        Published(Message(slot, "riverton-housing/link/1", "e1", "t/0/0"), kind, refs,
                  f"e1:1:{'0' * 64}:hand".encode(), b"", "", under_way=False)
        for kind, refs in (
            ("link.apart", (inspection("1"),)),
            ("link.asserted", (inspection("2"), inspection("1"))),
            ("link.apart", (inspection("2"),)),
            ("note.added", (inspection("1"),)),
        )
    ])  # fmt: skip
    assert [state for state, _ in found] == ["erased", "erased", "not-accepted", "not-accepted"]
    db.close()


def say(home: Installation, *counts: Count) -> None:
    """Say counts as an agency with a producer of its own would."""
    contracts, now = Repository.of(home.settings), time.time_ns() // 1000
    checker = Checker(contracts, now, now)
    with (
        Ledger(Home(home.home).ledger) as ledger,
        Sending(home.settings, home.where, ledger) as sending,
    ):
        for one in counts:
            body = one.body("us-xx-riverton", now)
            sending.send(checker.check(Said(CONTRACT, one.agency, body, 0)), lambda _new: None)
        sending.finish()


def test_agency_that_counts_its_own_events_is_not_heard(installation: Installation) -> None:
    day, agency = "2025-03-10", "riverton-tenants"
    lines = [line(n, agency, known_at=f"{day}T10:00:00Z", occurred_at=f"{day}T09:00:00Z")
             for n in ("CNT-1", "CNT-2")]  # fmt: skip
    installation("publish", "events", "-", stdin="".join(lines)).ok()
    ours = Count(agency=agency, contract="any/events", day=day, counted=3, how="select count(*)",
                 unit="events")  # fmt: skip
    others = Count(agency="riverton-police", contract=HOUSING, day=day, counted=9, how="a guess")
    say(installation, ours, others)
    row = asked(installation, day, "any/events")
    assert [one["counted"] for one in row["counts"]] == [3]
    assert named(row) == [("not published", "")]
    assert "3 events, 2 were published" in row["differences"][0]["why"]
    none = installation("completeness", "--day", day, "--contract", HOUSING, "-o", "json").ok()
    assert none.out == "", "nobody counts for another agency"
    assert installation("case", ours.record).code == 2, "a count is no case"
    assert "/count/" not in installation("cases", "-o", "json").ok().out


def test_count_changes_on_its_way() -> None:
    one = Count(agency="a", contract="a/b", day="2025-01-01", counted=4, how="manifest", file="f",
                read=3, rejected=1, said=2, known=0, missing=("a/r/1",))  # fmt: skip
    body = one.body("us-xx-riverton", 5)
    body["day"] = dt.date(1970, 1, 1) + dt.timedelta(days=body["day"])  # as Avro reads it
    assert count_of("a", body) == one
    assert count_of("c", body) is None
    other = Count(agency="a", contract="a/b", day="2025-01-01", counted=5, how="expected", file="f")
    assert other.record == one.record, "the same export of the same day"


def test_count_pushed_as_the_page_says_is_refused() -> None:
    page = (Path(__file__).parents[1] / "docs" / "completeness.md").read_text("utf-8")
    (pushed,) = (
        one for one in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "specversion" in one
    )
    (event,) = events([("Content-Type", "application/cloudevents+json")], pushed.encode())
    assert isinstance(event, CloudEvent)
    repository = Repository.load()
    judge = Judge(repository, "")
    checked = judge.judge("riverton-tenants", event, 1_772_500_000_000_000)
    assert (checked.topic, checked.envelope.type) == (
        "events.riverton-tenants.counts",
        "source.counted",
    )
    schema = repository.contracts[CONTRACT].schema_text
    fields = Reading(lambda _id: schema).fields(frame(1, checked.body))
    assert fields is not None
    assert count_of("riverton-tenants", fields) == Count(
        agency="riverton-tenants", contract="any/events", day="2026-03-02", counted=41,
        how="select count(*) from calls", unit="events",
    )  # fmt: skip
    with pytest.raises(Refused, match="agency-of-another"):
        judge.judge("riverton-police", event, 1_772_500_000_000_000)


def test_event_hides_from_the_cases_by_its_type() -> None:
    contract = Repository.load().contracts["any/events"]
    body = json.loads((SHIPPED / "examples" / "any" / "events.v1.visit.json").read_text("utf-8"))
    with pytest.raises(Refused, match="reserved-type"):
        contract.envelope({**body, "type": "source.counted"}, body["agency"], 1, "batch")


def test_topic_that_was_cut_off_makes_a_count_wrong() -> None:
    count = Count(agency="a", contract="any/x", day="2025-01-01", counted=4, how="q", unit="events")
    flow = Flow(Slot("2025-01-01", "any/x", "a"), [count])
    assert [one.stage for one in source_differences(flow)] == ["not published"]
    flow.cut = True
    assert list(source_differences(flow)) == []
    for n in range(5):
        flow.take(Message(flow.slot, "a/r/1", f"e{n}", "t/0/0"), "joined")
    assert [one.stage for one in source_differences(flow)] == ["not published"], "more than counted"


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", '{"rows": -1}', '{"rows": "3"}', '{"rows": 3.5}', '{"rows": NaN}',
     '{"rows": 3, "rows": 4}', '{"rows": 3, "rown": 4}', '{"rows": 3, "day": "tomorrow"}',
     '{"rows": 3, "contract": "../x"}', "[" * 100_000, "\ud800",
     '{"rows": 3, "records": [""]}'],
)  # fmt: skip
def test_broken_manifest_is_believed(home: Path, tmp_path: Path, manifest: str) -> None:
    file = export(tmp_path, "x.csv", "HI-9171")
    beside = tmp_path / "x.csv.manifest.json"
    beside.write_bytes(manifest.encode("utf-8", "surrogatepass"))
    said = call(home, "publish", "riverton", str(file))
    assert (said.code, said.out) == (2, ""), said
    assert "x.csv.manifest.json" in said.err
    assert "-> a manifest says at least" in said.err


def test_dry_run_forgets_to_count(home: Path, tmp_path: Path) -> None:
    file = export(tmp_path, "dry.csv", "HI-1", "HI-2")
    for expected, code in (("2", 0), ("3", 3)):
        said = call(home, "publish", "riverton", str(file), "--dry-run", "--expect", expected)
        assert said.code == code
        assert ("counted 3 rows, here are 2" in said.err) == bool(code)


def test_count_is_taken_for_another_file(home: Path, tmp_path: Path) -> None:
    one, other = export(tmp_path, "1.csv", "HI-1"), export(tmp_path, "2.csv", "HI-2")
    manifest = tmp_path / "m.json"
    manifest.write_text('{"rows": 1}', "utf-8")
    for words in (
        (str(one), str(other), "--expect", "1"), (str(one), str(other), "--manifest", str(manifest)),
        (str(one), "--expect", "1", "--manifest", str(manifest)),
        (str(one), "--manifest", str(tmp_path / "gone.json")), (str(one), "--expect", "-1"),
    ):  # fmt: skip
        said = call(home, "publish", "riverton", *words)
        assert (said.code, said.out) == (2, ""), said


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "20260302", "2026-3-2", "\x1b[2J"])
def test_day_that_is_none_is_looked_for(home: Path, day: str) -> None:
    said = call(home, "completeness", "--day", day)
    assert (said.code, said.out) == (2, ""), said
    assert "say e.g. 2026-03-02" in said.err
