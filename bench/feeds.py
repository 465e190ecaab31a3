"""What feeds cost on Kafka: reading the log again, telling a receiver all, and how late an event is.

    python -m bench.feeds [EVENTS]

One agreement over all events, `accepted` filled by `intake`. The first row reads the log through while
nobody has accepted the agreement; the second begins with nothing told; both from the start of the
program on. Latency is from the sending of an
event to its message on the feed, read_committed.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import psutil
from bench.measure import Group, end, own_cpu
from bench.path import AGENCY, EVENTS, WARM, Backbone, _event, _producer, _send, backbone
from confluent_kafka import Consumer, TopicPartition

from crosstown.backbone import kafka
from crosstown.agreements import word_log
from crosstown.agreements.words import Word
from crosstown.feeds.form import form
from crosstown.contracts.repository import Repository

NAME, RECEIVER, RATE, SECONDS = "bench", "xx-county-health", 50, 20
FILE = f"""id: {NAME}
kind: handshake
providers: [{AGENCY}]
receiver: {RECEIVER}
stewards: {{{AGENCY}: Sam Abara, {RECEIVER}: Lena Whitfield}}
purpose: To see how long it takes.
gives: events
contracts: [{{contract: any/events}}]
envelope: [type, step, occurred_at, place, area, concern, headline]
identifiers: records
jurisdictions: [us-xx-riverton]
since: 2025-01-01
delivery: {{ways: [http, kafka]}}
"""


def city(folder: Path) -> Repository:
    """The shipped contracts, with one agreement."""
    shutil.copytree(Repository.load().path, folder)
    shutil.rmtree(folder / "agreements")
    (folder / "agreements").mkdir()
    (folder / "agreements" / f"{NAME}.yaml").write_text(FILE, "utf-8")
    return Repository.load(folder)


def throughput(bone: Backbone, repository: Repository, events: int) -> None:
    producer, head, encoder = _producer(bone)
    now = time.time_ns() // 1000
    for number in range(events):
        event = _event(number, now, f"address:{number}-new-st")
        producer.produce(EVENTS.topic(AGENCY), head + encoder.encode(event))
        if number % 10_000 == 0:
            producer.flush(60)
    producer.flush(60)
    bone.program("intake", lambda topic: topic.startswith("events."))
    for what in ("read again", "read again and told"):
        if what.endswith("told"):
            accept(bone, repository)
            forget_place(bone)
        seconds, cpu = until_told(bone)
        print(
            f"{what:20} {events / seconds:>8,.0f} events/s  {cpu / events * 1e6:6.1f} CPU s a million",
            flush=True,
        )


def until_told(bone: Backbone) -> tuple[float, float]:
    """Seconds, and CPU seconds, from the program's start until all that it found is told."""
    group = Group(bone.broker.how, "feeds", lambda topic: topic == "accepted")
    began = time.monotonic()
    child = bone.start("streams.feeds")
    process = psutil.Process(child.pid)
    try:
        while group.at() < group.end - 1:
            time.sleep(0.02)
        return time.monotonic() - began, own_cpu(process)
    finally:
        end(child)
        group.close()


def accept(bone: Backbone, repository: Repository) -> None:
    """All parties accept."""
    one = repository.agreements[NAME]
    for party in one.parties:
        word_log.say(bone.settings, bone.endpoints, Word(
            agreement=NAME, word="accepted", party=party, by="bench", said_at=time.time_ns() // 1000,
            terms=one.terms,
        ))  # fmt: skip


def forget_place(bone: Backbone) -> None:
    """Let the program's place be the beginning again, so that it's seen when it has come to the end."""
    consumer = Consumer(kafka.consumer(bone.settings, bone.endpoints, group_id="feeds"))
    consumer.commit(offsets=[TopicPartition("accepted", 0, 0)], asynchronous=False)
    consumer.close()


def latency(bone: Backbone, repository: Repository) -> None:
    accept(bone, repository)
    programs = [bone.start("streams.intake"), bone.start("streams.feeds")]
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    done = threading.Event()
    reader = threading.Thread(target=watch, args=(bone, repository, seen, done))
    try:
        reader.start()
        time.sleep(5)
        _send(bone, sent, RATE, SECONDS + WARM)
        until = time.monotonic() + 30
        while len(seen) < len(sent) and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        done.set()
        reader.join()
        for child in programs:
            end(child)
    took = sorted((seen[record] - at) * 1000 for record, at in list(sent.items())[RATE * WARM :])
    print(f"at {RATE} events/s: p50 {statistics.median(took):.0f} ms, p99 {took[int(len(took) * 0.99)]:.0f} ms,"
          f" longest {took[-1]:.0f} ms")  # fmt: skip


def watch(
    bone: Backbone, repository: Repository, seen: dict[str, float], done: threading.Event
) -> None:
    schema = fastavro.parse_schema(form(repository.agreements[NAME], repository.contracts))
    consumer = Consumer(kafka.consumer(bone.settings, bone.endpoints, fetch_wait_max_ms=20))
    consumer.assign([TopicPartition(f"feed.{NAME}", 0, 0)])
    while not done.is_set():
        for message in consumer.consume(500, 0.01):
            if message.error() is None:
                said: Any = fastavro.schemaless_reader(BytesIO(message.value()[5:]), schema, None)
                seen.setdefault(said["record"], time.monotonic())
    consumer.close()


def main() -> int:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    for measure in (lambda b, r: throughput(b, r, events), latency):
        with tempfile.TemporaryDirectory() as folder:
            repository = city(Path(folder) / "contracts")
            with backbone(Path(folder) / "home") as bone:
                bone.env["CROSSTOWN_SCHEMAS"] = str(repository.path)
                measure(bone, repository)
    return 0


if __name__ == "__main__":
    sys.exit(main())
