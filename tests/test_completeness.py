"""Completeness on real Kafka: what a source counted, and where something got lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, Said, call, line
from jsonschema import Draft202012Validator

GOLDEN = Path(__file__).parent / "golden" / "cli" / "completeness.schema.json"
DAY = "2026-03-04"
HEADER = (
    "Inspection No,Complaint,Complaint Text,Address,Received,311 No,Scheduled,Inspected,Result,"
    "Re-Inspected,Re-Result\n"
)


def export(folder: Path, name: str, *numbers: str, broken: str = "") -> Path:
    """A nightly file of housing, one complaint a number; a broken one has no time."""
    file = folder / name
    rows = [f"{n},HEAT,No heat,12 Elm St,{'' if n == broken else '03/02/2026 08:30 AM'},,,,,,\n"
            for n in numbers]  # fmt: skip
    file.write_text(HEADER + "".join(rows), "utf-8")
    return file


def publish(home: Installation, file: Path, *words: str) -> Said:
    at = ("--known-at", f"{DAY}T23:00:00Z")
    return home("publish", "riverton-housing", str(file), *at, *words, "-o", "json")


def asked(home: Installation, contract: str, day: str = DAY) -> dict[str, Any]:
    said = home("completeness", "--day", day, "--contract", contract, "-o", "json")
    assert said.code in (0, 3), said
    (row,) = said.lines()
    for error in Draft202012Validator(json.loads(GOLDEN.read_text("utf-8"))).iter_errors(row):
        pytest.fail(f"completeness: {error.json_path}: {error.message}"[:500])
    assert row["complete"] == (said.code == 0)
    states = ("accepted", "erased", "under_way", "not_accepted")
    assert row["published"] == sum(row[name] for name in states) + sum(row["dead_letters"].values())
    assert row["accepted"] == row["joined"] + row["aside"] + row["not_joined"]
    return row


def test_nightly_file_that_was_cut_off_looks_whole(
    installation: Installation, tmp_path: Path
) -> None:
    file = export(tmp_path, "cut.csv", "CUT-1", "CUT-2")
    manifest = {"rows": 3, "records": ["CUT-1", "CUT-2", "riverton-housing/inspection/CUT-3"]}
    (tmp_path / "cut.csv.manifest.json").write_text(json.dumps(manifest), "utf-8")
    said = publish(installation, file)
    assert said.code == 3
    assert said.json()["files"][0]["missing"] == ["riverton-housing/inspection/CUT-3"]
    row = asked(installation, "riverton-housing/inspections")
    (count,) = (one for one in row["counts"] if one["file"] == "cut.csv")
    assert (count["counted"], count["read"], count["said"]) == (3, 2, 2)
    why = [(one["stage"], one["record"]) for one in row["differences"] if one["at"] == "cut.csv"]
    assert why == [("not read", ""), ("not read", "riverton-housing/inspection/CUT-3")]
