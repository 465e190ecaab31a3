"""The ends of all feeds that somebody reads, followed by one consumer on one thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from crosstown.backbone import kafka
from crosstown.feeds.numbers import number_of
from crosstown.gateway.feeds.feed import Feed, Message
from crosstown.home import Endpoints
from crosstown.settings import Settings

log = logging.getLogger(__name__)

BACK: Final = 1_000
"""Offsets before a feed's end at which reading begins; further back where none is a message."""
POLL: Final = 0.1
AGAIN: Final = 1.0
"""Seconds until a topic that isn't there is looked for again."""
_GONE: Final = frozenset((KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
                          KafkaError._UNKNOWN_PARTITION))  # noqa: SLF001  # fmt: skip


@dataclass(slots=True)
class _Tail:
    feed: Feed
    low: int = 0
    high: int = 0
    begin: int = 0
    seen: bool = False
    """Whether a message was met since `begin`."""


class Tails:
    """Reads feeds at their ends and tells them, on the event loop, what came."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._loop = asyncio.get_running_loop()
        self._wanted: queue.SimpleQueue[Feed] = queue.SimpleQueue()
        self._closing = threading.Event()
        self.fatal = ""
        """Why it can't go on, if it can't."""
        self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def follow(self, feed: Feed) -> None:
        """Follow this one, too, from now on; its topic may not be there yet."""
        self._wanted.put(feed)

    def close(self) -> None:
        """Read no more."""
        self._closing.set()
        self._thread.join(3)

    def _run(self) -> None:
        try:
            reader = Consumer(kafka.consumer(
                self._settings, self._endpoints, enable_partition_eof=True,
                queued_max_messages_kbytes=16_384, fetch_error_backoff_ms=100,
                fetch_wait_max_ms=100,
            ))  # fmt: skip
            try:
                _Following(reader, self._wanted, self._tell, self._closing).run()
            finally:
                reader.close()
        except Exception as error:
            log.exception("feeds can't be followed")
            self.fatal = f"feeds can't be followed: {error}"

    def _tell(self, call: Any, *what: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(call, *what)


class _Following:
    """The work of the thread."""

    def __init__(self, reader: Consumer, wanted: Any, tell: Any, closing: threading.Event) -> None:
        self._reader, self._wanted, self._tell, self._closing = reader, wanted, tell, closing
        self._tails: dict[str, _Tail] = {}
        self._missing: list[Feed] = []
        self._looked = 0.0

    def run(self) -> None:
        while not self._closing.is_set():
            self._begin()
            message = self._reader.poll(POLL)
            if message is not None:
                self._take([message, *self._reader.consume(1_000, 0)])

    def _begin(self) -> None:
        while not self._wanted.empty():
            self._missing.append(self._wanted.get())
            self._looked = 0.0
        if not self._missing or time.monotonic() < self._looked + AGAIN:
            return
        self._looked = time.monotonic()
        missing, self._missing = self._missing, []
        for feed in missing:
            try:
                there = self._assign(feed)
            except KafkaException as error:
                log.warning("%s: %s", feed.topic, error.args[0].str())
                self._missing.append(feed)
                continue
            if not there:
                self._tell(feed.is_at_end)
                self._missing.append(feed)

    def _assign(self, feed: Feed) -> bool:
        """Begin a feed shortly before its end; False where its topic isn't there."""
        if self._reader.list_topics(feed.topic, timeout=5).topics[feed.topic].error is not None:
            return False
        at = TopicPartition(feed.topic, 0)
        low, high = self._reader.get_watermark_offsets(at, timeout=5, cached=False)
        begin = max(low, high - BACK)
        self._tails[feed.topic] = _Tail(feed, low, high, begin)
        self._reader.incremental_assign([TopicPartition(feed.topic, 0, begin)])
        return True

    def _take(self, messages: Iterable[Any]) -> None:
        came: dict[str, list[Message]] = {}
        ended: list[_Tail] = []
        for message in messages:
            tail = self._tails.get(message.topic() or "")
            error = message.error()
            if error is not None:
                if tail is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    ended.append(tail)
                else:
                    self._went_wrong(tail, error)
            elif tail is not None:
                number = number_of(message.key())
                if not number:
                    log.error(
                        "%s offset %s isn't a feed's message", message.topic(), message.offset()
                    )
                    continue
                tail.seen = True
                one = Message(number, message.offset(), message.value() or b"")
                came.setdefault(tail.feed.topic, []).append(one)
        for topic, ones in came.items():
            if topic not in self._tails:  # it has just been found gone
                continue
            self._tell(self._tails[topic].feed.arrived, ones)
        for tail in ended:
            self._at_end(tail)

    def _at_end(self, tail: _Tail) -> None:
        """All that is there was read: say so, or look further back where no message was met."""
        if tail.seen or tail.begin <= tail.low:
            self._tell(tail.feed.is_at_end)
            return
        tail.begin = max(tail.low, tail.high - 10 * (tail.high - tail.begin))
        self._reader.seek(TopicPartition(tail.feed.topic, 0, tail.begin))

    def _went_wrong(self, tail: _Tail | None, error: KafkaError) -> None:
        if tail is None:
            log.warning("feeds: %s", error.str())
        elif error.code() in _GONE:
            log.warning("%s: %s", tail.feed.topic, error.str())
            del self._tails[tail.feed.topic]
            self._reader.incremental_unassign([TopicPartition(tail.feed.topic, 0)])
            self._tell(tail.feed.anew)
            self._missing.append(tail.feed)
        else:
            log.warning("%s: %s", tail.feed.topic, error.str())
