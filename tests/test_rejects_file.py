"""Where rejects are written: beside files of any name, and over nothing that is no rejects."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from installation import call, line

from crosstown.completeness.manifest import Manifest
from crosstown.completeness.tally import Expected, Tally
from crosstown.publishing.ledger import Ledger

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
