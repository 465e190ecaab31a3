"""The messages of one feed in the order of their numbers, from any number on.

A feed is a topic of one partition whose messages have their number as key: 1, 2, 3, ... in the order
of their offsets. The oldest go when their time is over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import NotFound, Unavailable
from crosstown.feeds.numbers import number_of
from crosstown.home import Endpoints
from crosstown.settings import Settings

TIMEOUT: Final = 10.0
NEAR: Final = 64
"""So many offsets are read through rather than searched."""


class Said(NamedTuple):
    """One message: its number, its value as it lies there (None: taken out), its Kafka time stamp.

    `said_at` is microseconds UTC, `offset` where it lies.
    """

    number: int
    value: bytes | None
    said_at: int
    offset: int


class Numbers(NamedTuple):
    """The first and the last number that a feed holds now; both 0 where it's empty."""

    first: int
    last: int


class FeedLog:
    """One feed's messages; every method raises `Unavailable` where Kafka doesn't answer."""

    def __init__(self, settings: Settings, endpoints: Endpoints, topic: str) -> None:
        self._topic = topic
        self._after = 0
        self._consumer: Any = Consumer(
            kafka.consumer(
                settings, endpoints, group_id="feed-log", enable_partition_eof=True,
                fetch_wait_max_ms=100, fetch_queue_backoff_ms=10,
                queued_max_messages_kbytes=4096,
            )
        )  # fmt: skip

    def numbers(self) -> Numbers:
        """What it holds now; `NotFound` where there is no such topic (yet)."""
        low, high = self._offsets()
        first = self._at(low)
        if first is None:
            return Numbers(0, 0)
        reach, last = 1, None
        while last is None and reach < 2 * (high - low):
            reach *= 4
            last = self._last(max(low, high - reach))
        return Numbers(first, last or first)

    def go_behind(self, number: int) -> None:
        """Go on with the first message whose number is greater than `number`."""
        low, high = self._offsets()
        while high - low > NEAR:
            middle = (low + high) // 2
            found = self._at(middle)
            if found is None or found > number:
                high = middle
            else:
                low = middle
        self._assign(low)
        self._after = number

    def next(self, wait: float) -> Said | None:
        """The next message; None where none has come after `wait` seconds.

        One that Kafka holds twice comes once.
        """
        until = time.monotonic() + wait
        while True:
            message = self._poll(max(0.0, until - time.monotonic()))
            if message is not None:
                number = number_of(message.key())
                if number > self._after:
                    self._after = number
                    return Said(
                        number, message.value(), kafka.stamp_of(message), message.offset() or 0
                    )
            elif time.monotonic() >= until:
                return None

    def up_to(self, last: int) -> Iterator[Said]:
        """All messages from here up to the number `last`."""
        while self._after < last:
            said = self.next(TIMEOUT)
            if said is None:
                raise Unavailable(f"{self._topic} can't be read to its end now",
                                  mend="try again; see crosstown status")  # fmt: skip
            if said.number > last:
                return
            yield said

    def close(self) -> None:
        """Give up the connection."""
        self._consumer.close()

    def _offsets(self) -> tuple[int, int]:
        try:
            about = self._consumer.list_topics(self._topic, timeout=TIMEOUT).topics[self._topic]
            if not about.partitions:
                raise NotFound(f"there is no topic {self._topic}: nothing was ever said in this feed",
                               mend="see crosstown agreements show, crosstown status")  # fmt: skip
            at = TopicPartition(self._topic, 0)
            low, high = self._consumer.get_watermark_offsets(at, timeout=TIMEOUT)
        except KafkaException as error:
            raise self._away(error.args[0].str()) from None
        return low, high

    def _at(self, offset: int) -> int | None:
        """The number of the first message from an offset on; None where none follows."""
        self._assign(offset)
        found = self._poll_or_end()
        return None if found is None else number_of(found.key())

    def _last(self, offset: int) -> int | None:
        """The number of the last message from an offset on; None where none follows."""
        self._assign(offset)
        last = None
        while (message := self._poll_or_end()) is not None:
            last = number_of(message.key())
        return last

    def _assign(self, offset: int) -> None:
        self._consumer.assign([TopicPartition(self._topic, 0, offset)])

    def _poll(self, wait: float) -> Message | None:
        """The next message; None where none came, or the end did."""
        message = self._consumer.poll(wait)
        error = None if message is None else message.error()
        if error is None:
            return message
        if error.name() == "_PARTITION_EOF":
            return None
        raise self._away(error.str())

    def _poll_or_end(self) -> Message | None:
        """The next message; None at the end."""
        message = self._consumer.poll(TIMEOUT)
        error = None if message is None else message.error()
        if message is not None and error is None:
            return message
        if error is not None and error.name() == "_PARTITION_EOF":
            return None
        raise self._away("no answer" if error is None else error.str())

    def _away(self, why: str) -> Unavailable:
        return Unavailable(f"{self._topic} can't be read: {why}", mend="see crosstown status")
