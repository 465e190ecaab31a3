"""Cases computed anew: the same again, in other shards, with other windows, killed halfway."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from chaos import until
from confluent_kafka.admin import AdminClient
from installation import Said, call, line

from crosstown.backbone import generation, kafka
from crosstown.home import Endpoints, endpoints
from crosstown.sample import write
from crosstown.settings import Settings

GOLDEN = Path(__file__).parent / "golden" / "cli" / "rebuild.schema.json"


class City:
    """A home with contracts of its own, so that a window can change."""

    def __init__(self, folder: Path) -> None:
        self.home, self.schemas = folder / "home", folder / "schemas"
        shutil.copytree(str(files("schemas")), self.schemas)
        self.env = {"CROSSTOWN_SCHEMAS": str(self.schemas)}

    def __call__(self, *words: str, stdin: str = "") -> Said:
        return call(self.home, *words, stdin=stdin, **self.env)

    def rebuild(self, *words: str) -> dict[str, Any]:
        said = self("rebuild", *words, "-o", "json").ok().json()
        jsonschema.validate(said, json.loads(GOLDEN.read_text("utf-8")))
        return said

    def background(self, *words: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, **self.env, "CROSSTOWN_HOME": str(self.home)}
        return subprocess.Popen(
            [sys.executable, "-m", "crosstown.cli", *words], env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def stats(self) -> dict[str, Any]:
        return self("stats", "--wait", "-o", "json").ok().json()

    @property
    def where(self) -> tuple[Settings, Endpoints]:
        settings = Settings(home=self.home)
        return settings, endpoints(settings)

    def topics(self) -> dict[str, int]:
        found = AdminClient(kafka.client(*self.where)).list_topics(timeout=10).topics
        return {
            name: len(about.partitions) for name, about in found.items()
            if name.startswith(("accepted", "timelines", "watch"))
        }  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    one = City(tmp_path_factory.mktemp("rebuilt"))
    exports = write(tmp_path_factory.mktemp("exports"), events=2_000)
    try:
        one("up", "--detach").ok()
        one("publish", "riverton", *map(str, exports)).ok()
        yield one
    finally:
        one("down")


def test_same_sayings_give_other_cases(city: City) -> None:
    figures, before = city.stats(), city.topics()
    said = city.rebuild()
    assert (said["same"], said["swapped"], said["why"]) == (True, False, [])
    assert said["digest"] == said["live_digest"] == figures["digest"]
    assert (said["cases"], said["partitions"]) == (figures["cases"], 1)
    assert city.topics() == before, "a comparison leaves nothing behind"
    live = generation.live(*city.where).cases
    state = {file.name.partition("-")[0] for file in (city.home / "state").glob("*.sqlite")}
    assert state <= {live}, "nor does it on the disk"
    assert city.stats() == figures
    human = city("rebuild").ok().out
    assert "the same, record by record" in human
    assert figures["digest"] in human


def test_what_comes_during_a_change_of_shards_is_lost_or_doubled(city: City) -> None:
    before = city.stats()
    swap = city.background("rebuild", "--swap", "--partitions", "3", "-o", "json")
    sent = 0
    while swap.poll() is None:
        more = line(f"RB-{sent}", place=f"address:rb-{sent}", concern="noise")
        city("publish", "events", "-", stdin=more).ok()
        sent += 1
    told, errors = swap.communicate()
    assert swap.returncode == 0, errors
    said = json.loads(told)
    assert (swap.returncode, said["swapped"], said["partitions"]) == (0, True, 3)
    assert sent > 2
    after = city.stats()
    assert after["events"] == before["events"] + sent
    assert after["records"] == before["records"] + sent
    topics = city.topics()
    assert topics == {
        said["accepted"]: 3, said["timelines"]: 3, f"watch{said['accepted'].removeprefix('accepted')}"
        "-watched-changelog": 3, f"watch{said['accepted'].removeprefix('accepted')}-ticks": 3,
    }, "the old ones are gone"  # fmt: skip
    again = city.rebuild()
    assert (again["same"], again["digest"]) == (True, after["digest"])
    for n in (0, sent - 1):
        assert city("case", f"RB-{n}", "-o", "json").ok().json()["events"] == 1
    assert city("up", "--detach", "--partitions", "1").code == 2
    city("down").ok()
    city("up", "--detach").ok()
    assert city.stats() == after


def test_window_changes_without_a_word_or_without_effect(city: City) -> None:
    concerns = city.schemas / "concerns.yaml"
    text = concerns.read_text("utf-8")
    before = city.stats()
    one, two = (
        line(f"RB-WIN-{n}", agency, place="address:rb-win", concern="noise",
             occurred_at=f"2026-03-{day}T08:30:00Z")
        for n, agency, day in ((1, "riverton-311", "02"), (2, "riverton-police", "12"))
    )  # fmt: skip
    city("publish", "events", "-", stdin=one + two).ok()
    assert city.stats()["cases"] == before["cases"] + 1
    start = text.index("  - id: noise")
    changed = text[:start] + text[start:].replace("window_days: 14", "window_days: 7", 1)
    concerns.write_text(changed, "utf-8")
    city("down").ok()
    city("up", "--detach").ok()
    assert city.stats()["cases"] == before["cases"] + 1, "the old window holds until a rebuild"
    assert "crosstown rebuild --swap" in (city.home / "logs" / "cases.log").read_text("utf-8")
    said = city.rebuild()
    assert said["why"] == ["noise: 14 days now, 7 in concerns.yaml"]
    assert not said["same"]
    assert said["differing"] >= 2
    assert len(said["examples"]) <= 5
    assert not said["swapped"]
    swapped = city.rebuild("--swap")
    assert swapped["swapped"]
    figures = city.stats()
    assert figures["digest"] == swapped["digest"] == said["digest"]
    for n in (1, 2):
        assert len(city("case", f"RB-WIN-{n}", "-o", "json").ok().json()["records"]) == 1
    assert city.rebuild()["same"]


@pytest.mark.long
def test_kill_in_the_middle_leaves_half_a_swap(city: City) -> None:
    before, topics = city.stats(), city.topics()
    first = city.background("rebuild", "--partitions", "2")
    until(lambda: generation.NEXT in generation.said(*city.where))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert city.stats() == before, "what was live is live"
    second = city.background("rebuild", "--swap", "--partitions", "2")
    until(lambda: generation.live(*city.where).before is not None or second.poll() is not None)
    assert second.poll() is None
    second.send_signal(signal.SIGKILL)  # swapped, and nothing cleared away yet
    second.communicate()
    assert "wasn't finished: crosstown rebuild" in city("status").ok().out
    city("publish", "events", "-", stdin=line("RB-KILL")).ok()
    said = city.rebuild()
    assert said["same"]
    assert said["partitions"] == 2
    after = city.stats()
    assert after["events"] == before["events"] + 1
    assert len(city.topics()) == len(topics)
    assert generation.live(*city.where).before is None
    state = {file.name.partition("-")[0] for file in (city.home / "state").glob("*.sqlite")}
    assert state <= {generation.live(*city.where).cases}, "none of the old ones is left"


def test_rebuild_where_nothing_runs(tmp_path: Path) -> None:
    said = call(tmp_path, "rebuild")
    assert said.code == 5
    assert "crosstown up" in said.err
