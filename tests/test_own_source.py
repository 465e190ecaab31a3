"""A city's own source and contract, made by following docs/your-own-source.md word by word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installation import Said, call

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-own-source.md").read_text("utf-8")
COMMANDS = re.findall(r"^crosstown (?:new|check|certify|publish)[^\n]*$", PAGE.partition("by hand")[0],
                      re.MULTILINE)  # fmt: skip
SHOWN = re.search(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = ("night.csv", "contracts/agencies.yaml", "contracts/concerns.yaml",
         "contracts/smallville-housing/visits.v1.avsc",
         "contracts/smallville-housing/visits.v1.yaml", "sources/visits.py")  # fmt: skip


def written(folder: Path) -> None:
    """The page's files: each block of code is the file that was named last before it."""
    head, _, by_hand = PAGE.partition("# What was written, by hand")
    assert by_hand
    rest = f"{head.partition('## 1')[0]}{by_hand}"
    for name in NAMES:
        _, found, rest = rest.partition(f"`{name}`")
        block = re.search(r"^```[a-z]+\n(.*?)^```$", rest, re.MULTILINE | re.DOTALL)
        assert found, f"the page names no {name}"
        assert block, f"no block of code follows {name}"
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.group(1), "utf-8")


@pytest.fixture
def crosstown(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[
    Callable[..., Said]
]:  # fmt: skip
    written(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, stdin: str = "") -> Said:
        return call(home, *words, stdin=stdin, CROSSTOWN_SCHEMAS=str(tmp_path / "contracts"),
                    CROSSTOWN_CONNECTORS=str(tmp_path / "sources"))  # fmt: skip

    yield run
    run("down")


def test_page_shows_another_dry_run_than_there_is(crosstown: Callable[..., Said]) -> None:
    said = crosstown("publish", "visits", "night.csv", "--dry-run")
    assert said.code == 3
    assert SHOWN is not None
    assert said.out + said.err == SHOWN.group(1)


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ('row.need("No")', '1 + row["No"]', "source-failed: TypeError"),
        ('row.need("No")', 'int(row["No"])', "not-in-schema: TypeError: must be string on field"),
        ('row["Result"]', 'row["Outcome"]', "missing-columns"),
        ('"notes": row', '"note": row', "not-in-schema"),
    ],
)
def test_slip_in_a_citys_source_is_a_fault_of_ours(
    crosstown: Callable[..., Said], tmp_path: Path, right: str, wrong: str, reason: str
) -> None:
    file = tmp_path / "sources" / "visits.py"
    text = file.read_text("utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong), "utf-8")
    said = crosstown("publish", "visits", "night.csv", "--dry-run")
    assert said.code == 3
    assert "a fault of ours" not in said.err
    why, _, detail = reason.partition(": ")
    assert f"x {why}, first: night.csv row 2" in said.err
    assert detail in said.err
    if why == "source-failed":
        line = text[: text.index(right)].count("\n") + 1
        assert f"(visits.py line {line})" in said.err


def test_night_of_the_page_ends_without_a_case(crosstown: Callable[..., Said], home: Path) -> None:
    call(home, "up", "--detach").ok()
    forgotten = crosstown("publish", "visits", "night.csv")
    assert (forgotten.code, forgotten.out) == (2, ""), "it would die at intake, and be known here"
    assert "CROSSTOWN_SCHEMAS" in forgotten.err
    crosstown("down").ok()
    crosstown("up", "--detach").ok()
    first = crosstown("publish", "visits", "night.csv", "-o", "json")
    assert (first.code, first.json()["published"], first.json()["rejected"]) == (3, 3, 1)
    assert crosstown("publish", "visits", "night.csv", "-o", "json").json()["published"] == 0
    call_311 = (
        '{"agency": "smallville-311", "record": "smallville-311/request/S-7", "type": "called",'
        ' "occurred_at": "2025-01-13T07:00:00-06:00", "jurisdiction": "us-xx-smallville"}'
    )
    crosstown("publish", "events", "-", stdin=call_311).ok()
    figures = crosstown("stats", "--wait", "-o", "json").ok().json()
    assert (figures["events"], figures["cases"], figures["dead_letters"]) == (4, 2, 0)
    assert figures["cross_agency_cases"] == 1
    shown = crosstown("case", "12 Elm Street").ok().out
    assert "Smallville Housing" in shown
    assert "names smallville-311/request/S-7" in shown
    assert "Mrs. Doe" not in shown


def test_first_path_of_the_page_ends_before_the_certificate(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    block = re.search(r"^```csv\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block
    good = block.group(1).replace("14 January", "01/14/2025 10:00")
    Path("night.csv").write_text(block.group(1), "utf-8")

    def run(command: str) -> Said:
        return call(home, *command.split()[1:], CROSSTOWN_SCHEMAS=str(tmp_path / "contracts"))

    new, check, certify, dry_run, *_ = COMMANDS
    call(home, *new.split()[1:]).ok()
    asked = run(check)
    assert asked.code == 3
    shown = re.search(r"^(contracts/.*)\n(  -> .*)$", PAGE, re.MULTILINE)
    assert shown
    assert shown.group(0) in asked.out
    assert asked.out.count("\n  -> ") == asked.out.count(": question: ") > 4
    for file in (*Path("contracts").rglob("*.yaml"), *Path("contracts").rglob("*.py")):
        text = re.sub(r"^ *# QUESTION: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
        file.write_text(text.replace("???", "tenants@housing.example"), "utf-8")
    run(check).ok()
    seen = run(dry_run)
    assert (seen.code, "3 events, 1 rows rejected" in seen.err) == (3, True), seen
    Path("night.csv").write_text(good, "utf-8")
    run(certify).ok()
    told = json.loads(Path("certificate-smallville-housing.json").read_text("utf-8"))
    assert told["holds"] is True
