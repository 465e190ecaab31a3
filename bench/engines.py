"""The engines on one keyed fold, each as its makers would run it, over one filled topic.

All have the same producer settings (lz4, batches of 200 kB, 5 ms of patience), commit about once a
second (ours with each batch), and one worker. The first fifth of the events warms up and isn't
counted; nor is the last commit, before which an engine may sit idle.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import fold, java
from bench.measure import ROOT, Cost, Group, cpu_of, end
from crosstown.embedded.broker import Broker
from crosstown.settings import Settings

PEERS = Path(__file__).parent / "peers"
WORK = 11.0
"""Seconds of counted work that each engine is given at least; 10 is the promise."""


@dataclass(frozen=True)
class Engine:
    """`command` starts it, from (group, input, output, folder for its state)."""

    name: str
    how: str
    command: Callable[[str, str, str, Path], Sequence[str]]
    trial: int


def prepared(cache: Path, bootstrap: str) -> list[Engine]:
    """All engines, ready to run: environments made and Java compiled where they aren't yet."""
    quix, faust = (_environment(cache, name) for name in ("quix", "faust"))
    streams = java.compiled(cache / "fold-classes")

    def ours(group: str, source: str, target: str, _: Path) -> list[str]:
        return [sys.executable, "-m", "bench.peers.ours", group, source, target]

    def java_with(store: str) -> Callable[[str, str, str, Path], list[str]]:
        return lambda group, source, target, folder: [
            *streams,
            bootstrap,
            group,
            source,
            target,
            str(folder),
            str(PEERS),
            store,
        ]

    def python(where: Path, name: str) -> Callable[[str, str, str, Path], list[str]]:
        return lambda group, source, target, folder: [
            str(where),
            str(PEERS / name / "app.py"),
            bootstrap,
            group,
            source,
            target,
            str(folder),
        ]

    return [
        Engine("Crosstown", "exactly-once; state in memory, restored from the log", ours, 60_000),
        Engine(
            "Kafka Streams",
            "exactly_once_v2; in-memory store, changelog",
            java_with("memory"),
            100_000,
        ),
        Engine(
            "Kafka Streams, RocksDB",
            "exactly_once_v2; RocksDB, changelog",
            java_with("rocksdb"),
            100_000,
        ),
        Engine("Quix Streams", "exactly-once; RocksDB, changelog", python(quix, "quix"), 40_000),
        Engine(
            "Faust, plain",
            "at-least-once; table in memory, changelog",
            python(faust, "faust"),
            15_000,
        ),
    ]


def _environment(cache: Path, peer: str) -> Path:
    """The Python of a peer's own environment, made once for its pinned requirements."""
    wanted = PEERS / peer / "requirements.txt"
    mark = hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    folder = cache / f"{peer}-{mark}-py{sys.version_info.major}{sys.version_info.minor}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        print(f"preparing {peer} in an environment of its own, once", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(wanted),
            ],
            check=True,
        )
        (folder / "ready").touch()
    return python


