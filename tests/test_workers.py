"""Two workers of one program on real Kafka: killed, cut off, paused, joining and leaving under load.

What broke when `crosstown/processing/transact.py` was broken on purpose: see docs/long-tests.md.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from chaos import Installation, expected, installation, until
from confluent_kafka import Consumer, TopicPartition
from cutting import Cutter

from connectors.events import Events
from crosstown.backbone import kafka
from crosstown.backbone.login import login
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.event.identity import shard
from crosstown.home import endpoints
from crosstown.registry.own_values import body_of
from crosstown.registry.read_back import read_timeline
from crosstown.settings import Settings

SHARDS: Final = 5
PLACES: Final = (
    "us", "us-ma", "us-ma-boston", "us-xx", "us-xx-kestrel-county", "us-xx-riverton",
    "us-xx-eastvale", "us-xx-millbrook", "us-xx-fairhaven",
)  # fmt: skip
KEY: Final = "the same on both machines"
A_SECOND: Final = 300
SILENCE: Final = 120.0
"""Seconds after which a shard that says nothing under load is taken for dead; measured: below 30."""


class Load:
    """Lines that flow into `crosstown publish events -` until it's told to end; all are kept."""

    def __init__(self, home: Installation, file: Path) -> None:
        self.file = file
        self._dice = random.Random(11)
        self._n = 0
        self._stop = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crosstown.cli", "publish", "events", "-",
             "--home", str(home.home)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._flow)
        self._thread.start()

    def end(self) -> None:
        """Send what is there; fails where a line was refused."""
        self._stop.set()
        self._thread.join()
        _, said = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, said.decode()

    def _flow(self) -> None:
        assert self._process.stdin is not None
        with self.file.open("w", encoding="utf-8") as kept:
            while not self._stop.wait(0.1):
                lines = "".join(self._line() for _ in range(A_SECOND // 10))
                kept.write(lines)
                self._process.stdin.write(lines.encode())
                self._process.stdin.flush()

    def _line(self) -> str:
        self._n += 1
        dice = self._dice
        where = dice.choice(PLACES)
        number = dice.randrange(self._n // 6 + 1)
        refs = [f"riverton-311/request/{where}-{dice.randrange(number + 1)}"]
        return json.dumps({
            "agency": "riverton-311", "record": f"riverton-311/request/{where}-{number}",
            "type": "request.said", "jurisdiction": where, "identity": [str(self._n)],
            "occurred_at": f"2026-0{dice.randint(1, 6)}-{dice.randint(1, 28):02}T08:00:00Z",
            "refs": refs if dice.random() < 0.1 else [],
            "place": f"addr:{dice.randrange(self._n // 4 + 1)}", "concern": "street",
        }) + "\n"  # fmt: skip


class Ear:
    """Reads `timelines` as a partner would: committed messages only, each with when it was heard."""

    def __init__(self, home: Installation) -> None:
        settings = Settings(home=home.home)
        self._reader = Consumer(
            kafka.consumer(settings, endpoints(settings), group_id="ear", fetch_wait_max_ms=20)
        )
        self._reader.assign([TopicPartition("timelines", p, 0) for p in range(SHARDS)])
        self.versions: dict[bytes, int] = {}
        self.heard: dict[int, list[float]] = {shard(place, SHARDS): [] for place in PLACES}
        self.twice: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def end(self) -> None:
        """Listen no longer."""
        self._stop.set()
        self._thread.join()
        self._reader.close()

    def silence(self, since: float) -> float:
        """The longest time since then for which a shard said nothing, in seconds."""
        now = time.monotonic()
        longest = 0.0
        for heard in self.heard.values():
            times = [since, *(t for t in heard if t > since), now]
            longest = max(longest, *(b - a for a, b in pairwise(times)))
        return longest

    def all_speak(self, since: float) -> bool:
        """Whether each shard has said something since then."""
        return all(heard and heard[-1] > since for heard in self.heard.values())

    def _listen(self) -> None:
        while not self._stop.is_set():
            for message in self._reader.consume(500, 0.1):
                if message.error() is not None:
                    continue
                said = read_timeline(body_of(message.value()))
                key, version = message.key(), said["version"]
                if version <= self.versions.get(key, -1):
                    self.twice.append(f"{key!r}: {version} after {self.versions[key]}")
                self.versions[key] = version
                self.heard[message.partition()].append(time.monotonic())


class Workers:
    """An installation, whose workers are number 0; and workers number 1 on another machine."""

    def __init__(self, home: Installation, folder: Path) -> None:
        self.home = home
        settings = Settings(home=home.home)
        where = endpoints(settings)
        self.cutter = Cutter(where.bootstrap)
        self._logs = folder
        self.env = {
            **os.environ, "CROSSTOWN_HOME": str(folder / "elsewhere"), "CROSSTOWN_SLOT": "1",
            "CROSSTOWN_REGISTRY": where.registry, "CROSSTOWN_KAFKA": json.dumps(login(settings, where)),
            "CROSSTOWN_ERASURE_KEY": KEY,
        }  # fmt: skip
        self._direct = where.bootstrap
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("intake", "cases"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start worker number 1; `cases` speaks with Kafka through the cutter."""
        bootstrap = self.cutter.bootstrap if name == "cases" else self._direct
        with (self._logs / f"{name}-1.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", f"streams.{name}"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**self.env, "CROSSTOWN_BOOTSTRAP": bootstrap},
            )  # fmt: skip

    def end(self, name: str, how: signal.Signals, code: int) -> None:
        """End worker number 1 and see how it ended."""
        one = self.running[name]
        one.send_signal(how)
        assert one.wait(30) == code

    def mend(self) -> None:
        """What a supervisor does: start what has ended by itself."""
        for name, one in self.running.items():
            if one.poll() is not None:
                self.start(name)

    def close(self) -> None:
        """End them all."""
        for one in self.running.values():
            one.send_signal(signal.SIGCONT)
            one.terminate()
            one.wait(30)
        self.cutter.close()


def kill_both(workers: Workers) -> None:
    """SIGKILL for worker number 1, then, when it's back, for number 0: of both programs."""
    for name in workers.running:
        workers.end(name, signal.SIGKILL, -9)
        workers.start(name)
    time.sleep(1)
    for name in workers.running:
        pid = workers.home.process(name)["pid"]
        workers.home.kill(name)
        workers.home.wait_until_running(name, besides=pid)


def _cut(how: str) -> Callable[[Workers], None]:
    def cut(workers: Workers) -> None:
        assert workers.cutter.cut(how).wait(60), "no transaction was ended through the cutter"

    return cut


def _silence(how: str) -> Callable[[Workers], None]:
    """For longer than a worker asks: it must find out what came of its transaction."""

    def cut(workers: Workers) -> None:
        _cut(how)(workers)
        time.sleep(24)
        workers.cutter.cut("")

    return cut


def _cut_and_kill(how: str) -> Callable[[Workers], None]:
    def cut(workers: Workers) -> None:
        _cut(how)(workers)
        workers.end("cases", signal.SIGKILL, -9)
        workers.cutter.cut("")
        workers.start("cases")

    return cut


def join_and_leave(workers: Workers) -> None:
    """A worker goes in order, and comes back at once, or when its shards have gone to the other."""
    for seconds in (0.0, 12.0):
        workers.end("cases", signal.SIGTERM, 0)
        time.sleep(seconds)
        workers.start("cases")
        time.sleep(2)


def kill_the_broker(workers: Workers) -> None:
    """The only broker dies, and the supervisor starts it again."""
    pid = workers.home.process("broker")["pid"]
    workers.home.kill("broker")
    workers.home.wait_until_running("broker", besides=pid)


def pause(workers: Workers) -> None:
    """A worker stands still for 30 s, and wakes when its shards have long been another's."""
    one = workers.running["cases"]
    one.send_signal(signal.SIGSTOP)
    time.sleep(30)
    one.send_signal(signal.SIGCONT)


SHORT: Final[dict[str, Callable[[Workers], None]]] = {
    "both workers killed": kill_both,
    "killed inside an open transaction": _cut_and_kill("hold"),
    "line cut before EndTxn": _cut("before"),
    "line cut after EndTxn": _cut("after"),
    "line cut after EndTxn, then killed": _cut_and_kill("after"),
    "EndTxn never comes, and the worker lives": _silence("hold"),
    "EndTxn is never answered, and the worker lives": _silence("mute"),
}
LONG: Final = {
    **SHORT,
    "both workers killed again": kill_both,
    "both workers killed a third time": kill_both,
    "line cut before EndTxn again": _cut("before"),
    "line cut after EndTxn again": _cut("after"),
    **{f"2 leave and join, {n} of 5": join_and_leave for n in range(1, 6)},
    "the broker killed": kill_the_broker,
    "a worker paused for 30 s": pause,
}


@contextmanager
def working(folder: Path) -> Iterator[Workers]:
    """Two workers each of intake and cases on five shards."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CROSSTOWN_ERASURE_KEY", KEY)
        with installation(folder / "home", partitions=SHARDS) as home:
            workers = Workers(home, folder)
            try:
                yield workers
            finally:
                workers.close()


def test_something_is_lost_or_doubled_by_two_workers(tmp_path: Path) -> None:
    disturb(tmp_path, SHORT)


@pytest.mark.long
def test_something_is_lost_or_doubled_by_two_workers_for_long(tmp_path: Path) -> None:
    disturb(tmp_path, LONG)


def disturb(folder: Path, disturbances: dict[str, Callable[[Workers], None]]) -> None:
    """One disturbance after another under load; then all is there, once, and as the core has it."""
    with working(folder) as workers:
        load = Load(workers.home, folder / "lines.jsonl")
        ear = Ear(workers.home)
        try:
            until(lambda: ear.all_speak(0), 60)
            for what, do in disturbances.items():
                begun = time.monotonic()
                do(workers)
                goes_on(workers, ear, what)
                print(f"{what}: longest silence of a shard {ear.silence(begun):.1f} s")
        finally:
            load.end()
        all_is_there_once(workers, load, ear)


def goes_on(workers: Workers, ear: Ear, what: str) -> None:
    """Until every shard has said something more."""
    done = time.monotonic()
    while not ear.all_speak(done):
        workers.mend()
        assert time.monotonic() - done < SILENCE, f"{what}: a shard says nothing more"
        time.sleep(0.05)


def all_is_there_once(workers: Workers, load: Load, ear: Ear) -> None:
    """The figures are those of the pure core over what was published, and no version came twice."""
    found = workers.home.json("stats", "--wait", "--timeout", 200)
    time.sleep(1)
    ear.end()
    contracts = Repository.load()
    wanted = expected(Events(Naming(contracts.agencies, {})), [load.file], contracts)
    assert found["dead_letters"] == 0
    assert {name: found[name] for name in wanted} == wanted
    assert not ear.twice
    assert len(ear.versions) == wanted["records"], "each record is told of"
