"""The whole path on a generated city: publish, intake, cases, each over a filled topic; latency.

run(events, folder)   throughput of each program, and the memory that a record costs
latency(...)          p50 and p99 from the event's sending to its timeline, at a steady rate
hot_case(...)         one case of 200 entries, into which every event falls
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from bench import state
from bench.measure import ROOT, Cost, Group, end, own_cpu, run_until_done

from connectors import source
from crosstown import sample
from crosstown.backbone import kafka
from crosstown.embedded.broker import Broker
from crosstown.avro.codec import Encoder, frame
from crosstown.formats import TIMELINE, plain
from crosstown.home import Endpoints, Home
from crosstown.processes.ports import choose
from crosstown.supervision.prepare import prepare
from crosstown.publishing.publish import publish
from crosstown.registry.client import Registry
from crosstown.contracts.repository import Repository
from crosstown.settings import Settings

AGENCY, REPOSITORY = "riverton-tenants", Repository.load()
EVENTS = REPOSITORY.contracts["any/events"]
WARM = 5
"""Seconds of the latency's load that aren't counted."""


class Backbone:
    """Kafka and the registry without a supervisor: the bench starts each program when it wants."""

    def __init__(self, home: Path) -> None:
        port = choose()
        self.registry: subprocess.Popen[bytes] | None = None
        self.broker = Broker(Settings(home=home)).start()
        self.endpoints = Endpoints(self.broker.bootstrap, f"http://127.0.0.1:{port}")
        self.settings = Settings(
            home=home, bootstrap=self.broker.bootstrap, registry=self.endpoints.registry
        )
        self.home = Home(home).make()
        self.env = {
            "CROSSTOWN_HOME": str(home),
            "CROSSTOWN_BOOTSTRAP": self.broker.bootstrap,
            "CROSSTOWN_REGISTRY": self.endpoints.registry,
            "CROSSTOWN_REGISTRY_PORT": str(port),
        }
        try:
            self.registry = self.start("crosstown.registry.server")
            Registry(self.endpoints.registry).wait(30)
            prepare(self.settings, self.endpoints)
        except BaseException:
            self.close()
            raise

    def start(self, module: str) -> subprocess.Popen[bytes]:
        log = (self.home.logs / f"{module}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", module],
            env={**os.environ, **self.env},
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )

    def program(self, name: str, is_its: Any, slack: int = 0) -> Cost:
        """Run one program over what lies in its topics."""
        group = Group(self.broker.how, name, is_its)
        try:
            return run_until_done(
                [sys.executable, "-m", f"streams.{name}"],
                self.env,
                group,
                self.home.logs / f"bench-{name}.log",
                slack,
            )
        finally:
            group.close()

    def close(self) -> None:
        if self.registry is not None:
            end(self.registry)
        self.broker.stop()


@contextmanager
def backbone(home: Path) -> Iterator[Backbone]:
    one = Backbone(home)
    try:
        yield one
    finally:
        one.close()


def run(files: list[Path], folder: Path) -> dict[str, Any]:
    """Throughput and CPU of publish, intake and cases over the sample city's exports."""
    with backbone(folder / "home") as bone:
        me = psutil.Process()
        began, began_cpu = time.monotonic(), own_cpu(me)
        reports = publish(
            bone.settings,
            bone.endpoints,
            REPOSITORY,
            lambda naming: source("riverton", naming),
            files,
        )
        said = sum(one.published for one in reports)
        published = Cost(said, time.monotonic() - began, own_cpu(me) - began_cpu, 0)
        # A batch's commit puts a marker on each partition: the last one is behind the last data.
        intake = bone.program("intake", lambda topic: topic.startswith("events."))
        cases = bone.program("cases", lambda topic: topic == "accepted", slack=1)
        records = len({(said["jurisdiction"], said["record"]) for said in _timelines(bone)})
        kept = state.measure(bone, lambda: _say_one(bone))
    return {
        "events": said,
        "records": records,
        "rss": cases.rss,
        "publish": _row(published),
        "intake": _row(intake),
        "cases": _row(cases),
        "state": kept,
    }


def _say_one(bone: Backbone) -> str:
    producer, head, encoder = _producer(bone)
    now = time.time_ns() // 1000
    event = _event(now, now, "address:1-new-st")
    producer.produce(EVENTS.topic(AGENCY), head + encoder.encode(event), event["record"].encode())
    producer.flush(10)
    return str(event["record"])


def _row(cost: Cost) -> dict[str, float]:
    return {
        "events_per_second": round(cost.rate),
        "cpu_seconds_per_million": round(cost.cpu_per_million, 1),
    }


def _timelines(bone: Backbone) -> Iterator[dict[str, Any]]:
    """All that `timelines` says, from its beginning to its end."""
    schema = fastavro.parse_schema(plain(TIMELINE))
    consumer = Consumer(kafka.consumer(bone.settings, bone.endpoints, enable_partition_eof=True))
    consumer.assign([TopicPartition("timelines", 0, 0)])
    while True:
        for message in consumer.consume(2_000, 10):
            if message.error() is not None:
                consumer.close()
                return
            yield fastavro.schemaless_reader(BytesIO(message.value()[5:]), schema, None)