class Bench:
    """One broker, and topics that are filled once for each number of events."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.broker = Broker(Settings(home=folder / "home")).start()
        self.bootstrap = self.broker.bootstrap
        self.engines = prepared(cache, self.bootstrap)
        self._filled: dict[int, fold.Filled] = {}
        self._runs = 0

    def filled(self, count: int) -> fold.Filled:
        if count not in self._filled:
            self._filled[count] = fold.fill(self.broker.how, count)
        return self._filled[count]

    def run(self, engine: Engine, count: int) -> Run:
        """One engine over `count` events, from nothing; its outputs are held against the expected."""
        source = self.filled(count)
        self._runs += 1
        name = f"run-{self._runs}"
        state, log = self.folder / name, self.folder / f"{name}.log"
        output = f"{name}-out"
        fold.make_topic(self.broker.how, output)
        group = Group(self.broker.how, name, lambda topic: topic == source.topic)
        env = {
            **os.environ,
            "CROSSTOWN_HOME": str(self.folder / "home"),
            "CROSSTOWN_BOOTSTRAP": self.bootstrap,
            "CROSSTOWN_REGISTRY": "http://127.0.0.1:9",
            "BENCH_USER": self.broker.login["sasl.username"],
            "BENCH_PASSWORD": self.broker.login["sasl.password"],
        }
        try:
            cost = _measured(engine.command(name, source.topic, output, state), env, group, log)
            found = fold.read_back(self.broker.how, output)
        finally:
            group.close()
            fold.delete_topics(self.broker.how, name)
            shutil.rmtree(state, ignore_errors=True)
        if found != (source.events, source.digest):
            sys.exit(
                f"{engine.name}: {found[0]:,} outputs for {source.events:,} events, or other ones"
            )
        return cost

    def close(self) -> None:
        self.broker.stop()


@dataclass
class Run(Cost):
    """`whole` is CPU seconds a million events of the whole run, start and warming up included."""

    whole: float


def _measured(command: Sequence[str], env: dict[str, str], group: Group, log: Path) -> Run:
    """Run an engine until it has committed all, and end it in order."""
    with log.open("wb") as file:
        child = subprocess.Popen(command, env=env, stdout=file, stderr=file, cwd=ROOT)
    try:
        process = psutil.Process(child.pid)
        seen: list[tuple[int, float, float]] = []
        at, patience = -1, time.monotonic() + 120
        while at < group.end:
            if child.poll() is not None or time.monotonic() > patience:
                sys.exit(f"{command[0]} ended or stands still; {log}:\n{log.read_text()[-3000:]}")
            now = group.at()
            if now != at:
                at, patience = now, time.monotonic() + 120
                seen.append((at, time.monotonic(), cpu_of(process)))
            time.sleep(0.05)
        rss = process.memory_info().rss
    finally:
        end(child)
    counted = [row for row in seen if row[0] >= group.end / 5]
    if len(counted) < 3:  # a trial over few events
        counted = seen[-2:]
    else:
        counted.pop()
    (first, began, cpu), (last, ended, cpu_then) = counted[0], counted[-1]
    return Run(last - first, ended - began, cpu_then - cpu, rss, seen[-1][2] / group.end * 1e6)


def run(folder: Path, cache: Path, runs: int, quick: bool) -> dict[str, Any]:
    """Each engine `runs` times, the order turned round each time; medians."""
    bench = Bench(folder, cache)
    try:
        sizes = {engine.name: engine.trial for engine in bench.engines}
        for engine in () if quick else bench.engines:
            sizes[engine.name] = _enough(bench, engine)
        costs: dict[str, list[Run]] = {engine.name: [] for engine in bench.engines}
        for turn in range(runs):
            for engine in bench.engines[:: -1 if turn % 2 else 1]:
                cost = bench.run(engine, sizes[engine.name])
                costs[engine.name].append(cost)
                print(
                    f"  run {turn + 1} {engine.name}: {cost.rate:,.0f}/s, "
                    f"{cost.cpu_per_million:.1f} CPU s a million, {cost.seconds:.1f} s",
                    flush=True,
                )
        size = bench.filled(max(sizes.values()))
    finally:
        bench.close()
    return {
        "bytes_per_event": round(size.bytes / size.events),
        "runs": runs,
        "engines": [
            _summary(engine, sizes[engine.name], costs[engine.name]) for engine in bench.engines
        ],
    }


def _enough(bench: Bench, engine: Engine) -> int:
    """How many events give the engine its work, tried out: a cold engine's pace says too few."""
    count = engine.trial
    while (cost := bench.run(engine, count)).seconds < WORK:
        count = _round_up(count * min(4, max(1.2, 1.1 * WORK / max(cost.seconds, 0.1))))
    print(f"  {engine.name}: {count:,} events keep it busy for {cost.seconds:.0f} s", flush=True)
    return count


def _round_up(count: float) -> int:
    """In steps of a fifth of its magnitude, so that engines of like pace share a topic."""
    step = 10 ** math.floor(math.log10(count)) // 5
    return math.ceil(count / step) * step


def _summary(engine: Engine, events: int, costs: list[Run]) -> dict[str, Any]:
    return {
        "name": engine.name,
        "how": engine.how,
        "events": events,
        "events_per_second": round(statistics.median(cost.rate for cost in costs)),
        "cpu_seconds_per_million": round(
            statistics.median(cost.cpu_per_million for cost in costs), 1
        ),
        "slowest": round(min(cost.rate for cost in costs)),
        "fastest": round(max(cost.rate for cost in costs)),
        "least_cpu": round(min(cost.cpu_per_million for cost in costs), 1),
        "most_cpu": round(max(cost.cpu_per_million for cost in costs), 1),
        "whole_cpu_per_million": round(statistics.median(cost.whole for cost in costs), 1),
        "seconds": round(statistics.median(cost.seconds for cost in costs), 1),
        "rss_mb": round(statistics.median(cost.rss for cost in costs) / 1e6),
    }
