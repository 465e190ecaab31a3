"""Riverton through real Kafka, with one shard and with five, in other orders: the same cases."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from chaos import expected, installation
from riverton_said import REPOSITORY

from connectors.riverton import Riverton
from crosstown.contracts.naming import Naming
from crosstown.sample import showcase, write


@pytest.mark.parametrize("partitions", [1, 5])
def test_another_order_or_number_of_shards_gives_other_cases(
    tmp_path: Path, partitions: int
) -> None:
    files = write(tmp_path / "sample")
    wanted = expected(Riverton(Naming(REPOSITORY.agencies, {})), files, REPOSITORY)
    random.Random(partitions).shuffle(files)
    cut = len(files) // 2
    with installation(tmp_path / "home", partitions=partitions) as home:
        home.run("publish", "riverton", *files[:cut], "--known-at", "2025-07-01T00:00:00Z")
        home.run("publish", "riverton", *files[cut:], "--known-at", "2025-07-01T00:00:00Z")
        found = home.json("stats", "--wait", "--timeout", 120)
        case = home.json("case", showcase())
    assert {name: found[name] for name in wanted} == wanted
    assert found["dead_letters"] == 0
    assert "xx-county-health" in case["agencies"]
    assert len(case["agencies"]) >= 4