def latency(folder: Path, rate: int, seconds: int) -> dict[str, float]:
    """From sending an event to seeing its timeline, read_committed, in milliseconds.

    The first five seconds warm up and aren't counted: an agency's topic is found within a second.
    `empty_rss` is what the case program takes before it holds anything, in bytes.
    """
    with backbone(folder / "home") as bone:
        programs = [bone.start("streams.intake"), bone.start("streams.cases")]
        sent: dict[str, float] = {}
        seen: dict[str, float] = {}
        done = threading.Event()
        reader = threading.Thread(target=_watch, args=(bone, seen, done))
        try:
            reader.start()
            time.sleep(5)
            empty = psutil.Process(programs[1].pid).memory_info().rss
            _send(bone, sent, rate, seconds + WARM)
            deadline = time.monotonic() + 30
            while len(seen) < len(sent) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            done.set()
            reader.join()
            for child in programs:
                end(child)
    if len(seen) < len(sent):
        sys.exit(f"{len(sent) - len(seen):,} of {len(sent):,} events never came into a timeline")
    counted = list(sent.items())[rate * WARM :]
    took = sorted((seen[record] - at) * 1000 for record, at in counted)
    return {
        "rate": rate,
        "events": len(took),
        "empty_rss": empty,
        "p50_ms": round(statistics.median(took)),
        "p99_ms": round(took[int(len(took) * 0.99)]),
        "longest_ms": round(took[-1]),
    }


def _producer(bone: Backbone) -> tuple[Producer, bytes, Encoder]:
    topic = EVENTS.topic(AGENCY)
    kafka.ensure_topics(
        kafka.wait_for_broker(bone.settings, bone.endpoints, 10),
        [kafka.Topic(topic, 1, kafka.EVENTS)],
    )
    schema_id = Registry.at(bone.settings, bone.endpoints).register(
        EVENTS.subject(AGENCY), EVENTS.schema_text
    )
    made = Producer(kafka.producer(bone.settings, bone.endpoints, linger_ms=5))
    return made, frame(schema_id, b""), Encoder(EVENTS.schema)


def _event(number: int, at: int, place: str, kind: str = "seen") -> dict[str, Any]:
    return {
        "agency": AGENCY,
        "record": f"{AGENCY}/bench/{number}",
        "type": kind,
        "step": "REPORTED",
        "occurred_at": at,
        "due_at": None,
        "jurisdiction": "us-xx-riverton",
        "place": place,
        "area": "North",
        "concern": "housing-condition",
        "to_agency": "",
        "channel": "phone",
        "refs": [],
        "flags": [],
        "identity": [],
        "payload": "x" * 80,
    }


def _send(bone: Backbone, sent: dict[str, float], rate: int, seconds: int) -> None:
    producer, head, encoder = _producer(bone)
    topic, start = EVENTS.topic(AGENCY), time.monotonic()
    for number in range(rate * seconds):
        ahead = start + number / rate - time.monotonic()
        if ahead > 0.002:
            producer.poll(ahead)
        event = _event(number, time.time_ns() // 1000, f"address:{number // 3}-bench-st")
        sent[event["record"]] = time.monotonic()
        producer.produce(topic, head + encoder.encode(event), event["record"].encode())
    producer.flush(30)


def _watch(bone: Backbone, seen: dict[str, float], done: threading.Event) -> None:
    schema = fastavro.parse_schema(plain(TIMELINE))
    consumer = Consumer(kafka.consumer(bone.settings, bone.endpoints, fetch_wait_max_ms=20))
    consumer.assign([TopicPartition("timelines", 0, 0)])
    while not done.is_set():
        for message in consumer.consume(500, 0.01):
            if message.error() is None:
                said = fastavro.schemaless_reader(BytesIO(message.value()[5:]), schema, None)
                seen.setdefault(said["record"], time.monotonic())
    consumer.close()


def hot_case(folder: Path, events: int) -> dict[str, Any]:
    """Every event falls into one case that has 200 entries: what each costs."""
    with backbone(folder / "home") as bone:
        producer, head, encoder = _producer(bone)
        topic, at = EVENTS.topic(AGENCY), time.time_ns() // 1000 - 86_400_000_000
        for number in range(events):  # 100 records, two events each, corrected to and fro
            event = _event(
                number % 100, at + number % 200, "address:1-hot-st", f"t{number % 200 // 100}"
            )
            event["payload"] = f"said {number // 200 % 2}"
            producer.produce(topic, head + encoder.encode(event), event["record"].encode())
            if number % 10_000 == 0:
                producer.poll(0)
        producer.flush(60)
        bone.program("intake", lambda name: name.startswith("events."))
        cost = bone.program("cases", lambda name: name == "accepted", slack=1)
        told = [said["case"] for said in _timelines(bone) if said["case"]]
    if told[-1]["entry_count"] != 200:
        sys.exit(f"the hot case has {told[-1]['events']} entries, not 200")
    return {"events": events, "entries": 200, "messages": len(told), **_row(cost)}
