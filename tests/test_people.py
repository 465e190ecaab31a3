"""People's word on a running installation: one matter, not one matter, apart, a note, a day ago."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from installation import Installation, line

GOLDEN = Path(__file__).parent / "golden" / "cli"
WHO = {"CROSSTOWN_AGENCY": "riverton-311", "CROSSTOWN_BY": "desk 4"}
PLACE = {"place": "address:77-people-st", "concern": "housing-condition"}


def record(number: str, agency: str = "riverton-311") -> str:
    return f"{agency}/request/{number}"


def published(installation: Installation, *lines: str) -> None:
    installation("publish", "events", "-", stdin="".join(lines)).ok()
    installation.stats()


def say(installation: Installation, *words: str, form: str = "link") -> dict[str, object]:
    said = installation(*words, "-o", "json", **WHO).ok().json()
    jsonschema.validate(said, json.loads((GOLDEN / f"{form}.schema.json").read_text("utf-8")))
    assert said["seen"] is True
    return said


def test_two_that_are_not_one_stay_one(installation: Installation) -> None:
    one, two = record("PPL-1"), record("PPL-2", "riverton-housing")
    published(installation, line("PPL-1", **PLACE), line("PPL-2", "riverton-housing", **PLACE))
    assert installation.case(one)["records"] == [one, two]
    said = say(installation, "separate", "PPL-1", "PPL-2", "--because", "another flat")
    assert said["still_joined_by"] == []
    apart, other = installation.case(one), installation.case(two)
    assert (apart["records"], other["records"]) == ([one], [two])
    for case in (apart, other):  # every agency in either case reads who said so, and why
        (person,) = case["people"]
        assert (person["kind"], person["why"], person["agency"]) == (
            "separated", "desk 4: another flat", "riverton-311",
        )  # fmt: skip
    assert "another flat" in installation("case", "PPL-1", COLUMNS="200").ok().out
    say(installation, "separate", "PPL-1", "PPL-2", "--because", "it was the same", "--withdraw")
    assert installation.case(one)["records"] == [one, two]
    again = installation("separate", "PPL-1", "PPL-2", "--because", "x", "--withdraw", **WHO)
    assert again.code == 2


def test_a_third_record_joins_them_and_nobody_says_so(installation: Installation) -> None:
    one, two, three = (record(f"PPL-{n}") for n in (11, 12, 13))
    place = {**PLACE, "place": "address:78-people-st"}
    published(installation, *(line(f"PPL-{n}", **place) for n in (11, 12, 13)))
    said = say(installation, "separate", one, two, "--because", "another caller")
    assert said["still_joined_by"] == [three]
    human = installation("separate", one, two, "--because", "another caller", **WHO).ok().out
    assert three in human
    assert f"crosstown apart {one}" in human
    say(installation, "apart", one, "--because", "a test call")
    assert installation.case(one)["records"] == [one]
    assert installation.case(two)["records"] == [two, three]


def test_two_that_are_one_stay_two(installation: Installation) -> None:
    one, two = record("PPL-21"), record("PPL-22", "riverton-police")
    published(installation, line("PPL-21"))
    early = installation("assert", one, two, "--because", "the same caller", **WHO).ok().out
    assert "yet" in early
    published(installation, line("PPL-22", "riverton-police"))
    case = installation.case(two)
    assert case["records"] == [one, two]
    (link,) = case["links"]
    assert (link["rule"], link["why"]) == ("asserted", "desk 4: the same caller")
    rows = installation("sql", "select * from people where kind = 'asserted'", "-o", "json").lines()
    assert (one, two) in {(row["record"], row["other"]) for row in rows}


def test_a_note_is_lost_or_stays_after_it_was_taken_back(installation: Installation) -> None:
    one = record("PPL-31")
    published(installation, line("PPL-31"))
    said = say(installation, "note", one, "back on Monday", form="note")
    entry = installation.case(one)["entries"][-1]
    assert (entry["headline"], entry["via"], entry["agency"]) == (
        "desk 4: back on Monday", "hand", "riverton-311",
    )  # fmt: skip
    say(installation, "note", one, "--withdraw", str(said["record"]), form="note")
    assert installation.case(one)["records"] == [one]


def test_yesterday_knows_what_was_said_today(installation: Installation) -> None:
    one, two = record("PPL-41"), record("PPL-42")
    early, late = "2026-03-03T00:00:00Z", "2026-04-01T00:00:00Z"
    place = {**PLACE, "place": "address:79-people-st"}
    for known, lines in (
        (early, (line("PPL-41", **place),)),
        (late, (line("PPL-41", **place, step="CLOSED"), line("PPL-42", **place))),
    ):
        installation("publish", "events", "-", "--known-at", known, stdin="".join(lines)).ok()
    installation.stats()
    now = installation.case(one)
    assert now["records"] == [one, two]
    assert [entry["corrected"] for entry in now["entries"]].count(True) == 1
    assert {e["record"]: e["late_by"] for e in now["entries"]}[two] == 29 * 86_400 + 55_800
    then = installation("case", one, "--as-of", "2026-03-10", "-o", "json").ok().json()
    assert (then["records"], then["entries"][0]["step"]) == ([one], "REPORTED")
    assert then["as_of"] == "2026-03-11T04:59:59.999999Z"
    assert installation("case", one, "--as-of", "2026-03-01").code == 2
    assert installation("case", one, "--as-of", "soon").code == 2


def test_anybody_may_say_anything(installation: Installation) -> None:
    one, two = record("PPL-51"), record("PPL-52")
    published(installation, line("PPL-51"), line("PPL-52"))
    for words in (
        ("assert", one, two, "--because", "x"),
        ("assert", one, two, "--because", "x", "--by", "desk 4"),
        ("assert", one, two, "--because", "x", "--by", "me", "--agency", "riverton-tenants"),
        ("assert", one, two, "--because", "x", "--by", "me", "--agency", "atlantis"),
        ("assert", one, two, "--because", " ", "--by", "me", "--agency", "riverton-311"),
        ("assert", one, one, "--because", "x", "--by", "me", "--agency", "riverton-311"),
        ("note", one, "x" * 300, "--by", "me", "--agency", "riverton-311"),
    ):
        refused = installation(*words)
        assert (refused.code, refused.out) == (2, ""), refused
        assert "->" in refused.err, "how to mend it"
    forged = line("PPL-53", type="link.asserted", refs=[one, two])
    assert installation("publish", "events", "-", stdin=forged).code == 3
    assert installation.case(one)["records"] == [one]
