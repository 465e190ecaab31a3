"""The registry's topic `_schemas`: read whole, written in transactions.

So a second registry, or one that was thought dead, can't write between what was read and what is
written. Delivery: exactly once; after a fault nobody guesses whether a write went in: all is read
anew.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from crosstown.backbone.kafka import Topic, consumer, ensure_topics, producer, wait_for_broker
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.registry.subjects import Record, Subjects
from crosstown.settings import Settings

log = logging.getLogger(__name__)

TOPIC: Final = "_schemas"
PATIENCE: Final = 10.0
"""Seconds that one step of reading or writing may take."""


class Log:
    """The topic of one registry; not for several threads at a time."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._producer: Producer | None = None
        self.subjects = Subjects()

    def open(self, timeout: float = 30.0) -> None:
        """Make the topic if it isn't there, and read it to its end."""
        admin = wait_for_broker(self._settings, self._endpoints, timeout)
        ensure_topics(admin, [Topic(TOPIC, 1, {"cleanup.policy": "compact"})])
        self.refresh()

    def refresh(self) -> None:
        """Shut out every earlier writer, then read all that is there; nothing if that is done."""
        if self._producer is not None:
            return
        writer = Producer(producer(
            self._settings, self._endpoints, transactional_id="registry", retry_backoff_ms=10,
            transaction_timeout_ms=int(PATIENCE * 1000),
        ))  # fmt: skip
        try:
            writer.init_transactions(PATIENCE)
            self.subjects = self._read()
        except KafkaException as error:
            raise _unavailable(error) from None
        self._producer = writer

    def write(self, records: list[Record]) -> None:
        """Write records as one, and take them in; when this returns they are there for good.

        Raises `Unavailable`: whether they went in isn't known, and is read before the next write.
        """
        writer = self._producer
        if writer is None:
            raise Unavailable("the registry's topic has not been read", mend="see crosstown status")
        self._producer = None
        failures: list[KafkaError] = []

        def note(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                failures.append(error)

        try:
            writer.begin_transaction()
            for key, value in records:
                writer.produce(TOPIC, key=key, value=value or None, partition=0, on_delivery=note)
            writer.commit_transaction(PATIENCE)
        except KafkaException as error:
            raise _unavailable(error) from None
        if failures:
            raise _unavailable(KafkaException(failures[0]))
        for key, value in records:
            self.subjects.fold(key, value)
        self._producer = writer

    def close(self) -> None:
        """Give up the connections; what was written is there."""
        self._producer = None

    def _read(self) -> Subjects:
        found = Subjects()
        reader = Consumer(consumer(self._settings, self._endpoints, enable_partition_eof=True))
        try:
            reader.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
            while True:
                message = reader.poll(PATIENCE)
                if message is None:
                    raise Unavailable(f"reading {TOPIC} has stood still for {PATIENCE:.0f} s",
                                      mend="see crosstown status")  # fmt: skip
                error = message.error()
                if error is None:
                    _fold(found, message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    return found
                elif not error.retriable():
                    raise KafkaException(error)
        finally:
            reader.close()


def _fold(subjects: Subjects, message: Any) -> None:
    try:
        subjects.fold(message.key() or b"", message.value())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning("%s offset %s is not a registry's record and is left out: %r",
                    TOPIC, message.offset(), error)  # fmt: skip


def _unavailable(error: KafkaException) -> Unavailable:
    return Unavailable(f"the registry's topic can't be written: {error.args[0].str()}",
                       mend="try again; see crosstown status")  # fmt: skip
