"""A cluster of three brokers in which one dies, then two: what was acknowledged is told, once."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Self

import fastavro
import psutil  # type: ignore[import-untyped]
import pytest
import watched
from feeding import handshake
from installation import Said, call, line
from three_brokers import ThreeBrokers, three_brokers
from watched import until

from connectors.events import Events
from crosstown.agreements import word_log
from crosstown.agreements.words import Word
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.home import Endpoints, endpoints
from crosstown.publishing.publish import NotAcknowledged, publish
from crosstown.registry.client import Registry
from crosstown.registry.own_values import body_of
from crosstown.settings import Settings
from crosstown.supervision.running_program import environment

FEED: Final = "county-hears"
A_SECOND: Final = 100
RUNBOOKS: Final = Path(__file__).parents[1] / "docs/runbooks"
Heard = Callable[[str, str], Any]


class City:
    """A home whose programs work on the three; `said` is how many events were acknowledged."""

    def __init__(self, home: Path, cluster: ThreeBrokers) -> None:
        self.home, self.cluster = home, cluster
        self.said = 0
        contracts = home.with_name("contracts")
        shutil.copytree(Repository.load().path, contracts)
        shutil.rmtree(contracts / "agreements")
        (contracts / "agreements").mkdir()
        (contracts / f"agreements/{FEED}.yaml").write_text(handshake(FEED), "utf-8")
        self.env = {**cluster.settings, "CROSSTOWN_SCHEMAS": str(contracts)}
        self.settings = Settings(
            home=home, bootstrap=cluster.bootstrap, kafka=cluster.login, schemas=contracts
        )

    def __call__(self, *words: str, stdin: str = "") -> Said:
        """Call the command line here."""
        return call(self.home, *words, stdin=stdin, **self.env)

    @property
    def where(self) -> Endpoints:
        return endpoints(self.settings)

    def agree(self) -> None:
        """Both parties accept what the feed is to carry."""
        one = Repository.of(self.settings).agreements[FEED]
        for party in one.parties:
            word_log.say(self.settings, self.where, Word(
                agreement=FEED, word="accepted", party=party, by="a steward",
                said_at=time.time_ns() // 1000, terms=one.terms, because="of a test",
            ))  # fmt: skip
        held = ("agreements", "list", "-o", "json")
        until("the feed is open", lambda: f"feed.{FEED}/0" in self.cluster.in_step(), 60)
        assert "in force" in self(*held).ok().out

    def lines(self, count: int) -> str:
        """So many more events, each of a record of its own."""
        first, self.said = self.said, self.said + count
        return "".join(line(str(n)) for n in range(first, first + count))

    def fed(self) -> list[str]:
        """The events of the feed, in order; fails where a number is missing or comes again."""
        registry = Registry.at(self.settings, self.where)
        found: list[str] = []
        schemas: dict[int, Any] = {}
        for message in messages(self.settings, self.where, f"feed.{FEED}", 0):
            value: Any = message.value()
            schema = int.from_bytes(value[1:5], "big")
            if schema not in schemas:
                schemas[schema] = fastavro.parse_schema(json.loads(registry.schema(schema)))
            fields: Any = fastavro.schemaless_reader(BytesIO(body_of(value)), schemas[schema], None)
            assert fields["number"] == len(found) + 1
            found.append(str(fields["event"]))
        registry.close()
        return found

    def all_told(self) -> None:
        """Nothing that was acknowledged is missing, and nothing is there twice."""
        stats = self("stats", "--wait", "-o", "json").ok().json()
        assert stats["events"] == self.said
        until("the feed tells all", lambda: len(self.fed()) >= self.said)
        told = self.fed()
        assert len(told) == len(set(told)) == self.said


class Load:
    """Events that flow in without a pause, through `crosstown publish events -`."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._stop = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crosstown.cli", "publish", "events", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment({**city.env, "CROSSTOWN_HOME": str(city.home)}),
        )  # fmt: skip
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def _flow(self) -> None:
        assert self._process.stdin is not None
        while not self._stop.wait(0.1):
            self._process.stdin.write(self._city.lines(A_SECOND // 10).encode())
            self._process.stdin.flush()

    def end(self) -> None:
        """Nothing more comes; fails unless all was acknowledged."""
        self._stop.set()
        self._thread.join()
        _, said = self._process.communicate(timeout=180)
        assert self._process.returncode == 0, said.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._process.kill()
        self._thread.join()
        self._process.communicate()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("three")
    with three_brokers(folder) as cluster:
        one = City(folder / "city", cluster)
        try:
            one("up", "--detach", "--partitions", "2").ok()
            one.agree()
            yield one
        finally:
            one("down")


@pytest.fixture(scope="module")
def heard(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    """Waits until an alert arrives at whoever is woken, as `firing` or `resolved`."""
    watched.tools()
    folder = tmp_path_factory.mktemp("watched")
    with watched.watched(folder, city.home) as (ask, arrived):
        until("Prometheus answers", lambda: ask("status/buildinfo"))
        rules = folder / "crosstown.rules.yml"
        rules.write_text(re.sub(r"for: \w+", "for: 2s", rules.read_text("utf-8")), "utf-8")
        for child in psutil.Process().children():
            if f"--config.file={folder}/prometheus.yml" in child.cmdline():
                child.send_signal(signal.SIGHUP)

        def wait(alert: str, status: str) -> Any:
            return until(f"{alert} is {status}", lambda: [
                one for one in arrived
                if (one["labels"]["alertname"], one["status"]) == (alert, status)
            ])  # fmt: skip

        yield wait


def typed(page: str) -> list[list[str]]:
    """The commands of a runbook, as they are printed."""
    (block,) = re.findall(r"```sh\n(.*?)```", (RUNBOOKS / page).read_text("utf-8"), re.DOTALL)
    return [shlex.split(one) for one in block.splitlines()]


ASKING: Final = """
from confluent_kafka import KafkaException
from crosstown.home import Endpoints
from crosstown.backbone.read_by import read_by
from crosstown.settings import Settings
settings = Settings()
while True:
    for group in range(8):
        try:
            read_by(settings, Endpoints(settings.bootstrap, ""), f"group-{group}", [("accepted", 0)])
        except KafkaException:
            pass
"""


@contextmanager
def asking(city: City) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who asks how far groups have read, all the time: coordinators move meanwhile."""
    env = {**city.env, "CROSSTOWN_HOME": str(city.home)}
    process = subprocess.Popen([sys.executable, "-c", ASKING], env=environment(env))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def whole(city: City) -> bool:
    """Whether every copy of every partition is in step."""
    return all(have == want == 3 for want, have in city.cluster.in_step().values())


def test_one_broker_of_three_dies_and_something_is_lost(city: City, heard: Heard) -> None:
    assert whole(city)
    with Load(city) as load, asking(city) as asker:
        until("the load flows", lambda: city.said > 3 * A_SECOND)
        victim = city.cluster.leads("accepted")
        victim.kill()
        before = city.said
        assert heard("PartitionsShortOfCopies", "firing")[0]["annotations"]["runbook"].endswith(
            "partitions-short-of-copies.md"
        )
        until("the load goes on", lambda: city.said > before + 5 * A_SECOND)
        for words in typed("partitions-short-of-copies.md"):
            if words[0] == "crosstown":
                said = city(*words[1:]).ok()
                assert "min.insync.replicas" not in said.out
            else:
                done = [word.replace("HOME", str(city.home)) for word in words]
                assert subprocess.run(done, capture_output=True, check=False).returncode == 0, words
        load.end()
        assert asker.poll() is None, asker.returncode
    city.all_told()
    city("publish", "events", "-", stdin=line("1", agency="fairhaven-311")).ok()
    city.said += 1
    new = {name: copies for name, copies in city.cluster.in_step().items() if "fairhaven" in name}
    assert [want for want, _ in new.values()] == [3], "a new topic has a copy for who comes back"
    victim.start()
    until("the copies are made", lambda: whole(city))
    heard("PartitionsShortOfCopies", "resolved")
    assert "as the contracts say" in city("plan").ok().out


@pytest.mark.long
def test_two_brokers_of_three_die_and_a_publisher_believes_it_was_heard(
    city: City, heard: Heard, tmp_path: Path
) -> None:
    until("the copies are made", lambda: whole(city))
    alive, *victims = city.cluster.nodes.values()
    for one in victims:
        one.kill()
    file = tmp_path / "more.jsonl"
    file.write_text(city.lines(50), "utf-8")
    with pytest.raises(NotAcknowledged, match="acknowledg"):
        publish(city.settings, city.where, Repository.of(city.settings), Events, [file], patience=8)
    heard("PartitionsWithoutLeader", "firing")
    assert alive.alive()
    for one in victims:
        one.start()
    until("the copies are made", lambda: whole(city))
    city("publish", "events", str(file)).ok()
    city.all_told()
    heard("PartitionsWithoutLeader", "resolved")
    states = city("status", "-o", "json").ok().json()["processes"]
    assert {one["state"] for one in states} == {"running"}
