"""A department that nobody has described: from its CSV to a contract, its answers, a certificate."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from installation import Said, call

from crosstown.cli.new import _clock
from crosstown.onboarding.columns import CLASSES, Kind, columns
from crosstown.onboarding.examples import INVENTED
from crosstown.onboarding.plan import plan

NIGHT: Final = "contracts/sources/parks_trees_work_orders.py"
HEAD: Final = ("Auftrag;Gemeldet;Geprüft;Erledigt;Frist;Baumart;Adresse;Meldung Nr;Melder;Telefon;"
               "Ergebnis;Bemerkung;Höhe m;Stand;;Baumart")  # fmt: skip
CANARIES: Final = ("Jürgen", "O'Neil", "212-555-10", "Lindenweg", "Gehweg", "räumen")
"""What people wrote into the file that no file made from it may hold."""
ANSWERS: Final = {
    "Whose territory": ("id: xx-parks", "id: xx-parks"),
    "time zone": ("timezone: UTC", "timezone: Europe/Berlin"),
    "What is parks-trees": ("kind: department", "kind: authority"),
    "What are these events for": ("???", "What became of a tree that somebody reported."),
    "Whom does somebody ask": ("???", "trees@parks.example"),
    "once a day": ("frequency", "frequency"),
    "be kept": ("retention", "retention"),
    "classification": ("properties:", "properties:"),
    "mean for the record": ("step:", "step:"),
    "which concern": ('""', "trees"),
    "Whose numbers": ("[]", '[{template: "parks-311/request/{meldung_nr}"}]'),
}
"""Each question by a word of it: what stands below it, and the answer."""


def night() -> str:
    """Forty rows as a system of twenty years writes them; the eleventh has a broken time."""
    rows = [HEAD]
    for i in range(40):
        asked = "14. Januar" if i == 10 else f"{i % 28 + 1:02}.01.2025 08:{i:02}"
        seen = f"{i % 28 + 1:02}.02.2025 09:00" if i % 2 == 0 else ""
        done = f"{i % 28 + 1:02}.03.2025 15:30" if i % 4 == 0 else ""
        rows.append(";".join([
            f"BA-{4000 + i}", asked, seen, done, f"{i % 28 + 1:02}.04.2025",
            ("Linde", "Ahorn", "Eiche")[i % 3], f"{i + 1} Lindenweg", f"S-{700 + i}" if i % 3 else "",
            ("Müller, Jürgen", "O'Neil, Pat")[i % 2], f"212-555-{1000 + i}", "gefällt" if done else "",
            '"Ast auf ""Gehweg""; bitte bald räumen, danke an alle"', f"{i},5",
            "fertig" if done else "offen", "x", "y"]))  # fmt: skip
    return "\r\n".join([*rows, "\x1a"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Baumaufträge 2025.csv").write_bytes(night().encode("cp1252"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(home: Path, file: str = "Baumaufträge 2025.csv", *more: str) -> Said:
    return call(
        home, "new", "contract", file, "--agency", "parks-trees", "--name", "work-orders", *more
    )


def findings(home: Path) -> list[dict[str, Any]]:
    said = call(home, "check", "contracts", "-o", "json").json()
    found = said["findings"]
    assert isinstance(found, list)
    return found


def answer(question: dict[str, Any], old: str, new: str) -> None:
    """Put the answer into the line below a question, and take the question away."""
    file = Path(question["file"])
    lines = file.read_text("utf-8").splitlines()
    at = question["line"] - 1
    assert lines[at].strip().startswith("# QUESTION: ")
    assert old in lines[at + 1], (lines[at], lines[at + 1])
    lines[at : at + 2] = [lines[at + 1].replace(old, new)]
    file.write_text("\n".join(lines) + "\n", "utf-8")


def answer_all(home: Path) -> None:
    concern_trees()
    for left in range(len(ANSWERS), 0, -1):
        found = findings(home)
        assert len(found) == left
        (key,) = [word for word in ANSWERS if word in found[0]["what"]]
        answer(found[0], *ANSWERS[key])


def concern_trees() -> None:
    file = Path("contracts/concerns.yaml")
    file.write_text(
        file.read_text("utf-8").replace("concerns: []", "concerns: [{id: trees}]"), "utf-8"
    )


def test_check_finds_what_is_no_question_or_one_that_cannot_be_answered(
    folder: Path, home: Path
) -> None:
    made(home).ok()
    found = findings(home)
    assert {one["rule"] for one in found} == {"question"}
    assert len(found) == len({one["what"] for one in found}) == len(ANSWERS)
    assert all(one["mend"] for one in found)
    env = {"CROSSTOWN_SCHEMAS": "contracts"}
    words = ("publish", "parks-trees-work-orders", "Baumaufträge 2025.csv", "--dry-run")
    early = call(home, *words, **env)
    assert early.code == 2, "a question that is open must not be published over"
    assert "an open question" in early.err
    answer_all(home)
    concern_trees()
    assert findings(home) == []
    said = call(home, *words, "-o", "json", **env)
    assert said.code == 3, "the row with a broken time is a reject"
    assert "68 events, 1 rows rejected" in said.err
    first = said.lines()[0]
    assert first["occurred_at"] == "2025-01-01T07:00:00Z", "Berlin's clock, day first"
    assert (first["record"], first["step"]) == ("parks-trees/work-order/BA-4000", "REPORTED")
    assert first["place"] == "address:1-lindenweg"
    assert folder.exists()


def test_what_people_wrote_is_in_a_file_that_was_made(folder: Path, home: Path) -> None:
    made(home).ok()
    files = [one for one in (folder / "contracts").rglob("*") if one.is_file()]
    assert len(files) == 8
    for file in files:
        text = file.read_text("utf-8")
        assert [one for one in CANARIES if one in text] == [], file
    assert any(
        "Ahorn" in file.read_text("utf-8") or "Linde" in file.read_text("utf-8") for file in files
    )


def test_what_was_asked_for_is_ignored_in_silence(folder: Path, home: Path) -> None:
    cross = ("Main St", "Oak Ave", "Elm St")
    rows = [f"L-{i},01/{i % 28 + 1:02}/2025 14:05,{i} Elm St,{cross[i % 3]},{('OUT', 'DAY')[i % 2]}"
            for i in range(40)]  # fmt: skip
    text = "\n".join(["Ticket,Reported,Address,Cross St,Prob Cd", *rows])
    (folder / "SLREXPRT.TXT").write_text(text, "utf-8")
    words = ("new", "contract", "SLREXPRT.TXT", "--agency", "parks-lights")
    first = call(home, *words).ok().out
    assert "'slrexprt'" in first, "the file's name stays in every id, and nobody is told"
    assert "--name WORD" in first
    contract = (folder / "contracts/parks-lights/slrexprt.v1.yaml").read_text("utf-8")
    assert "{prob_cd}" in contract, "the headline says the cross street"
    assert "by code: {field: prob_cd" in contract
    again = call(home, *words, "--name", "lights", "--timezone", "America/Chicago").ok()
    assert "weren't used" in again.err
    assert "--name WORD" not in again.out


def test_files_that_are_there_are_written_over(folder: Path, home: Path) -> None:
    made(home).ok()
    mine = folder / NIGHT
    mine.write_text("mine", "utf-8")
    (folder / "contracts/parks-trees/work-orders.v1.avsc").unlink()
    again = made(home, "Baumaufträge 2025.csv")
    assert (again.code, "there already" in again.err) == (2, True)
    assert mine.read_text("utf-8") == "mine"
    assert not (folder / "contracts/parks-trees/work-orders.v1.avsc").exists()


def test_day_and_month_are_guessed(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        f"{i},{i % 12 + 1:02}/{i % 11 + 1:02}/2025 10:00,{i % 12 + 1:02}/{i % 9 + 1:02}/2025"
        for i in range(30)
    ]
    Path("n.csv").write_text("\n".join(["No,Asked,Done", *rows]), "utf-8")
    made(
        home,
        "n.csv",
        "--jurisdiction",
        "us-xx-town",
        "--timezone",
        "America/Chicago",
        "--kind",
        "county",
    ).ok()
    (asked,) = [one for one in findings(home) if one["file"].endswith(".py")]
    assert "Which is the day in Asked" in asked["what"]
    answer(asked, '"???"', '"%d/%m/%Y"')
    for one in reversed([q for q in findings(home) if q["rule"] == "question"]):
        answer(one, "", "")
    assert [one["what"] for one in findings(home)] == ["??? still stands here"] * 2
    contract = Path("contracts/parks-trees/work-orders.v1.yaml")
    contract.write_text(contract.read_text("utf-8").replace("???", "x"), "utf-8")
    said = call(home, "publish", "parks-trees-work-orders", "n.csv", "--dry-run", "-o", "json",
                CROSSTOWN_SCHEMAS="contracts").ok()  # fmt: skip
    assert said.lines()[2]["occurred_at"] == "2025-02-02T16:00:00Z"
    other = next(line for line in said.lines() if line["record"].endswith("/2"))
    assert other["occurred_at"] == "2025-03-03T16:00:00Z"


def test_rows_that_are_steps_become_records(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{100 + i // 3},{i % 3},{('NEW', 'SENT OUT', 'DONE')[i % 3]},202501{i % 27 + 1:02} 101500"
            for i in range(60)]  # fmt: skip
    Path("n.csv").write_text("\n".join(["ORDER_NO,LINE,STATUS_CD,TS", *rows]), "utf-8")
    made(home, "n.csv").ok()
    text = Path("contracts/parks-trees/work-orders.v1.yaml").read_text("utf-8")
    assert "identity: [line]" in text
    assert re.search(r'"new": REPORTED\n\s+"sent-out": OTHER\n\s+"done": CLOSED', text)
    for one in reversed(findings(home)):
        answer(one, "", "")
    for file in Path("contracts").rglob("*.yaml"):
        file.write_text(file.read_text("utf-8").replace("???", "x"), "utf-8")
    assert findings(home) == []
    said = call(home, "publish", "parks-trees-work-orders", "n.csv", "--dry-run", "-o", "json",
                CROSSTOWN_SCHEMAS="contracts").ok()  # fmt: skip
    assert "60 events, 0 rows rejected" in said.err
    assert [line["type"] for line in said.lines()[:3]] == [
        "work-order.new", "work-order.sent-out", "work-order.done"]  # fmt: skip


HOSTILE: Final[dict[str, tuple[bytes, str]]] = {
    "empty": (b"", "empty-file"),
    "only blanks": (b" \r\n\t\r\n", "empty-file"),
    "a head only": (b"No,Asked\r\n", "no-rows"),
    "rows of nothing": (b"No,Asked\n,\n,\n", "no-rows"),
    "one column": (b"No\n1\n2\n", "one-column"),
    "900 columns": (",".join(f"C{i}" for i in range(900)).encode() + b"\n", "too-many-columns"),
    "NUL bytes": (b"No,As\0ked\n1,2025-01-02\n", "not-text"),
    "no text": (bytes(range(256)) * 40, "not-text"),
    "a spreadsheet": (b"PK\x03\x04" + b"x" * 900, "not-text"),
    "one endless line": (b"x" * 17_000_000, "no-lines"),
    "a quote that never closes": (b'No,"Asked\n1,2025-01-02\n', "no-header"),
    "a spreadsheet's first line": (b"sep=;\nNo;Asked\n1;2025-01-02\n", "sep-line"),
    "no time": (b"No,Name\n1,a\n2,b\n", "no-time"),
    "no number": (b"Text,Asked\nfoo,2025-01-02 10:00\nbar,2025-01-03 10:00\n", "no-number"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_no_clear_word(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("n.csv").write_bytes(raw)
    said = made(home, "n.csv")
    assert (said.code, said.out) == (3, "")
    assert f"crosstown: {reason}" in said.err
    assert "  -> " in said.err
    assert not Path("contracts").exists()


EVIL: Final = (
    b'No,Asked,"a"";import os;{x}","b\': # QUESTION: x",${jndi}\n'
    b'1,2025-01-02 10:00,"x""}]{",k: v,"# QUESTION: y"\n2,2025-01-03 10:00,q,z,"{number}"\n'
)
ODD: Final[dict[str, tuple[bytes, int, int]]] = {
    "300 columns": ((",".join(f"C{i}" for i in range(300)) + "\n" + "".join(
        f"{1000 + j},2025-01-0{j + 1} 10:00{',x' * 298}\n" for j in range(9))).encode(), 9, 0),
    "a cell of 10 MB": (b"No,Asked,Text\n1,2025-01-02 10:00," + b"x" * 10_000_000
                        + b"\n2,2025-01-03 10:00,a\n3,2025-01-04 10:00,b\n", 2, 1),
    "a head that says one thing twice": (
        b"No,Date,Date,,No\n1,2025-01-02 10:00,2025-01-03 10:00,a,7\n2,2025-01-02 10:00,,b,8\n", 3, 0),
    "ragged": (b"No,Asked\n1,2025-01-02 10:00\n2\n3,2025-01-02,4\n4,2025-02-02 10:00\n", 2, 2),
    "one row": (b"No,Asked\n1,2025-01-02 10:00\n", 1, 0),
    "UTF-16": ("No;Asked;Straße\n1;2025-01-02 10:00;x\n2;2025-01-03 10:00;y\n".encode("utf-16"), 2, 0),
    "DOS": ("No;Asked;Ort\r\n1;2025-01-02 10:00;Müller\r\n2;2025-01-02 11:00;Grün\r\n\x1a".encode("cp850"), 2, 0),
    "a head of code": (EVIL, 2, 0),
    "times with their zone": (b"id,opened\n" + b"".join(b"A%d,2025-01-0%dT10:00:00-05:00\n" % (i, i)
                                                         for i in range(1, 9)), 8, 0),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "events", "rejected"), ODD.values(), ids=ODD)
def test_an_odd_file_becomes_what_check_refuses(
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    raw: bytes,
    events: int,
    rejected: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("n.csv").write_bytes(raw)
    made(home, "n.csv").ok()
    found = findings(home)
    assert {one["rule"] for one in found} == {"question"}
    for file in (*Path("contracts").rglob("*.yaml"), *Path("contracts").rglob("*.py")):
        text = re.sub(r"^ *# QUESTION: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
        file.write_text(text.replace("???", "x"), "utf-8")
    assert findings(home) == []
    said = call(
        home,
        "publish",
        "parks-trees-work-orders",
        "n.csv",
        "--dry-run",
        CROSSTOWN_SCHEMAS="contracts",
    )
    assert f"{events} events, {rejected} rows rejected" in said.err


def test_a_broken_contract_gets_a_good_certificate_or_none(folder: Path, home: Path) -> None:
    made(home).ok()
    said = call(home, "certify", "parks-trees", "Baumaufträge 2025.csv")
    assert said.code == 3
    told = json.loads((folder / "certificate-parks-trees.json").read_text("utf-8"))
    assert told["holds"] is False
    assert told["trials"][0]["holds"] is False
    assert {one["holds"] for one in told["trials"][1:]} == {None}
    assert "does not hold" in (folder / "certificate-parks-trees.html").read_text("utf-8")
    assert [one.name for one in folder.iterdir() if one.suffix == ".part"] == []
    unknown = call(home, "certify", "parks")
    assert (unknown.code, "parks-trees" in unknown.err) == (2, True)


def test_a_good_department_gets_no_certificate(folder: Path, home: Path) -> None:
    made(home).ok()
    answer_all(home)
    concern_trees()
    file = folder / "contracts/parks-trees/work-orders.v1.yaml"
    named = file.read_text("utf-8").replace(
        "team:\n", "team:\n  description: <script>alert(1)</script>\n"
    )
    file.write_text(named, "utf-8")
    agencies = folder / "contracts/agencies.yaml"
    agencies.write_text(
        agencies.read_text("utf-8").replace("Parks Trees", "Parks <b>& Trees"), "utf-8"
    )
    said = call(home, "certify", "parks-trees", "Baumaufträge 2025.csv", "-o", "json",
                CROSSTOWN_BOOTSTRAP="nowhere.invalid:1")  # fmt: skip
    told = said.json()
    failed = [one for one in told["trials"] if one["holds"] is False]
    assert (said.code, failed) == (0, [])
    assert [one["holds"] for one in told["trials"]].count(None) == 2
    counts = told["counts"]
    assert (counts["rows"], counts["rejected"], counts["dead_letters"]) == (40, 1, 1)
    assert counts["accepted"] == 68 + counts["examples"]
    assert told["rejected_by_reason"] == {"broken-date": 1}
    assert len(told["sha256"]["Baumaufträge 2025.csv"]) == 64
    page = (folder / "certificate-parks-trees.html").read_text("utf-8")
    assert "Parks &lt;b&gt;&amp; Trees" in page
    assert "<b>" not in page
    whole = page + (folder / "certificate-parks-trees.json").read_text("utf-8")
    assert [one for one in (*CANARIES, "14. Januar") if one in whole] == []
    assert not home.exists() or not (home / "run").exists(), "the caller's home is left alone"
    shutil.rmtree(folder / "contracts")


def test_a_kind_of_column_has_no_sensitivity_or_nothing_to_stand_in_for_it() -> None:
    assert set(CLASSES) == set(INVENTED) == set(Kind)


def test_a_wards_name_or_a_persons_column_is_taken_for_something_else() -> None:
    rows = [(f"R-{i}", f"2025-01-{i % 28 + 1:02} 10:00", f"Ward {i % 9}", ("Mr. Ito", "Ms. Ode")[i % 2],
             "42.35", f"078-05-11{i:02}") for i in range(30)]  # fmt: skip
    found = columns(("No", "Opened", "ward", "Lead", "Latitude", "Remark code"), rows, _clock)
    assert [one.kind for one in found] == [
        Kind.TEXT, Kind.MOMENT, Kind.CODE, Kind.PERSON, Kind.SPOT, Kind.SECRET]  # fmt: skip
    assert "Remark code" in [one.header for one, _ in plan(found, rows).left_out]
