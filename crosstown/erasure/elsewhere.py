"""What must be forgotten outside `accepted`: dead letters, the agencies' own topics, old segments.

Runs beside the eraser's transactions. What it does may be done twice without harm.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from confluent_kafka import KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from crosstown.backbone import kafka
from crosstown.backbone.generation import Generation
from crosstown.backbone.read_by import read_by
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Erasures
from crosstown.errors import CrosstownError
from crosstown.program import Program
from crosstown.registry.client import Registry
from crosstown.registry.read_back import Reading, read_letter

log = logging.getLogger(__name__)

EVERY: Final = 2.0
"""Seconds after which a new word on erasing is heard of."""
LOOK: Final = 60.0
"""Seconds between two looks through what is new."""
NUDGE: Final = "00000000-0000-0000-0000-000000000000"
_RECORD: Final = re.compile(
    r"(?<![a-z0-9-])[a-z0-9-]{1,64}/[^\s/\"\\\x00-\x1f]{1,128}/[^\s\"\\\x00-\x1f]{1,128}"
)
"""A record in text that nobody could open. Bounded, and never begun within a word: what is searched
may be a megabyte of one letter."""


class Elsewhere:
    """Looks through other topics while there are erasures; `erasures` gives what is known of them."""

    def __init__(
        self, program: Program, contracts: Repository, live: Generation,
        erasures: Callable[[], Erasures | None],
    ) -> None:  # fmt: skip
        self._nudges = {
            live.accepted: f"{NUDGE}:0:{'0' * 64}:batch".encode(), live.timelines: NUDGE.encode(),
            "dead-letters": b"nudge/0/0", "alerts.deadline": b"nudge", "alerts.pickup": b"nudge",
            f"{live.watch}-watched-changelog": b"nudge",
        }  # fmt: skip
        self._program = program
        self._contracts = contracts
        self._erasures = erasures
        self._reading = Reading(Registry.at(program.settings, program.endpoints).schema)
        self._read_to: dict[tuple[str, int], int] = {}
        self._cut: dict[tuple[str, int], int] = {}
        self._seen = 0
        self._nudged = 0.0
        self._looked = 0.0

    def run(self) -> None:
        """Look again and again until the program is to stop."""
        while not self._program.stopping.wait(EVERY):
            self._program.health.turn("elsewhere")
            erasures = self._erasures()
            if erasures is None or not erasures.any:
                continue
            due = time.monotonic() > self._looked + LOOK or self._cut
            if erasures.heard == self._seen and not due and not self._nudge_due(erasures):
                continue
            self._looked = time.monotonic()
            try:
                self.look(erasures)
            except (CrosstownError, KafkaException) as error:
                log.warning("looking for what is to be forgotten: %s", error)

    def look(self, erasures: Erasures) -> None:
        """One look through what is new; through all after a new word on erasing."""
        if erasures.heard != self._seen:
            self._seen = erasures.heard
            self._read_to.clear()
        admin = kafka.wait_for_broker(self._program.settings, self._program.endpoints, 10)
        producer = Producer(kafka.producer(self._program.settings, self._program.endpoints))
        topics = admin.list_topics(timeout=10).topics
        for topic, about in topics.items():
            for partition in about.partitions:
                if topic == "dead-letters":
                    for key in self._letters(partition, erasures):
                        erasures.latest = time.time_ns() // 1000
                        producer.produce(topic, None, key, partition)
                elif topic.startswith("events."):
                    self._events(topic, partition, erasures)
        self._cut_off(admin)
        self._nudge(producer, topics, erasures)
        producer.flush(30)

    def _letters(self, partition: int, erasures: Erasures) -> Iterator[bytes]:
        for message in self._fresh("dead-letters", partition):
            value, key = message.value(), message.key()
            if value is None or key is None:
                continue
            try:
                said = read_letter(value)
            except Exception:  # noqa: BLE001, S112 - what others wrote there
                continue
            names = self._names(said["topic"], said["key"], said["value"])
            if any(map(erasures.erased, names)):
                yield key

    def _events(self, topic: str, partition: int, erasures: Erasures) -> None:
        for message in self._fresh(topic, partition):
            names = self._names(topic, message.key(), message.value())
            if any(map(erasures.erased, names)):
                self._cut[topic, partition] = message.offset() + 1

    def _fresh(self, topic: str, partition: int) -> Iterator[Message]:
        at = self._read_to.get((topic, partition), 0)
        where = self._program.settings, self._program.endpoints
        for message in messages(*where, topic, partition, at):
            yield message
            self._read_to[topic, partition] = message.offset() + 1

    def _names(self, topic: str, key: bytes | None, value: bytes | None) -> set[str]:
        return names_in(topic, key, value, self._contracts, self._reading)

    def _cut_off(self, admin: AdminClient) -> None:
        """Cut the agencies' topics behind what is to go, once intake has read so far."""
        if not self._cut:
            return
        read = read_by(self._program.settings, self._program.endpoints, "intake", self._cut)
        ready = {tp: to for tp, to in self._cut.items() if read.get(tp, -1) >= to}
        wanted = [TopicPartition(*tp, to) for tp, to in ready.items()]
        for tp, future in admin.delete_records(wanted).items() if wanted else ():
            future.result(timeout=30)
            log.info("%s/%d is cut off before %d: a record in it was erased",
                     tp.topic, tp.partition, tp.offset)  # fmt: skip
            self._cut.pop((tp.topic, tp.partition), None)

    def _nudge(self, producer: Producer, topics: dict[str, Any], erasures: Erasures) -> None:
        """Close the segments that still hold what went: Kafka compacts none that is being written.

        A tombstone of nothing, once each compaction lag, until three lags after the last erasure.
        """
        if not self._nudge_due(erasures):
            return
        self._nudged = time.time()
        for topic, key in self._nudges.items():
            for partition in topics[topic].partitions if topic in topics else ():
                producer.produce(topic, None, key, partition)

    def _nudge_due(self, erasures: Erasures) -> bool:
        lag = self._program.settings.erasure_hours * 3_600
        now = time.time()
        return now - self._nudged >= lag and now < erasures.latest / 1e6 + 3 * lag + 60


def names_in(
    topic: str, key: bytes | None, value: bytes | None, contracts: Repository, reading: Reading
) -> set[str]:
    """The records that a message may be of: by its key, its contract, the texts in it.

    What people say of a record is of that one, too.
    """
    found = set(_RECORD.findall((key or b"").decode("utf-8", "replace")))
    fields = reading.fields(value)
    if fields is None:
        return found | set(_RECORD.findall((value or b"").decode("utf-8", "replace")))
    known = contracts.for_topic(topic)
    if known is not None:
        try:
            mapped = known[0].mapping(fields)
        except Exception:  # noqa: BLE001 - it may be a dead letter for this very reason
            log.debug("%s: a body that its contract can't map", topic)
        else:
            found.add(mapped.record)
            if mapped.type.startswith("link."):
                found |= set(mapped.refs)
    own = fields.get("record")
    return found | ({own} if isinstance(own, str) else set())
