"""Judged events into Kafka, with a receipt for each: idempotent, `acks=all`, never an endless wait.

At least once: an event without a receipt may or may not be there, and is sent again by its sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from crosstown.avro.codec import frame
from crosstown.backbone import kafka
from crosstown.errors import CrosstownError
from crosstown.gateway.verdict import Receipt
from crosstown.home import Endpoints
from crosstown.provisioning.event_topics import EventTopics
from crosstown.registry.client import Registry
from crosstown.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import Message

    from crosstown.contracts.checked import Checked

log = logging.getLogger(__name__)

AT_MOST: Final = 9.0
"""Seconds from an event's arrival to its receipt; the producer itself gives up before."""
GIVES_UP: Final = 8_000
"""Milliseconds after which the producer drops a message."""
_GONE: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001


class Missing(NamedTuple):
    """Why an event has no receipt; `sent` false: it certainly isn't in Kafka."""

    sent: bool
    why: str


Outcome = Receipt | Missing


class Delivery:
    """One producer and one way to topics and schemas, for as long as the gateway runs."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        self.admin = kafka.wait_for_broker(settings, endpoints, timeout=30)
        self.registry = Registry.at(settings, endpoints)
        self.registry.timeout = 3
        self.registry.wait(30)
        self._topics = EventTopics(self.admin, self.registry, timeout=5)
        self._ids: dict[tuple[str, str], int] = {}
        self._one = ThreadPoolExecutor(1, "topics")
        self.fatal = ""
        """Why the producer can't go on, if it can't."""
        self.away = ""
        """Why nothing is sent for now: Kafka didn't answer when last asked."""
        self.unregistered = ""
        """Why no contract can be used for the first time now."""
        how = kafka.producer(settings, endpoints, message_timeout_ms=GIVES_UP, linger_ms=5)
        self._producer: Any = Producer({**how, "error_cb": self._error, "log_level": 0})
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._thread.start()

    async def send(
        self, events: Sequence[Checked], headers: Sequence[tuple[str, bytes]] = ()
    ) -> list[Outcome]:
        """The outcome of each event, in order, within ten seconds; `headers` go with each message."""
        if self.away:
            return [Missing(sent=False, why=self.away)] * len(events)
        loop = asyncio.get_running_loop()
        until = loop.time() + AT_MOST
        out: list[Outcome | None] = [None] * len(events)
        going: list[tuple[int, Checked, int]] = []
        for index, event in enumerate(events):
            try:
                schema_id = self._ids.get(_subject(event))
                if schema_id is None:
                    async with asyncio.timeout_at(until):
                        schema_id = await loop.run_in_executor(self._one, self._prepare, event)
                going.append((index, event, schema_id))
            except (CrosstownError, KafkaException, TimeoutError) as error:
                log.warning("not sent: %s", error)
                out[index] = Missing(sent=False, why=f"{event.topic} isn't ready")
        if going:
            under_way = _UnderWay(loop, out, len(going))
            for index, event, schema_id in going:
                self._produce(index, event, schema_id, under_way, headers)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await under_way.all_in
        return [Missing(sent=True, why="Kafka hasn't acknowledged it in time")
                if one is None else one for one in out]  # fmt: skip

    def _prepare(self, event: Checked) -> int:
        """An event's schema id, its topic made; on one thread, one after the other."""
        known = self._ids.get(_subject(event))
        if known is None:
            known = self._ids[_subject(event)] = self._topics.schema_id(event)
        return known

    def _produce(
        self, index: int, event: Checked, schema_id: int, under_way: _UnderWay,
        more: Sequence[tuple[str, bytes]],
    ) -> None:  # fmt: skip
        envelope = event.envelope
        headers = [
            ("known_at", str(envelope.known_at).encode()),
            ("via", envelope.via.encode()),
            *more,
        ]

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                if error.code() in _GONE:
                    self._ids.pop(_subject(event), None)
                    self._topics.forget(event.topic)
                under_way.arrived(index, Missing(sent=True, why=error.str()))
                return
            at = Receipt(message.topic() or "", message.partition() or 0, message.offset() or 0)
            under_way.arrived(index, at)

        try:
            self._producer.produce(event.topic, frame(schema_id, event.body),
                                   envelope.record.encode(), headers=headers, on_delivery=delivered)  # fmt: skip
        except (BufferError, KafkaException) as error:
            under_way.arrived(index, Missing(sent=False, why=f"Kafka takes no more: {error}"))

    def look(self) -> None:
        """Ask Kafka and the registry whether they answer, and note what is found."""
        before = self.away, self.unregistered
        try:
            self.admin.list_topics(timeout=2)
            self.away = ""
        except KafkaException as error:
            self.away = f"Kafka doesn't answer ({error.args[0].str()})"
        try:
            with Registry.at(self._settings, self._endpoints) as registry:
                registry.timeout = 2
                registry.subjects()
            self.unregistered = ""
        except CrosstownError:
            self.unregistered = "the schema registry doesn't answer"
        now = self.away, self.unregistered
        if now != before:
            log.warning("%s", "; ".join(filter(None, now)) or "Kafka and the registry answer again")

    def close(self) -> None:
        """Let go; what is still under way is sent within three seconds."""
        self._producer.flush(3)
        self._closing.set()
        self._thread.join(1)
        self._one.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.2)

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self.fatal = error.str()


class _UnderWay:
    """The events of one request that wait for their receipts; told from the producer's thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, out: list[Outcome | None], left: int
    ) -> None:
        self._loop, self._out, self._left = loop, out, left
        self._lock = threading.Lock()
        self.all_in: asyncio.Future[None] = loop.create_future()

    def arrived(self, index: int, outcome: Outcome) -> None:
        """One has its outcome."""
        with self._lock:
            self._out[index] = outcome
            self._left -= 1
            done = not self._left
        if done:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self.all_in.done():
            self.all_in.set_result(None)


def _subject(event: Checked) -> tuple[str, str]:
    """What one id stands for: a topic, and the schema as the contract has it now."""
    return event.topic, event.contract.schema_text
