"""A feed's older messages, those that aren't held in memory any more, read from Kafka when asked for."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.feeds.numbers import number_of
from crosstown.gateway.feeds.feed import Feed, Message
from crosstown.home import Endpoints
from crosstown.settings import Settings

READERS: Final = 2
"""How many read at one time; whoever asks meanwhile waits for his turn."""
NEAR: Final = 500
"""So near before a number reading begins, rather than looking for it more closely."""
_FAR: Final = 1 << 62
PATIENCE: Final = 5.0
"""Seconds without an answer from Kafka."""


@dataclass(slots=True)
class _Found:
    messages: list[Message]
    met: list[tuple[int, int]]
    """Numbers and offsets that were met in looking."""


class Past:
    """Reads what lies further back; raises `Unavailable` where Kafka doesn't answer."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._workers = ThreadPoolExecutor(READERS, "past")
        self._idle: queue.SimpleQueue[Consumer] = queue.SimpleQueue()

    async def after(self, feed: Feed, number: int, most: int, most_bytes: int) -> list[Message]:
        """The messages after a number, in order; the first that are kept where it's older than these."""
        return (await self._found(feed, number + 1, most, most_bytes)).messages

    async def first(self, feed: Feed) -> int:
        """The first number that is kept; 0 where nothing is."""
        found = (await self._found(feed, 1, 1, 0)).messages
        return found[0].number if found else 0

    async def _found(self, feed: Feed, number: int, most: int, most_bytes: int) -> _Found:
        bounds = feed.places.between(number, 0, _FAR)

        def look() -> _Found:
            reader = self._reader()
            try:
                return _Look(reader, feed.topic, number, bounds).read(most, most_bytes)
            except KafkaException as error:
                raise Unavailable(f"{feed.topic} can't be read: {error.args[0].str()}") from None
            finally:
                reader.unassign()
                self._idle.put(reader)

        found = await asyncio.get_running_loop().run_in_executor(self._workers, look)
        for met in found.met:
            feed.places.learn(*met)
        return found

    def _reader(self) -> Consumer:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return Consumer(kafka.consumer(
                self._settings, self._endpoints, enable_partition_eof=True,
                queued_max_messages_kbytes=4_096, fetch_wait_max_ms=10,
            ))  # fmt: skip

    def close(self) -> None:
        """Give up the connections."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()


class _Look:
    """One look for a number and what follows it."""

    def __init__(
        self, reader: Consumer, topic: str, number: int, bounds: tuple[int, int]
    ) -> None:  # fmt: skip
        self._reader, self._topic, self._number, self._bounds = reader, topic, number, bounds
        self._met: list[tuple[int, int]] = []

    def read(self, most: int, most_bytes: int) -> _Found:
        """From that number on."""
        if self._reader.list_topics(self._topic, timeout=PATIENCE).topics[self._topic].error:
            return _Found([], [])
        at = TopicPartition(self._topic, 0)
        low, high = self._reader.get_watermark_offsets(at, timeout=PATIENCE, cached=False)
        found: list[Message] = []
        size = 0
        self._reader.assign([TopicPartition(self._topic, 0, self._offset(low, high))])
        while len(found) < most and (one := self._next()) is not None:
            if one.number < self._number:
                continue
            size += len(one.value)
            if found and size > most_bytes:
                break
            found.append(one)
        self._met += [(one.number, one.offset) for one in found[-1:]]
        return _Found(found, self._met)

    def _offset(self, low: int, high: int) -> int:
        """An offset at or shortly before that of the number."""
        first, last = max(low, self._bounds[0]), min(high, self._bounds[1])
        while last - first > NEAR:
            middle = (first + last) // 2
            self._reader.assign([TopicPartition(self._topic, 0, middle)])
            one = self._next()
            if one is None:
                last = middle
                continue
            self._met.append((one.number, one.offset))
            if one.number >= self._number:
                last = min(middle, one.offset - (one.number - self._number))
            else:
                first = one.offset + (self._number - one.number)
        return first

    def _next(self) -> Message | None:
        """The next message; None at the end."""
        while True:
            message: Any = self._reader.poll(PATIENCE)
            if message is None:
                raise Unavailable(f"{self._topic} can't be read: Kafka doesn't answer")
            error = message.error()
            if error is None:
                number = number_of(message.key())
                if number:
                    return Message(number, message.offset(), message.value() or b"")
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                return None
            elif not error.retriable():
                raise KafkaException(error)
