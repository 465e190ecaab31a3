"""How far a group has read, as its coordinator says; nobody joins the group for it.

A consumer is asked, not an admin client: the library under it ends the whole process where an admin
client's `list_consumer_group_offsets` meets a coordinator that has just moved to another broker
(librdkafka's issue 5040, open; it ended a supervisor with all its programs when one of three brokers
died).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from crosstown.backbone import kafka
from crosstown.home import Endpoints
from crosstown.settings import Settings

PATIENCE: Final = 10.0
"""Seconds until a coordinator must have answered."""


def read_by(
    settings: Settings, endpoints: Endpoints, group: str,
    partitions: Collection[tuple[str, int]], timeout: float = PATIENCE,
) -> dict[tuple[str, int], int]:  # fmt: skip
    """By topic and partition, the offset before which `group` has read all; where it has none, nothing.

    `KafkaException` where no coordinator answers within `timeout` seconds.
    """
    if not partitions:
        return {}
    reader = Consumer({**kafka.consumer(settings, endpoints, group_id=group),
                       "log_level": 0, "error_cb": lambda _error: None})  # fmt: skip
    try:
        asked = [TopicPartition(*one) for one in partitions]
        return {(at.topic, at.partition): at.offset
                for at in reader.committed(asked, timeout=timeout) if at.offset >= 0}  # fmt: skip
    finally:
        reader.close()
