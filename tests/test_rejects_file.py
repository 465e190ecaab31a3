"""Where rejects are written: beside files of any name, and over nothing that is no rejects."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from installation import call, line

from connectors import source
from crosstown.completeness.manifest import Manifest
from crosstown.completeness.tally import Expected, Tally
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.errors import Stop
from crosstown.home import Endpoints, Home
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.publish import publish
from crosstown.publishing.rejects import check_place
from crosstown.settings import Settings
from crosstown.source import Source

LATIN = os.fsdecode(b"caf\xe9.ndjson")
"""A file as a system of twenty years names it; no UTF-8."""
no_text = pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")


@no_text
def test_name_in_latin_1_is_forgotten_or_ends_the_call_when_all_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with Ledger(file) as ledger:
        ledger.wrote_rejects(tmp_path / LATIN)
        ledger.wrote_rejects(tmp_path / LATIN)
        ledger.wrote_rejects(tmp_path / "é.csv")
    with sqlite3.connect(file) as older:
        older.execute("INSERT INTO rejects VALUES ('/as/text.csv')")
        assert ("text", str(tmp_path / "é.csv")) in older.execute(
            "SELECT typeof(file), file FROM rejects"
        ).fetchall(), "as older versions read it"
    older.close()
    with Ledger(file) as ledger:
        assert set(ledger.reject_files()) == {
            tmp_path / LATIN, tmp_path / "é.csv", Path("/as/text.csv")
        }  # fmt: skip


@no_text
def test_count_of_a_file_named_in_latin_1_cannot_be_sent() -> None:
    found = Tally(Expected(Manifest(rows=0), "expected")).count(
        "any/events", "riverton-311", day="2026-03-02", file=LATIN, known=0, refused=""
    )
    assert found.record
    assert str(found.body("us-xx-riverton", 0)["file"]) == r"caf\udce9.ndjson"


@no_text
def test_name_in_latin_1_cannot_be_said(home: Path, tmp_path: Path) -> None:
    file = tmp_path / LATIN
    file.write_text("".join(line(f"LAT-{n}") for n in range(12)), "utf-8")
    said = call(home, "publish", "events", str(file), "--dry-run",
                PYTHONIOENCODING="utf-8:strict").ok()  # fmt: skip
    assert r"caf\udce9.ndjson: 12 events" in said.err
    assert "2 more of" in said.out


def _publish(home: Path, file: Path, rejects: Path | None) -> None:
    """Publish one file where no Kafka is: what is wrong with the call comes first."""
    settings = Settings(home=home)

    def make(naming: Naming) -> Source:
        return source("events", naming)

    publish(settings, Endpoints("127.0.0.1:9", "http://127.0.0.1:9"), Repository.of(settings), make,
            [file], rejects=rejects, patience=0)  # fmt: skip


@pytest.mark.parametrize("spelt", ["absolute", "dots", "symlink", "hard link"])
def test_rejects_take_the_place_of_the_input_spelt_otherwise(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelt: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file, link = Path("said.ndjson"), tmp_path / "link"
    file.write_text(line("PLACE-1"), "utf-8")
    other = {"absolute": file.absolute(), "dots": Path("home/../said.ndjson")}.get(spelt, link)
    if spelt == "symlink":
        link.symlink_to(file)
    if spelt == "hard link":
        link.hardlink_to(file)
    with pytest.raises(Stop, match="is one of the files to publish"):
        _publish(home, file, other)


def test_rejects_take_the_place_of_somebodys_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "said.ndjson"
    file.write_text(line("PLACE-2"), "utf-8")
    budget = tmp_path / "budget.csv"
    for place, rejects in (
        (budget, budget),
        (tmp_path / "new.csv.part", tmp_path / "new.csv"),
        (tmp_path / "said.ndjson.rejects.csv", None),
    ):
        place.write_text("year,sum\n2026,1\n", "utf-8")
        with pytest.raises(Stop, match=f"{place.name} is there .* nothing was sent"):
            _publish(home, file, rejects)
        assert place.read_text("utf-8") == "year,sum\n2026,1\n"
        with Ledger(Home(home).ledger) as ledger:
            assert ledger.reject_files() == []


def test_rejects_of_an_earlier_call_are_in_the_way(tmp_path: Path) -> None:
    place = tmp_path / "rejects.csv"
    check_place(place, [])
    for text in ("", "row,column,reason,raw\r\n", "row,column,reason,raw,file\r\n"):
        place.write_text(text, "utf-8")
        check_place(place, [])
    check_place(tmp_path / ("x" * 255), [])  # no name for a file: writing says so
    place.write_text("row;column;reason\r\n", "utf-8")  # saved by a spreadsheet
    check_place(place, [place])
    with pytest.raises(Stop):
        check_place(place, [])
    with pytest.raises(Stop):
        check_place(tmp_path, [])
