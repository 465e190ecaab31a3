"""One running installation on real Kafka, used as people use it: by its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from crosstown.backbone import kafka
from crosstown.formats import DEAD_LETTER, plain
from crosstown.home import Endpoints, endpoints
from crosstown.registry.own_values import body_of
from crosstown.settings import Settings

LOOKS = {
    "cases": ("cases",), "cases for programs": ("cases", "-o", "json"), "stats": ("stats",),
    "stats for programs": ("stats", "-o", "json"), "waiting": ("stats", "--wait"),
    "tail": ("tail", "accepted"), "tail for programs": ("tail", "accepted", "-o", "json"),
    "case": ("case", "riverton-311/request/1"), "place": ("cases", "--place", "12-elm-st"),
    "status": ("status",), "agencies": ("agencies",),
}  # fmt: skip
"""What somebody calls who looks around where nothing has been published yet."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a call of the command line came to."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Its output as the one JSON object that it must be."""
        assert self.out.count("\n") == 1, self
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def ok(self) -> Said:
        """Itself, if it went well."""
        assert self.code == 0, self
        return self


def call(home: Path, *words: str, stdin: str = "", **env: str) -> Said:
    """Call `crosstown` in a process of its own; a stack trace is never an answer."""
    ours = {k: v for k, v in os.environ.items()
            if not k.startswith("CROSSTOWN_") or k == "CROSSTOWN_CACHE"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "crosstown.cli", *words],
        input=stdin.encode(), capture_output=True, check=False, timeout=240,
        env={**ours, "CROSSTOWN_HOME": str(home), **env},
    )  # fmt: skip
    said = Said(words, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in said.out + said.err, said
    return said


@dataclass
class Installation:
    """A home where all processes run; `empty` is what it said before anything was in it."""

    home: Path
    empty: dict[str, Said] = field(default_factory=dict)

    def __call__(self, *words: str, stdin: str = "", **env: str) -> Said:
        """Call the command line here."""
        return call(self.home, *words, stdin=stdin, **env)

    @property
    def settings(self) -> Settings:
        """The settings of a program that uses it."""
        return Settings(home=self.home)

    @property
    def where(self) -> Endpoints:
        """Its Kafka and its registry."""
        return endpoints(self.settings)

    def stats(self) -> dict[str, Any]:
        """Its figures, once all that was published is in."""
        return self("stats", "--wait", "-o", "json").ok().json()

    def case(self, asked: str) -> dict[str, Any]:
        """A case, for programs."""
        return self("case", asked, "-o", "json").ok().json()

    def topic(self, name: str) -> None:
        """Make a topic as whoever runs the cluster would."""
        admin = AdminClient(kafka.client(self.settings, self.where))
        kafka.ensure_topics(admin, [kafka.Topic(name, 1, kafka.EVENTS)])

    @contextmanager
    def producer(self, **more: Any) -> Iterator[Any]:
        """A producer of somebody's own, which knows none of our rules; all is sent at the end."""
        one = Producer(kafka.client(self.settings, self.where, **more) | {"log_level": 0})
        yield one
        assert one.flush(30) == 0

    def dead_letters(self, topic: str) -> list[dict[str, Any]]:
        """The dead letters of one topic, opened, in order."""
        schema = fastavro.parse_schema(plain(DEAD_LETTER))
        rows: Iterator[Any] = (
            fastavro.schemaless_reader(_stream(value), schema, None) for value in self._read(topic)
        )
        return list(rows)

    def _read(self, topic: str) -> Iterator[bytes]:
        reader = Consumer(
            kafka.consumer(self.settings, self.where, group_id="test", enable_partition_eof=True)
        )
        reader.assign([TopicPartition("dead-letters", 0, 0)])
        try:
            while True:
                message = reader.poll(10)
                assert message is not None, "dead-letters can't be read"
                if message.error() is not None:
                    return
                if message.key().startswith(topic.encode() + b"/"):  # others may have written too
                    yield body_of(message.value())
        finally:
            reader.close()


def _stream(value: bytes) -> Any:
    from io import BytesIO

    return BytesIO(value)


@contextmanager
def running(home: Path) -> Iterator[Installation]:
    """Start everything with five shards, look around, and end it all at the end."""
    try:
        call(home, "up", "--detach", "--partitions", "5").ok()
        with ThreadPoolExecutor(2) as two:
            looks = two.map(lambda words: call(home, *words), LOOKS.values())
            yield Installation(home, dict(zip(LOOKS, looks, strict=True)))
    finally:
        call(home, "down")


def line(number: str, agency: str = "riverton-311", **more: Any) -> str:
    """A line for `crosstown publish events`: something was reported in Riverton."""
    return json.dumps({
        "agency": agency, "record": f"{agency}/request/{number}", "type": "request.opened",
        "step": "REPORTED", "occurred_at": "2026-03-02T08:30:00Z",
        "jurisdiction": "us-xx-riverton", **more,
    }) + "\n"  # fmt: skip
