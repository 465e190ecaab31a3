"""The sample city's generator: the same city for a seed, any size, believable files."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import subprocess
import sys
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from crosstown.sample import clock, generate, showcase, write
from crosstown.sample.columns import FILES


def digest(seed: int, events: int) -> str:
    total = hashlib.sha256()
    for file, row in generate(seed, events):
        total.update(repr((file, row)).encode())
    return total.hexdigest()[:16]


def test_the_same_seed_gives_another_city() -> None:
    assert digest(7, 3_000) == digest(7, 3_000) == "737f08f255cad23a"


def test_another_seed_gives_the_same_city() -> None:
    assert digest(7, 500) != digest(8, 500)


def test_the_sample_city_has_far_more_or_fewer_events_than_asked() -> None:
    # Late steps fall after the last export, so that a few per cent are never said.
    for events in (2_000, 20_000):
        rows = sum(1 for _ in generate(events=events))
        assert 0.5 * events < rows < events


def test_a_huge_city_must_fit_into_memory() -> None:
    assert len(list(islice(generate(events=10**9), 1_000))) == 1_000


def test_a_file_lacks_its_columns_or_is_empty(tmp_path: Path) -> None:
    paths = write(tmp_path / "new" / "folder", events=3_000)
    assert [path.name for path in paths] == list(FILES)
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert tuple(header) == FILES[path.name]
        assert rows, path
        assert {len(row) for row in rows} == {len(header)}


def test_the_command_writes_other_files_than_the_function(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crosstown.sample", "--out", str(tmp_path / "a"), "--events", "900"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    printed = [Path(line) for line in done.stdout.splitlines()]
    written = write(tmp_path / "b", events=900)
    assert [p.read_bytes() for p in printed] == [p.read_bytes() for p in written]


def test_a_folder_that_cannot_be_made_ends_in_a_stack_trace(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "crosstown.sample", "--out", str(tmp_path / "taken")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_local_times_are_written_by_the_wrong_clock() -> None:
    chicago = ZoneInfo("America/Chicago")
    edges = (clock.START, clock.CLOCKS_BACK, clock.CLOCKS_ON, clock.END)
    moments = {at + step for at in edges for step in (-3601, -1, 0, 1, 3600)}
    moments |= set(range(clock.START, clock.END, 86_400 * 3 + 7_919))
    for at in moments:
        local = dt.datetime.fromtimestamp(at, chicago)
        assert clock.iso_local(at) == f"{local:%Y-%m-%d %H:%M:%S}"
        assert clock.us_am_pm(at) == f"{local:%m/%d/%Y %I:%M %p}"
        assert clock.day_month(at) == f"{local:%d-%b-%Y %H:%M}"
        assert clock.dispatch(at) == f"{local:%m/%d/%y %H%M}"
        assert clock.compact(at) == f"{local:%Y%m%d %H%M%S}"
        assert dt.datetime.fromisoformat(clock.iso_zone(at)).timestamp() == at
        assert dt.datetime.fromisoformat(clock.iso_utc(at)).timestamp() == at
        assert clock.spreadsheet(at) == f"{local:%b} {local.day}, {local:%Y} " + (
            f"{local:%I:%M %p}".lstrip("0")
        )


def test_an_office_works_at_night_or_on_a_sunday() -> None:
    for at in range(clock.START, clock.END - 3 * clock.DAY, 7_919):
        opened = clock.office(at)
        local = dt.datetime.fromtimestamp(opened, ZoneInfo("America/Chicago"))
        assert opened >= at
        assert local.weekday() < 5
        assert 8 <= local.hour < 17


def test_the_demo_asks_for_a_record_that_is_not_there() -> None:
    number = showcase().rpartition("/")[2]
    for seed in (1, 2):
        rows = [row for _, row in islice(generate(seed), 60) if row[0] == number]
        assert [row[2] for row in rows] == ["NEW", "XFER", "DONE"]
