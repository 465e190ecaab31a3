"""The code of docs/client.md and of the README's consumers, run as somebody would paste it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, call

from crosstown.sample import write

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|text|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = BLOCK.findall((ROOT / "docs" / "client.md").read_text("utf-8"))
README = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo's city, as `crosstown demo --keep` leaves it."""
    home = tmp_path_factory.mktemp("demo")
    try:
        call(home, "up", "--detach").ok()
        call(home, "publish", "riverton", *map(str, write(home / "sample")))
        one = Installation(home)
        one.stats()
        yield one
    finally:
        call(home, "down")
        assert not (home / "client.properties").exists(), "it would lead nowhere"


def test_page_shows_another_answer_than_there_is(
    city: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSTOWN_HOME", str(city.home))
    code = [text for kind, text in PAGE if kind == "python"]
    shown = [text for kind, text in PAGE if kind == "text"]
    assert len(code) == len(shown) == 4
    names: dict[str, Any] = {}
    for block, wanted in zip(code, shown, strict=True):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(block, "docs/client.md", "exec"), names)  # noqa: S102 - our own page
        assert printed.getvalue() == wanted
    sql = (
        "select count(*) as n, count(picked_up_at) as picked_up from handoffs where to_agency <> ''"
    )
    (casebook,) = city("sql", sql, "-o", "json").ok().lines()
    ours = names["answer"].df()
    assert casebook == {"n": ours.handed_off.sum(), "picked_up": ours.picked_up.sum()}
    names["city"].close()


def test_snippet_of_the_readme_shows_no_case(city: Installation) -> None:
    wanted = {one["case_id"] for one in city("cases", "-o", "json", "--limit", "0").lines()}
    for block in [text for kind, text in README if kind == "python"]:
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False,
                              timeout=120, env={**os.environ, "CROSSTOWN_HOME": str(city.home)})  # fmt: skip
        assert done.returncode == 0, done.stderr
        if "subscribe" in block:
            assert {line.split()[0] for line in done.stdout.splitlines()} == wanted
        else:
            sql = "select count(*) as n from events where occurred_at >= '2025-01-01'"
            (counted,) = city("sql", sql, "-o", "json").ok().lines()
            assert f"[{counted['n']} rows x 22 columns]" in done.stdout


def test_kcat_of_the_readme_reads_nothing(city: Installation) -> None:
    if shutil.which("kcat") is None:
        how = "kcat is missing: apt-get install -y kcat, or brew install kcat"
        assert "CI" not in os.environ, how
        pytest.skip(how)
    (line,) = [text for _, text in README if text.startswith("kcat ")]
    file = city.home / "client.properties"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = subprocess.run(["bash", "-c", line.replace("~/.crosstown/client.properties", str(file))],
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [one.split() for one in done.stdout.splitlines()]
    records = city.stats()["records"]
    assert len({key for _, _, key, *_ in rows}) == records
    assert {tuple(one[3:5]) for one in rows} == {("schema", "0")}
