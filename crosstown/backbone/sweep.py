"""Reading a partition of a topic through, from an offset to its end as of now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

PATIENCE: Final = 5.0
"""Seconds in which a new topic becomes known to a client."""


def messages(
    settings: Settings, endpoints: Endpoints, topic: str, partition: int, start: int = 0,
    end: int = 1 << 62,
) -> Iterator[Message]:  # fmt: skip
    """The committed messages of [start, end) that are still there, up to the topic's end now.

    Raises `Unavailable` where they can't be read now.
    """
    how = kafka.consumer(
        settings, endpoints, group_id="sweep", enable_partition_eof=True, fetch_wait_max_ms=50
    )
    consumer = Consumer({**how, "error_cb": lambda _: None, "log_level": 0})  # it is raised
    try:
        first_left = _first_left(consumer, TopicPartition(topic, partition))
        consumer.assign([TopicPartition(topic, partition, max(start, first_left))])
        while True:
            first = consumer.poll(10.0)
            if first is None:
                raise Unavailable(f"{topic}/{partition} can't be read through now")
            for message in [first, *consumer.consume(1_000, 0)]:  # it waits for all it is asked for
                error = message.error()
                if error is None:
                    if message.offset() >= end:
                        return
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                    return
                else:
                    raise Unavailable(f"{topic}/{partition} can't be read through: {error.str()}")
    except KafkaException as error:
        raise Unavailable(f"{topic}/{partition} can't be read: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _first_left(consumer: Consumer, at: TopicPartition) -> int:
    """The first offset that is still there; a topic that was made just now isn't known at once."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return int(consumer.get_watermark_offsets(at, timeout=10)[0])
        except KafkaException as error:
            unknown = error.args[0].code() == KafkaError._UNKNOWN_PARTITION  # noqa: SLF001
            if not unknown or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
