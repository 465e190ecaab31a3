"""Boston on real Kafka: shuffled, said twice, its programs killed: the same cases, to the digit."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from boston_files import are_real, boston_files
from chaos import Installation, expected, installation, shuffled

from connectors.boston_311 import Boston311
from crosstown.naming import Naming
from crosstown.repository import Repository

BOSTON = {
    "cases": 12_644, "cross_agency_cases": 752, "cases_three_or_more": 96,
    "largest_case_records": 26, "events": 29_439, "records": 16_580,
}  # fmt: skip


@pytest.fixture(scope="module")
def boston(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return boston_files(tmp_path_factory.mktemp("boston"))


def is_events(topic: str) -> bool:
    return topic.startswith("events.")


TOPICS = {"intake": is_events, "cases": "accepted".__eq__}


def kill_if_it_lags(home: Installation, name: str, dice: random.Random) -> bool:
    """Kill a program that has work before it, somewhere in the middle of that work."""
    if home.lag(name, TOPICS[name]) < 500:
        return False
    time.sleep(dice.random())
    pid = home.process(name)["pid"]
    home.kill(name)
    home.wait_until_running(name, besides=pid)
    return True


def test_a_kill_loses_or_doubles_something(tmp_path: Path, boston: list[Path]) -> None:
    contracts = Repository.load()
    wanted = expected(Boston311(Naming(contracts.agencies, {})), boston, contracts)
    dice = random.Random(3)
    kills = {"intake": 0, "cases": 0}
    with installation(tmp_path / "home", partitions=1) as home:
        rounds = 0
        while rounds < 2 or min(kills.values()) < 5:
            (home.home / "published.sqlite").unlink(missing_ok=True)  # nothing is known already
            files = shuffled(boston, tmp_path / f"round-{rounds}", rounds)
            sending = home.background("publish", "boston-311", *files)
            rounds += 1
            for name in ("intake", "cases"):  # with one of them dead the other's work piles up
                while home.lag(name, TOPICS[name]) <= 500 and sending.poll() is None:
                    time.sleep(0.05)
                while kills[name] < 5 and kill_if_it_lags(home, name, dice):
                    kills[name] += 1
            if rounds == 1:
                broker = home.process("broker")["pid"]
                home.kill("broker")
                home.wait_until_running("broker", besides=broker)
            _, said = sending.communicate(timeout=120)
            assert sending.returncode == 0, said.decode()
            assert rounds < 8, f"never behind: {kills}"
        found = home.json("stats", "--wait", "--timeout", 200)
        restarts = {p["name"]: p["restarts"] for p in home.json("status")["processes"]}
    assert restarts["intake"] >= 5
    assert restarts["cases"] >= 5
    assert restarts["broker"] == 1
    assert found["dead_letters"] == 0
    assert {name: found[name] for name in wanted} == wanted
    assert found["by_via"] == {"batch": wanted["events"]}


def test_boston_has_other_figures(boston: list[Path]) -> None:
    contracts = Repository.load()
    found = expected(Boston311(Naming(contracts.agencies, {})), boston, contracts)
    if are_real(boston):
        assert {name: found[name] for name in BOSTON} == BOSTON
    assert found["cross_agency_cases"] > 0
