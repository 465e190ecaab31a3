"""Boston's exports, of any year and however they were saved: what they say, and what is no row."""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from boston_files import COLUMNS, FORMAT, are_real, boston_files, made

from connectors import source
from connectors.times import LocalTimes
from crosstown.contracts.checked import Checked, Checker
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.errors import NotFound, Refused, Stop
from crosstown.event.identity import slug_suffix
from crosstown.source import Reject

NOW = 1_700_000_000_000_000
BOSTON = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def repository() -> Repository:
    return Repository.load(None)


def said(
    repository: Repository, *files: Path, remembered: dict[tuple[str, str], str] | None = None
) -> tuple[list[Checked], list[Reject]]:
    """What one call for these files would send, and what it would reject."""
    one = source("boston-311", Naming(repository.agencies, remembered))
    one.survey(files)
    checker = Checker(repository, NOW, NOW)
    rows = [row for file in files for row in checker.rows(one, file)]
    rejects = [row for row in rows if isinstance(row, Reject)]
    return [event for row in rows if not isinstance(row, Reject) for event in row], rejects


def export(file: Path, *rows: dict[str, str], columns: list[str] = COLUMNS) -> Path:
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file


def row(number: int, **more: str) -> dict[str, str]:
    usual = {
        "CASE_ENQUIRY_ID": str(number), "OPEN_DT": "07/04/2022 09:00:00 AM", "SUBJECT": "Youthline",
        "TARGET_DT": "", "CLOSED_DT": "", "TYPE": "Pothole", "Property_ID": "12.0",
    }  # fmt: skip
    return usual | more


def rows_of(files: list[Path]) -> Iterator[dict[str, str]]:
    for file in files:
        with file.open(newline="", encoding="utf-8-sig") as rows:
            yield from csv.DictReader(rows)


@pytest.mark.parametrize("year", [2015, 2016, 2024])
def test_an_event_is_missing_or_has_moved(
    repository: Repository, tmp_path: Path, year: int
) -> None:
    """Against a second reading of the same files, in the simplest way there is."""
    files = boston_files(tmp_path) if year == 2015 else made(tmp_path, year, year, 2_000)
    expected = Counter[tuple[str, str, int, str]]()

    def moment(text: str) -> int:
        return round(dt.datetime.strptime(text, FORMAT).replace(tzinfo=BOSTON).timestamp()) * 10**6

    for one in rows_of(files):
        number = one["CASE_ENQUIRY_ID"]
        place = f"property:{one['Property_ID'].removesuffix('.0')}" if one["Property_ID"] else ""
        expected[number, "request.opened", moment(one["OPEN_DT"]), place] += 1
        if one["CLOSED_DT"]:
            expected[number, "request.closed", moment(one["CLOSED_DT"]), place] += 1
    events, rejects = said(repository, *files)
    assert not rejects
    found = Counter(
        (e.envelope.record.split("/")[2], e.envelope.type, e.envelope.occurred_at, e.envelope.place)
        for e in events
    )
    assert found == expected
    if are_real(files):
        assert len(events) == 29_439
        assert sum("closed_at_once" in e.envelope.flags for e in events) == 277
        assert {e.envelope.agency for e in events} == {file.stem for file in files}


def test_another_order_of_files_and_rows_says_something_else(
    repository: Repository, tmp_path: Path
) -> None:
    files = made(tmp_path / "a", 7, 2020, 1_500)
    first = {(e.envelope, e.body) for e in said(repository, *files)[0]}
    rows = list(rows_of(files))
    random.Random(3).shuffle(rows)
    mixed = export(tmp_path / "mixed.csv", *rows, columns=COLUMNS[::-1])
    assert {(e.envelope, e.body) for e in said(repository, mixed)[0]} == first


def test_a_bad_clock_drops_the_closing(repository: Repository, tmp_path: Path) -> None:
    file = export(
        tmp_path / "a.csv",
        row(1, CLOSED_DT="07/04/2022 08:59:59 AM"),
        row(2, CLOSED_DT="07/04/2022 09:00:00 AM"),
        row(3, OPEN_DT="11/06/2022 01:30:00 AM", TARGET_DT="03/12/2023 02:30:00 AM",
            CLOSED_DT="11/06/2022 02:30:00 AM"),
        row(4, OPEN_DT="02/29/2024 12:00:00 AM", CLOSED_DT="02/29/2024 12:00:00 PM"),
    )  # fmt: skip
    events, rejects = said(repository, file)
    assert not rejects
    found = [(e.envelope.record[-1], e.envelope.step, set(e.envelope.flags)) for e in events]
    assert found == [
        ("1", "REPORTED", set()), ("1", "CLOSED", {"closed_before_opened"}),
        ("2", "REPORTED", set()), ("2", "CLOSED", {"closed_at_once"}),
        ("3", "REPORTED", {"ambiguous_local_time", "nonexistent_local_time"}), ("3", "CLOSED", set()),
        ("4", "REPORTED", set()), ("4", "CLOSED", set()),
    ]  # fmt: skip
    third = events[4].envelope
    assert third.occurred_at == 1_667_712_600_000_000, "the first half past one, daylight time"
    assert third.due_at == 1_678_606_200_000_000, "as if the clock hadn't been changed yet"


