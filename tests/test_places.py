"""Places from address text: nobody is joined with a stranger, and doubt is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest
from boston_files import are_real, boston_files
from hypothesis import given
from hypothesis import strategies as st
from installation import call

from bench.places import table
from connectors.csv_file import CsvFile, Row
from connectors.places import Doubt, Gazetteer, Match, NoMatch, address
from crosstown.contracts.agencies import Agencies, AgenciesFile
from crosstown.contracts.naming import Naming
from crosstown.errors import Stop
from crosstown.source import Said

DOC = (Path(__file__).parents[1] / "docs" / "places.md").read_text("utf-8")
LISTED = """address,place
12 Elm St,p1
14-18 Elm St,p2
12 Elm Ave,p3
"20 Main St, Eastside",p4
"20 Main St, Westside",p5
"30 Main St, Westside",p6
INTERSECTION of Elm St & Oak Ave,p7
7A Court Rd,p8
40 Saint James St,p9
"""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    file = tmp_path / "listed.csv"
    file.write_text(LISTED, "utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("12 ELM STREET", "p1"), ("12 Elm St., Apt 3", "p1"), ("12  Elm St #4B", "p1"),
        ("012 Elm St", "p1"), ("12 Elm St Riverton", ""), ("14-18 Elm Street", "p2"),
        ("12 Elm Avenue", "p3"), ("20 Main St, Eastside", "p4"), ("30 Main St", "p6"),
        ("Oak Avenue & Elm Street", "p7"), ("corner of Elm St and Oak Ave", "p7"),
        ("7a Court Road", "p8"),
    ],
)  # fmt: skip
def test_one_address_in_two_spellings_is_two_places(text: str, place: str, listed: Path) -> None:
    found = Gazetteer.read(listed).find(text)
    assert found.place == place
    assert isinstance(found, Match) == bool(place)


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("12 Elm", {"p1", "p3"}), ("16 Elm St", {"p2"}), ("14 Elm St", {"p2"}),
        ("20 Main St", {"p4", "p5"}), ("30 Main St, Eastside", {"p6"}), ("12 Elmm St", {"p1"}),
        ("7 Court Rd", {"p8"}), ("12-12B Elm St", {"p1"}),
    ],
)  # fmt: skip
def test_doubt_is_taken_for_a_match(text: str, candidates: set[str], listed: Path) -> None:
    found = Gazetteer.read(listed).find(text)
    assert isinstance(found, Doubt), found
    assert set(found.candidates) >= candidates
    assert (found.place, found.flags) == ("", ("place_doubt",))


@pytest.mark.parametrize(
    "text",
    ["", "0 Elm St", "behind the school", "99 Elm St", "15 Elm St", "12 Oak Ave", "12", "Elm St",
     "12 Elm St" * 50, "\0", "🏚️ 12", "PO Box 12", "Elm St & Pine St", "12 & 14 Elm St"],
)  # fmt: skip
def test_stranger_is_taken_for_a_match(text: str, listed: Path) -> None:
    found = Gazetteer.read(listed).find(text)
    assert not isinstance(found, Match), found
    assert found.flags


@given(st.text(max_size=60))
def test_hostile_text_ends_the_run(text: str) -> None:
    one = Gazetteer()
    one.add(text, "p")
    one.add("12 Elm St", "q")
    assert isinstance(one.find(text), Match | Doubt | NoMatch)
    assert address(text) is None or one.find(text).place == "p"


class Dump(CsvFile):
    """A system of twenty years that only has what somebody typed."""

    name = "dump"
    columns: ClassVar = ("No", "Address")
    places: ClassVar[Gazetteer]

    def events(self, row: Row) -> list[Said]:
        found = self.places.find(row["Address"])
        return [Said("x/y", "x", {"place": found.place, "flags": [*found.flags]}, row.line)]


def test_row_with_a_doubtful_address_is_rejected(listed: Path, tmp_path: Path) -> None:
    Dump.places = Gazetteer.read(listed)
    night = tmp_path / "night.csv"
    night.write_text("No,Address\n1,12 Elm St\n2,16 Elm St\n3,nowhere\n", "utf-8")
    naming = Naming(Agencies(AgenciesFile.model_validate({"jurisdictions": [], "agencies": []})))
    said = [one.body for one in Dump(naming).read(night) if isinstance(one, Said)]
    assert said == [
        {"place": "p1", "flags": []}, {"place": "", "flags": ["place_doubt"]},
        {"place": "", "flags": ["place_unknown"]},
    ]  # fmt: skip


def test_decision_is_asked_for_twice(listed: Path, tmp_path: Path) -> None:
    night, doubts = tmp_path / "night.csv", tmp_path / "doubts.csv"
    night.write_text("Address\n12 Elm\n16 Elm St\nnowhere\n12 Elm St\n", "utf-8")
    words = ("places", str(listed), str(night), "--column", "Address")
    said = call(tmp_path, *words, "--doubts", str(doubts)).ok()
    assert "1 matches, 2 in doubt, 1 unknown, of 4 different addresses" in said.out
    assert call(tmp_path, *words, "--doubts", str(doubts)).code == 2, "decisions are overwritten"
    text = (
        doubts.read_text("utf-8")
        .replace("12 Elm,,", "12 Elm,p1,")
        .replace("nowhere,,", "nowhere,-,")
    )
    doubts.write_text(text, "utf-8")
    rows = call(tmp_path, *words, "--decided", str(doubts), "-o", "json").ok().lines()
    assert [(row["answer"], row["place"]) for row in rows] == [
        ("match", "p1"), ("doubt", None), ("nomatch", None), ("match", "p1"),
    ]  # fmt: skip
    assert rows[2]["why"] == "a person said that it is none"
    assert json.dumps(rows)
    for broken in (("places", str(night), str(night)), ("places", "gone.csv", str(night)),
                   ("places", str(listed), str(night), "--column", "Nr")):  # fmt: skip
        said = call(tmp_path, *broken)
        assert (said.code, "->" in said.err) == (2, True), said


def test_list_that_cannot_be_read_is_a_riddle(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    for content in (b"", b"a,b\n1,2\n", b"address,place\n\xff\xfe,1\n"):
        file.write_bytes(content)
        with pytest.raises(Stop) as caught:
            Gazetteer.read(file)
        assert caught.value.mend


def test_figures_of_the_page_do_not_come_out(tmp_path: Path) -> None:
    exports = boston_files(tmp_path)
    rows = table(exports) if are_real(exports) else []
    for row in rows:
        assert row in DOC
