"""Boston on real Kafka: shuffled, said twice, its programs killed: the same cases, to the digit."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from boston_files import are_real, boston_files, made
from chaos import Installation, expected, installation, shuffled
from oracle import join

from connectors.boston_311 import Boston311
from crosstown.avro.codec import Encoder
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.source import Said

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


def test_a_kill_loses_or_doubles_something(
    tmp_path: Path, boston: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With memory for a tenth of it only: the rest lies in the local store, which is killed too."""
    monkeypatch.setenv("CROSSTOWN_MEMORY_EVENTS", "3000")
    monkeypatch.setenv("CROSSTOWN_KEEP_SECONDS", "1")
    kill_again_and_again(tmp_path, boston, kills=5, partitions=1)


@pytest.mark.long
@pytest.mark.parametrize("partitions", [1, 5])
def test_many_kills_lose_or_double_something(
    tmp_path: Path, boston: list[Path], partitions: int
) -> None:
    kill_again_and_again(tmp_path, boston, kills=25, partitions=partitions)


def kill_again_and_again(
    tmp_path: Path, boston: list[Path], *, kills: int, partitions: int
) -> None:
    """Publish shuffled rows at least twice, kill intake and cases so often, and the broker once."""
    contracts = Repository.load()
    wanted = expected(Boston311(Naming(contracts.agencies, {})), boston, contracts)
    dice = random.Random(3)
    done = {"intake": 0, "cases": 0}
    with installation(tmp_path / "home", partitions=partitions) as home:
        rounds = 0
        while rounds < 2 or min(done.values()) < kills:
            (home.home / "published.sqlite").unlink(missing_ok=True)  # nothing is known already
            files = shuffled(boston, tmp_path / f"round-{rounds}", rounds)
            sending = home.background("publish", "boston-311", *files)
            rounds += 1
            for (
                name,
                is_its,
            ) in TOPICS.items():  # while one of them is down the other's work piles up
                while home.lag(name, is_its) <= 500 and sending.poll() is None:
                    time.sleep(0.05)
                while done[name] < kills and kill_if_it_lags(home, name, dice):
                    done |= {name: done[name] + 1}
            if rounds == 1:
                broker = home.process("broker")["pid"]
                home.kill("broker")
                home.wait_until_running("broker", besides=broker)
            _, said = sending.communicate(timeout=120)
            while sending.returncode == 5:  # as it is told to: the same again sends what is missing
                sending = home.background("publish", "boston-311", *files)
                _, said = sending.communicate(timeout=120)
            assert sending.returncode == 0, said.decode()
            assert rounds < 4 + kills, f"never behind: {done}"
        found = home.json("stats", "--wait", "--timeout", 200)
        restarts = {p["name"]: p["restarts"] for p in home.json("status")["processes"]}
    assert restarts["intake"] >= kills
    assert restarts["cases"] >= kills
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


def test_another_year_gives_figures_that_the_rule_does_not(tmp_path: Path) -> None:
    contracts = Repository.load()
    files = made(tmp_path / "exports", seed=7, year=2024, rows=600)
    source = Boston311(Naming(contracts.agencies, {}))
    source.survey(files)
    sayings = []
    for file in files:
        for said in source.read(file):
            assert isinstance(said, Said)
            contract = contracts.contracts[said.contract]
            body = Encoder(contract.schema).encode(said.body)
            sayings.append(
                (contract.envelope(said.body, said.agency, 1, said.via), b"12345" + body)
            )
    by_rule = join(sayings, contracts.window)
    found = expected(Boston311(Naming(contracts.agencies, {})), files, contracts)
    assert found["cases"] == len(by_rule.records)
    assert found["digest"] == by_rule.city_digest
    assert found["largest_case_records"] == max(map(len, by_rule.records.values()))
