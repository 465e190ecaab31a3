"""The sample county's exports as events: recognised, complete, and without free text outside."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from riverton_said import CALL, envelope, read, said

from connectors.riverton import SYSTEMS
from connectors.street import street_key
from crosstown.errors import Refused
from crosstown.sample import write
from crosstown.sample.columns import FILES
from crosstown.sample.words import PEOPLE, REMARKS, VOLUNTEERS
from crosstown.source import Reject, Said


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("exports"))


def save(path: Path, columns: tuple[str, ...], *rows: dict[str, str], **how: str) -> Path:
    with path.open("w", encoding=how.get("encoding", "utf-8"), newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator=how.get("end", "\n"))
        writer.writeheader()
        for row in rows:
            writer.writerow(dict.fromkeys(columns, "") | row)
    return path


def bodies(file: Path) -> list[Said]:
    found = read(file)
    assert all(isinstance(one, Said) for one in found), found
    return [one for one in found if isinstance(one, Said)]


INSPECTION = {
    "Inspection No": "HI-1", "Complaint": "H", "Complaint Text": "Heat", "Address": "12 ELM ST",
    "Received": "11/03/2024 01:30 AM", "311 No": "SR-77", "Inspected": "11/05/2024 09:15 AM",
    "Result": "VIOLATION", "Comply By": "11/12/2024 05:00 PM",
}  # fmt: skip
HOUSING = FILES["riverton-housing.csv"]


def test_rows_of_the_sample_city_are_rejected(files: list[Path]) -> None:
    assert len(said(files)) > 9_000


def test_a_renamed_file_is_not_recognised(files: list[Path], tmp_path: Path) -> None:
    for number, file in enumerate(files):
        renamed = tmp_path / f"{number}.txt"
        renamed.write_bytes(file.read_bytes())
        assert [x.body for x in bodies(renamed)] == [x.body for x in bodies(file)]


def test_an_office_is_taken_for_another(files: list[Path]) -> None:
    owners = {file.name: {one.agency for one in bodies(file)} for file in files}
    for name, agencies in owners.items():
        assert len(agencies) == 1
        assert name.startswith(agencies.pop())


def test_column_order_further_columns_crlf_or_a_bom_change_what_is_said(
    files: list[Path], tmp_path: Path
) -> None:
    for file in files:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))[:200]
        columns = (*reversed(FILES[file.name]), "Printed By")
        other = save(tmp_path / file.name, columns, *rows, encoding="utf-8-sig", end="\r\n")
        assert bodies(other) == [one for one in bodies(file) if one.row <= len(rows) + 1]


def test_a_file_of_no_office_is_read_anyway(tmp_path: Path) -> None:
    stranger = save(tmp_path / "x.csv", ("a", "b"), {"a": "1"})
    with pytest.raises(Refused, match="wrong-header"):
        read(stranger)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda one: one.name)
def test_a_missing_column_is_not_named(system: type, tmp_path: Path) -> None:
    for column in system.columns:  # type: ignore[attr-defined]
        left = tuple(c for c in system.columns if c != column)  # type: ignore[attr-defined]
        with pytest.raises(Refused, match="missing-columns") as caught:
            read(save(tmp_path / "x.csv", left))
        assert caught.value.detail == column


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("Received", "2024-10-03 09:00", "broken-date"), ("Received", "", "missing-value"),
        ("Inspected", "13/45/2024 09:00 AM", "broken-date"), ("Result", "", "missing-value"),
        ("Comply By", "soon", "broken-date"), ("Inspection No", "", "missing-value"),
    ],
)  # fmt: skip
def test_a_broken_cell_is_not_named_or_half_of_its_row_is_said(
    column: str, value: str, reason: str, tmp_path: Path
) -> None:
    file = save(tmp_path / "x.csv", HOUSING, INSPECTION | {column: value}, INSPECTION)
    bad, *good = read(file)
    assert isinstance(bad, Reject)
    assert (bad.row, bad.column, bad.reason.partition(":")[0]) == (2, column, reason)
    assert [type(one) for one in good] == [Said, Said]


def test_an_unknown_code_passes_the_contract(tmp_path: Path) -> None:
    (_, inspected) = bodies(save(tmp_path / "x.csv", HOUSING, INSPECTION | {"Result": "FINE"}))
    with pytest.raises(Refused, match="unknown-code"):
        envelope(inspected)


def test_an_unknown_town_is_published_under_another(tmp_path: Path) -> None:
    row = {"Request": "X-1", "Service Desk": "Nowhere 311", "Opened": "2024-10-03T09:00:00Z"}
    (bad,) = read(save(tmp_path / "x.csv", FILES["eastvale-311.csv"], row))
    assert isinstance(bad, Reject)
    assert bad.column == "Service Desk"


def test_an_event_bears_the_doubt_about_another_events_time(tmp_path: Path) -> None:
    requested, inspected = bodies(save(tmp_path / "x.csv", HOUSING, INSPECTION))
    assert requested.body["flags"] == ["ambiguous_local_time"]
    assert inspected.body["flags"] == []


def test_a_later_step_says_the_earlier_ones_anew(tmp_path: Path) -> None:
    later = {"Re-Inspected": "11/20/2024 09:15 AM", "Re-Result": "PASSED"}
    before = bodies(save(tmp_path / "a.csv", HOUSING, INSPECTION))
    after = bodies(save(tmp_path / "b.csv", HOUSING, INSPECTION | later))
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1


def test_numbers_of_other_offices_are_lost_or_made_up(tmp_path: Path) -> None:
    row = INSPECTION | {"See Also": "RTU-4, INC-9; see CH-2"}
    refs = envelope(bodies(save(tmp_path / "x.csv", HOUSING, row))[0]).refs
    assert refs == ("riverton-311/request/SR-77", "riverton-tenants/contact/RTU-4",
                    "riverton-police/incident/INC-9", "xx-county-health/visit/CH-2")  # fmt: skip
    odd = bodies(save(tmp_path / "y.csv", HOUSING, INSPECTION | {"See Also": "ask Bob"}))[0]
    assert "unread_number" in odd.body["flags"]


def test_one_house_is_several_places_as_offices_write_it() -> None:
    for text in ("12 Elm Street", "12 ELM ST", "12 ELM ST, APT 3", "12 Elm St. Apt 2",
                 "12 Elm Street, Riverton", " 12  elm st  #4"):  # fmt: skip
        assert street_key(text) == "12-elm-st"
    assert street_key("12 Elm Avenue") != street_key("12 Elm Street") != street_key("1 Elm Street")
    assert street_key("229 Peñasco Ct") == street_key("229 PENASCO Court") == "229-penasco-ct"
    assert street_key("3 Straße") == street_key("3 STRASSE")
    assert street_key("12 North Main Street") == street_key("12 N. MAIN ST") == "12-n-main-st"
    assert street_key("12 North Street") == "12-north-st"


def test_free_text_or_a_name_leaves_the_payload(files: list[Path]) -> None:
    private = (*PEOPLE, *REMARKS, *VOLUNTEERS, " 555-", "Apt ", "Harbor Holdings")
    for one in said(files):
        shown = repr(envelope(one))
        assert not [text for text in private if text in shown], shown


def test_a_headline_is_missing(files: list[Path]) -> None:
    assert all(envelope(one).headline for one in said(files))


def test_hand_carried_or_late_sayings_look_like_any_other(files: list[Path]) -> None:
    found = [envelope(one) for one in said(files)]
    assert sum(e.via == "hand" for e in found) > 100
    own = [e for e in found if e.known_at != CALL]
    assert all(e.known_at > e.occurred_at for e in own)
    assert sum(e.known_at - e.occurred_at > 3 * 86_400_000_000 for e in own) > 50
    assert {"riverton-housing", "riverton-buildings", "riverton-police"} == {
        e.agency for e in found if e.known_at == CALL
    } - {"eastvale-311", "millbrook-311", "fairhaven-311"}


def test_nights_on_which_clocks_change_pass_without_a_flag(files: list[Path]) -> None:
    flags = [flag for one in said(files) for flag in envelope(one).flags]
    assert flags.count("ambiguous_local_time") >= 9
    assert "nonexistent_local_time" in flags


def test_the_time_of_a_dump_becomes_part_of_what_is_said(tmp_path: Path) -> None:
    row = {"ORDER_ID": "WO-1", "LINE": "1", "STEP_CD": "OPN", "STEP_TXT": "order opened",
           "TS": "20241103 013000", "TOWN_CD": "RIV", "PROBLEM": "MAIN"}  # fmt: skip
    columns = FILES["riverton-water-2024.csv"]
    nights = ("20241103 013000", "20241105 040000")
    rows = [row | {"EXTRACTED": night} for night in nights]
    first, second = bodies(save(tmp_path / "x.csv", columns, *rows))
    assert first.body == second.body
    assert first.known_at != second.known_at
