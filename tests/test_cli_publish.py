"""Which files `crosstown publish` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosstown.cli.publish import expanded
from crosstown.errors import Stop
from crosstown.publishing.publish import check_call


def test_nightly_task_on_windows_publishes_a_file_named_star(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt", "[old].csv"):
        (tmp_path / name).write_text("", "utf-8")
    all_of_it, literal, none = tmp_path / "*.csv", tmp_path / "[old].csv", tmp_path / "x?.csv"
    given = [Path("-"), literal, all_of_it, none]
    assert expanded(given, windows=False) == given, "the shell has done it"
    assert expanded(given, windows=True) == [
        Path("-"), literal, literal, tmp_path / "a.csv", tmp_path / "b.csv", none
    ]  # fmt: skip
    with pytest.raises(Stop, match="isn't there"):
        check_call(expanded([none], windows=True), None)
