"""The fold that every engine does: decode an event, count by key, keep the latest, write one output.

The events are of 262 bytes in Confluent's wire format, as an agency's are; a key has eight on
average. The expected outputs are reckoned here, so that an engine's can be held against them.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

FOLDER = Path(__file__).parent / "peers"
EVENT = fastavro.parse_schema(json.loads((FOLDER / "event.avsc").read_text("utf-8")))
RESULT = fastavro.parse_schema(json.loads((FOLDER / "result.avsc").read_text("utf-8")))
FRAME = struct.pack(">bI", 0, 1)
KEPT = ("type", "step", "occurred_at", "headline")
"""What of the latest event of a key is kept, and written with the count."""

State = tuple[int, dict[str, Any]]


def encode(schema: Any, fields: dict[str, Any]) -> bytes:
    stream = BytesIO(FRAME)
    stream.seek(5)
    fastavro.schemaless_writer(stream, schema, fields)
    return stream.getvalue()


def result(event: dict[str, Any], states: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Fold one event in; the key's state, which is what is written."""
    key = event["record"]
    state = states.get(key)
    if state is None:
        state = states[key] = {"record": key, "count": 0, "occurred_at": -1}
    state["count"] += 1
    if event["occurred_at"] >= state["occurred_at"]:
        for name in KEPT:
            state[name] = event[name]
    return state


def events(count: int) -> Iterator[dict[str, Any]]:
    """`count` events of count/8 keys, the same at every call."""
    dice = random.Random(20260101)
    start, keys = 1_750_000_000_000_000, max(1, count // 8)
    for number in range(count):
        key = dice.randrange(keys)
        yield {
            "event_id": f"{dice.getrandbits(32):08x}-7d1c-5b43-9a66-{number:012x}",
            "agency": "riverton-housing",
            "record": f"riverton-housing/inspections/HI-{key:07d}",
            "type": "inspected",
            "step": dice.choice(("REPORTED", "ASSIGNED", "IN_PROGRESS", "RESOLVED")),
            "occurred_at": start + dice.randrange(10_000_000) * 1_000_000,
            "jurisdiction": "us-xx-riverton",
            "place": f"address:{key % 900}-elm-st",
            "area": "North",
            "concern": "housing-condition",
            "headline": f"Inspection HI-{key:07d}",
            "payload": "n" * 55,
        }


@dataclass
class Filled:
    """A topic with events, and what an engine must make of it."""

    topic: str
    events: int
    bytes: int
    digest: int


def digest_of(key: bytes, value: bytes) -> int:
    """Of one output; an engine's digest is the sum, whatever the order."""
    return zlib.crc32(value[5:], zlib.crc32(key))


def make_topic(how: dict[str, Any], name: str) -> None:
    admin = AdminClient(how)
    new = NewTopic(name, num_partitions=1, replication_factor=1)
    admin.create_topics([new], operation_timeout=30)[name].result(30)


def delete_topics(how: dict[str, Any], *names: str) -> None:
    admin = AdminClient(how)
    present = set(admin.list_topics(timeout=10).topics)
    doomed = [topic for topic in present for name in names if topic == name or name in topic]
    for future in admin.delete_topics(doomed, operation_timeout=30).values() if doomed else ():
        future.result(30)


def fill(how: dict[str, Any], count: int) -> Filled:
    """A new topic with `count` events."""
    topic = f"fold-{count}"
    make_topic(how, topic)
    producer = Producer(
        {
            **how,
            "enable.idempotence": True,
            "linger.ms": 20,
            "partitioner": "murmur2_random",
            "batch.size": 200_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
        }
    )
    states: dict[str, dict[str, Any]] = {}
    size = digest = 0
    for number, event in enumerate(events(count)):
        key, value = event["record"].encode(), encode(EVENT, event)
        size += len(value)
        digest += digest_of(key, encode(RESULT, result(event, states)))
        producer.produce(topic, value, key)
        if number % 10_000 == 0:
            while len(producer) > 200_000:
                producer.poll(0.1)
            producer.poll(0)
    producer.flush(60)
    return Filled(topic, count, size, digest)


def read_back(how: dict[str, Any], topic: str) -> tuple[int, int]:
    """How many outputs a topic holds, read_committed, and their digest."""
    consumer = Consumer(
        {
            **how,
            "group.id": "bench-check",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    count = digest = 0
    while True:
        for message in consumer.consume(2_000, 10):
            if message.error() is not None:
                consumer.close()
                return count, digest
            count += 1
            digest += digest_of(message.key(), message.value())
