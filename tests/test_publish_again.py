"""What a home says a second time: nothing twice in vain, and nothing lost in silence."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from chaos import Installation, installation, until

HEARS_CTRL_C = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("crosstown.cli", run_name="__main__")
"""
"""The command line, also where whoever runs the tests is deaf to Ctrl-C, as what a shell runs behind itself is."""
FIRST, SECOND = "2025-01-01T10:00:00Z", "2025-01-01T10:05:00Z"
THIRD = "2025-01-01T10:10:00Z"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("again") / "home", partitions=1) as one:
        yield one


def line(number: int, place: str, known_at: str) -> str:
    return json.dumps({
        "agency": "riverton-tenants", "record": f"riverton-tenants/again/{number}",
        "type": "seen", "occurred_at": "2025-01-01T09:00:00Z", "jurisdiction": "us-xx-riverton",
        "place": place, "known_at": known_at,
    })  # fmt: skip


def publish(home: Installation, tmp_path: Path, *lines: str) -> dict[str, int]:
    file = tmp_path / "said.ndjson"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return dict(home.json("publish", "events", file))


def place_of(home: Installation, number: int) -> str:
    case = home.json("case", f"riverton-tenants/again/{number}")
    return str(case["entries"][0]["place"])


def test_a_flip_flop_ends_otherwise_in_another_order(home: Installation, tmp_path: Path) -> None:
    orders = list(itertools.permutations(
        [("p:ten", FIRST), ("p:five", SECOND), ("p:ten", THIRD)]
    ))  # fmt: skip
    for turn in range(3):
        said = [line(number, *order[turn]) for number, order in enumerate(orders, start=100)]
        publish(home, tmp_path, *said)
    home.run("stats", "--wait")
    ended = [place_of(home, number) for number, _ in enumerate(orders, start=100)]
    assert ended == ["p:ten"] * len(orders)


def test_the_same_file_again_is_published_again(home: Installation, tmp_path: Path) -> None:
    said = [line(7, "p:ten", FIRST), line(7, "p:five", SECOND), line(7, "p:ten", THIRD)]
    first = publish(home, tmp_path, *said)
    again = publish(home, tmp_path, *said)
    assert (first["published"], again["published"], again["already_known"]) == (3, 0, 3)


def test_a_nightly_dump_says_everything_anew(home: Installation, tmp_path: Path) -> None:
    publish(home, tmp_path, line(8, "p:ten", FIRST))
    assert publish(home, tmp_path, line(8, "p:ten", SECOND))["already_known"] == 1


def is_known(home: Installation, events: int) -> bool:
    return bool(home.json("stats")["events"] == events)


def test_a_line_waits_for_thousands_more(home: Installation) -> None:
    """Somebody feeds lines by and by: each is sent within seconds, and the call goes on."""
    before = int(home.json("stats", "--wait")["events"])
    with subprocess.Popen(
        [sys.executable, "-m", "crosstown.cli", "publish", "events", "-", "--home", str(home.home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as feeding:  # fmt: skip
        assert feeding.stdin is not None
        for there, number in enumerate((901, 902), before + 1):
            feeding.stdin.write(line(number, "address:1-elm-st", FIRST).encode() + b"\n")
            feeding.stdin.flush()
            until(partial(is_known, home, there))
        assert feeding.poll() is None
        feeding.stdin.write(line(903, "address:1-elm-st", FIRST).encode())
        _, said = feeding.communicate(timeout=60)
    assert feeding.returncode == 0, said
    assert home.json("stats", "--wait")["events"] == before + 3


def test_a_feeder_that_is_interrupted_ends_with_a_fault(home: Installation) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "publish", "events", "-", "--home", str(home.home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as feeding:  # fmt: skip
        assert feeding.stdin is not None
        feeding.stdin.write(line(911, "address:1-elm-st", FIRST).encode() + b"\n")
        feeding.stdin.flush()
        until(lambda: "again/911" in home.run("sql", "select record from records"))
        feeding.send_signal(signal.SIGINT)
        assert feeding.wait(30) == 130
        assert feeding.stderr is not None
        said = feeding.stderr.read().decode()
    assert "Traceback" not in said
    assert "Fatal Python error" not in said
