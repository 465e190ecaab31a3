"""What the tests of exactly-once do to a running installation: start, look, kill, compare."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from confluent_kafka import Consumer, TopicPartition

from crosstown.backbone import kafka
from crosstown.cases.cases import City
from crosstown.cases.timeline import city_digest
from crosstown.contracts.checked import Checker
from crosstown.contracts.repository import Repository
from crosstown.event.envelope import saying
from crosstown.home import Home, endpoints
from crosstown.settings import Settings
from crosstown.source import Reject, Source


class Installation:
    """One home, worked through the command line as a user would."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *args: object, code: int = 0) -> str:
        """A command's standard output; fails where it ends with another code or a stack trace."""
        done = subprocess.run(
            [sys.executable, "-m", "crosstown.cli", *map(str, args), "--home", str(self.home)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def json(self, *args: object, code: int = 0) -> Any:
        """A command's one JSON object."""
        return json.loads(self.run(*args, "-o", "json", code=code))

    def background(self, *args: object) -> subprocess.Popen[bytes]:
        """A command that goes on while the test does something else."""
        return subprocess.Popen(
            [sys.executable, "-m", "crosstown.cli", *map(str, args), "--home", str(self.home)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def process(self, name: str) -> dict[str, Any]:
        """One process as the supervisor last wrote it down."""
        up = Home(self.home).up()
        assert up is not None
        (found,) = [p for p in up["processes"] if p["name"] == name]
        return dict(found)

    def kill(self, name: str) -> None:
        """SIGKILL, the death confirmed by its absence."""
        pid = self.process(name)["pid"]
        victim = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        victim.wait(10)
        assert not psutil.pid_exists(pid)

    def wait_until_running(self, name: str, besides: int) -> None:
        """Until the supervisor has another process of that name running."""
        until(lambda: (p := self.process(name))["state"] == "running" and p["pid"] != besides)

    def lag(self, group: str, topics: Callable[[str], bool]) -> int:
        """How far the group's committed offsets stand behind the ends of the topics."""
        settings = Settings(home=self.home)
        consumer = Consumer(kafka.consumer(settings, endpoints(settings), group_id=group))
        try:
            found = [
                TopicPartition(name, partition)
                for name, topic in consumer.list_topics(timeout=10).topics.items()
                if topics(name)
                for partition in topic.partitions
            ]
            total = 0
            for tp in consumer.committed(found, timeout=10) if found else []:
                place = TopicPartition(tp.topic, tp.partition)
                total += consumer.get_watermark_offsets(place, timeout=10)[1] - max(tp.offset, 0)
            return total
        finally:
            consumer.close()


@contextmanager
def installation(home: Path, partitions: int) -> Iterator[Installation]:
    """A home that runs in the background, and is ended without a trace."""
    one = Installation(home)
    one.run("up", "--detach", "--partitions", partitions)
    try:
        yield one
    finally:
        one.run("down")


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def shuffled(files: Iterable[Path], folder: Path, seed: int) -> list[Path]:
    """The same exports with their rows and their order shuffled."""
    dice = random.Random(seed)
    folder.mkdir(parents=True)
    made = []
    for file in files:
        with file.open(newline="", encoding="utf-8-sig") as source:
            head, *rows = csv.reader(source)
        dice.shuffle(rows)
        made.append(folder / file.name)
        with made[-1].open("w", newline="", encoding="utf-8") as target:
            csv.writer(target).writerows([head, *rows])
    dice.shuffle(made)
    return made


def expected(source: Source, files: Sequence[Path], contracts: Repository) -> dict[str, Any]:
    """The figures that the pure core gives for what the files say, in one go."""
    source.survey(files)
    cities: dict[str, City] = {}
    checker = Checker(contracts, 1_000_000_000_000_000, 2_000_000_000_000_000)
    for file in files:
        for row in checker.rows(source, file):
            assert not isinstance(row, Reject)
            for said in row:
                e = said.envelope
                city = cities.setdefault(e.jurisdiction, City(e.jurisdiction, contracts.window))
                city.say(*saying(e, b"\0" * 5 + said.body))
    return figures(cities.values())


def figures(cities: Iterable[City]) -> dict[str, Any]:
    """What `stats` says, computed from states."""
    from io import BytesIO

    import fastavro

    from crosstown.cases.timeline import message_bytes
    from crosstown.formats import TIMELINE, plain

    schema = fastavro.parse_schema(plain(TIMELINE))
    cases: list[dict[str, Any]] = []
    for city in cities:
        for change in city.changes():
            if change.case is not None:
                message = message_bytes("x", change.record, change.case_id, 0, change.case)
                cases.append(fastavro.schemaless_reader(BytesIO(message), schema, None)["case"])
    return {
        "events": sum(case["entry_count"] for case in cases),
        "records": sum(case["record_count"] for case in cases),
        "cases": len(cases),
        "cross_agency_cases": sum(len(case["agencies"]) >= 2 for case in cases),
        "cases_three_or_more": sum(len(case["agencies"]) >= 3 for case in cases),
        "largest_case_records": max(case["record_count"] for case in cases),
        "digest": city_digest(case["digest"] for case in cases),
    }  # fmt: skip
