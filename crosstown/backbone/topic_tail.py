"""A topic of one partition, read whole and followed from then on, for what is small and kept for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

PATIENCE: Final = 10.0
"""Seconds that Kafka is given to show what lies there."""


class TopicTail:
    """One reader; `what` is what lies there in words, for an error."""

    def __init__(
        self, settings: Settings, endpoints: Endpoints, topic: str, group: str, what: str
    ) -> None:  # fmt: skip
        self._what = what
        self._at = TopicPartition(topic, 0, 0)
        self._reached = 0
        self._consumer = Consumer(
            kafka.consumer(
                settings, endpoints, group_id=group, enable_partition_eof=True,
                fetch_wait_max_ms=100,
            )
        )  # fmt: skip
        self._consumer.assign([self._at])

    def to_end(self) -> Iterator[Message]:
        """On to the end as it is now; raises `Unavailable` where Kafka doesn't show all of it."""
        return self._read(PATIENCE)

    def news(self) -> Iterator[Message]:
        """What has come since the last reading; doesn't wait. Raises `Unavailable`."""
        return self._read(0)

    def has_all(self, patience: float) -> bool:
        """Whether all that lies there now was given; False, too, where Kafka doesn't say it in time.

        `news` alone can't tell: where nobody can be reached nothing comes either.
        """
        try:
            _, end = self._consumer.get_watermark_offsets(self._at, timeout=patience)
        except KafkaException:
            return False
        return self._reached >= int(end)

    def close(self) -> None:
        """Give up the connection."""
        self._consumer.close()

    def _read(self, patience: float) -> Iterator[Message]:
        while True:
            try:
                message = self._consumer.poll(patience)
            except KafkaException as error:
                raise self._away(error.args[0].str()) from None
            if message is None:
                if patience:
                    raise self._away("no answer")
                return
            wrong = message.error()
            if wrong is None:
                self._reached = message.offset() + 1
                yield message
                continue
            if wrong.name() != "_PARTITION_EOF":
                raise self._away(wrong.str())
            self._reached = max(self._reached, message.offset())  # markers lie before it
            if patience:
                return

    def _away(self, why: str) -> Unavailable:
        return Unavailable(f"{self._what} can't be read: {why}", mend="see crosstown status")
