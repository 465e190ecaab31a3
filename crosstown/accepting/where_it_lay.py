"""Single messages, read again from where they lay."""

from __future__ import annotations

import logging
import time
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

log = logging.getLogger(__name__)
PATIENCE: Final = 10.0
"""Seconds that one message may take to be read."""


class WhereItLay:
    """Reads one message at a time; a context manager."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._consumer = Consumer(
            kafka.consumer(settings, endpoints, group_id="where-it-lay", fetch_wait_max_ms=20,
                           enable_partition_eof=True)
        )  # fmt: skip

    def read(self, topic: str, partition: int, offset: int) -> Message | None:
        """The message at one place; None: it is gone. Raises `Unavailable` where nobody can say."""
        place = TopicPartition(topic, partition, offset)
        try:
            low, high = self._consumer.get_watermark_offsets(place, timeout=PATIENCE)
            if not low <= offset < high:
                return None
            self._consumer.assign([place])
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                message = self._consumer.poll(1.0)
                if message is None:
                    continue
                if message.error() is None:
                    return message if message.offset() == offset else None
                if message.error().name() == "_PARTITION_EOF":
                    return None
                log.warning("%s: %s", topic, message.error().str())
        except KafkaException as error:
            if error.args[0].name() in (
                "UNKNOWN_TOPIC_OR_PART",
                "_UNKNOWN_PARTITION",
                "_UNKNOWN_TOPIC",
            ):
                return None
            raise Unavailable(f"{topic} can't be read: {error.args[0].str()}") from None
        raise Unavailable(f"{topic}/{partition}/{offset} couldn't be read in {PATIENCE:.0f} seconds",
                          mend="try again")  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