@pytest.mark.parametrize(
    ("more", "column", "reason"),
    [
        ({"OPEN_DT": ""}, "OPEN_DT", "missing-value"),
        ({"SUBJECT": "  "}, "SUBJECT", "missing-value"),
        ({"CASE_ENQUIRY_ID": ""}, "CASE_ENQUIRY_ID", "missing-value"),
        ({"CLOSED_DT": "02/29/2023 09:00:00 AM"}, "CLOSED_DT", "broken-date"),
        ({"CLOSED_DT": "07/05/2022 13:00:00 PM"}, "CLOSED_DT", "broken-date"),
        ({"TARGET_DT": "2022-07-05 09:00:00"}, "TARGET_DT", "broken-date"),
        ({"OPEN_DT": "07/04/1822 09:00:00 AM"}, "occurred_at", "time-out-of-range"),
    ],
)
def test_half_of_a_broken_row_is_said(
    repository: Repository, tmp_path: Path, more: dict[str, str], column: str, reason: str
) -> None:
    file = export(tmp_path / "a.csv", row(1), row(2, **more), row(3))
    events, (reject,) = said(repository, file)
    assert [e.envelope.record[-1] for e in events] == ["1", "3"]
    assert (reject.row, reject.column, reject.reason.partition(":")[0]) == (3, column, reason)


def test_a_missing_quote_swallows_the_rest_of_the_file(
    repository: Repository, tmp_path: Path
) -> None:
    file = export(tmp_path / "a.csv", *(row(n, CASE_TITLE="T") for n in range(1, 8)))
    lines = file.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace(",T,", ',"T,')
    lines[4] = lines[4].replace(",T,", ',"two\r\nlines, ""quoted""",')
    lines[5] = "\n" + lines[5]
    file.write_text("".join(lines), newline="")
    events, rejects = said(repository, file)
    assert [int(e.envelope.record[-1]) for e in events] == [1, 3, 4, 5, 6, 7]
    assert [(one.row, one.reason.partition(":")[0]) for one in rejects] == [(3, "broken-csv")]


def test_an_unknown_department_becomes_another_one(repository: Repository, tmp_path: Path) -> None:
    names = ["Tides & Moons", "Tides and/or Moons", "TIDES - MOONS", "Riverton 311", "\u6d88\u9632"]
    files = [export(tmp_path / f"{i}.csv", row(i, SUBJECT=name)) for i, name in enumerate(names)]

    def ids(*order: Path, remembered: dict[tuple[str, str], str] | None = None) -> dict[str, str]:
        events, rejects = said(repository, *order, remembered=remembered)
        assert not rejects
        assert all("undeclared_agency" in e.envelope.flags for e in events)
        return {names[int(e.envelope.record.rpartition("/")[2])]: e.envelope.agency for e in events}

    expected = {
        "Tides & Moons": f"tides-moons-{slug_suffix('Tides & Moons')}",
        "TIDES - MOONS": f"tides-moons-{slug_suffix('TIDES - MOONS')}",
        "Tides and/or Moons": "tides-and-or-moons",
        "Riverton 311": f"riverton-311-{slug_suffix('Riverton 311')}",
        "\u6d88\u9632": f"agency-{slug_suffix(chr(0x6D88) + chr(0x9632))}",
    }
    assert repository.agencies.declared("riverton-311")
    assert ids(*files) == ids(*reversed(files)) == expected
    assert ids(files[0]) == {"Tides & Moons": "tides-moons"}
    before = {("boston-311/requests", "Tides & Moons"): "tides-moons"}
    assert ids(*files, remembered=before) == {**expected, "Tides & Moons": "tides-moons"}
    assert ids(files[2], remembered=before) == {"TIDES - MOONS": expected["TIDES - MOONS"]}


def test_free_text_is_shown(repository: Repository, tmp_path: Path) -> None:
    secret = "Ann, 617-555-0100"
    file = export(tmp_path / "a.csv", row(1, CASE_TITLE=secret, CLOSURE_REASON=secret,
                                          Location=secret, CLOSED_DT="07/05/2022 09:00:00 AM"))  # fmt: skip
    events, _ = said(repository, file)
    assert not any(secret in str(e.envelope) for e in events)
    assert all(secret.encode() in e.body for e in events)


@pytest.mark.parametrize(
    ("zone", "form", "text", "expected"),
    [
        ("Europe/London", "%Y-%m-%d %H:%M", "2024-06-30 23:59", "2024-06-30T22:59:00Z"),
        ("America/Chicago", "%Y%m%d %H%M%S", "20240310 023000", "2024-03-10T08:30:00Z"),
        ("Australia/Lord_Howe", "%d/%m/%Y %H:%M", "7/4/2024 1:45", "2024-04-06T14:45:00Z"),
        ("UTC", "%m/%d/%Y %I:%M:%S %p", "1/1/2000 12:00:00 am", "2000-01-01T00:00:00Z"),
    ],
)
def test_a_local_time_is_off_by_an_hour(zone: str, form: str, text: str, expected: str) -> None:
    at, _ = LocalTimes(zone, form).read(text)
    assert at == dt.datetime.fromisoformat(expected).timestamp() * 1e6


def test_a_city_cannot_bring_its_own_source(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text(
        "from connectors.csv_file import CsvFile\n\n\n"
        "class Ours(CsvFile):\n    name = 'ours'\n    columns = ('A',)\n\n"
        "    def events(self, row):\n        return []\n"
    )
    naming = Naming(repository.agencies)
    assert source("ours", naming, tmp_path).name == "ours"
    with pytest.raises(NotFound, match="no source is called theirs") as missing:
        source("theirs", naming, tmp_path)
    assert {"ours", "boston-311", "events"} <= set(missing.value.candidates)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(Stop, match=r"broken\.py"):
        source("ours", naming, tmp_path)


def test_a_file_of_another_form_is_read_as_one(repository: Repository, tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", columns=[c for c in COLUMNS if c != "OPEN_DT"])
    with pytest.raises(Refused, match="missing-columns: OPEN_DT"):
        said(repository, file)
