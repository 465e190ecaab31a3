"""Events on their way to Kafka: topics and schemas on demand, the ledger told what arrived.

At least once: what the broker has acknowledged stands in the ledger, what it hasn't is sent again
by the next call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import Producer

from crosstown import kafka
from crosstown.codec import frame
from crosstown.envelope import content_hash, prefix_bytes
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.home import Endpoints
from crosstown.ledger import Ledger
from crosstown.registry import Registry
from crosstown.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from crosstown.checked import Checked

AT_START: Final = 6.0
"""Seconds that a broker and a registry are given to answer at the beginning of a call."""
PATIENCE: Final = 120.0
"""Seconds that a message, or a new topic's schema, may wait for a broker that went away."""
BATCH: Final = 2_000
"""Events that are compared with the ledger at once."""
_FRAMELESS: Final = b"\0" * 5


class Sending:
    """One call's producer; `waiting` is called, several times a second, while the broker is away."""

    def __init__(
        self,
        settings: Settings,
        endpoints: Endpoints,
        ledger: Ledger,
        waiting: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
    ) -> None:
        self.unacknowledged = 0
        self.why = ""
        self._ledger, self._waiting, self._patience = ledger, waiting, patience
        self._admin = kafka.wait_for_broker(settings, endpoints, AT_START)
        self._registry = Registry(endpoints.registry)
        self._registry.wait(AT_START)
        self._present = set(self._admin.list_topics(timeout=10).topics)
        self._ids: dict[str, int] = {}
        self._under_way: dict[bytes, bytes] = {}
        self._arrived: list[tuple[bytes, bytes]] = []
        self._batch: list[tuple[Checked, Callable[[bool], None]]] = []
        how = kafka.producer(settings, endpoints, message_timeout_ms=int(patience * 1000))
        self._producer: Any = Producer({**how, "error_cb": lambda _: None, "log_level": 0})

    def __enter__(self) -> Self:
        return self

    def send(self, event: Checked, done: Callable[[bool], None]) -> None:
        """Send an event unless this home has already said so.

        `done` is called with False for that, and with True once the broker has acknowledged.
        """
        self._batch.append((event, done))
        if len(self._batch) >= BATCH:
            self._send_batch()

    def _send_batch(self) -> None:
        batch, self._batch = self._batch, []
        said = [(_key(event), _content(event)) for event, _ in batch]
        known = self._ledger.contents([key for key, _ in said])
        known.update(self._under_way)
        for (event, done), (key, content) in zip(batch, said, strict=True):
            if known.get(key) == content:
                done(False)
                continue
            known[key] = self._under_way[key] = content
            self._produce(event, partial(self._delivered, key, content, done))
        self._producer.poll(0)
        self._note()

    def _produce(
        self, event: Checked, report: Callable[[KafkaError | None, Message], None]
    ) -> None:
        e = event.envelope
        schema_id = self._ids.get(event.topic)
        if schema_id is None:
            schema_id = self._ids[event.topic] = self._prepare(event)
        value = frame(schema_id, event.body)
        headers = [("known_at", str(e.known_at).encode()), ("via", e.via.encode())]
        while True:
            try:
                self._producer.produce(event.topic, value, e.record.encode(), headers=headers,
                                       on_delivery=report)  # fmt: skip
            except BufferError:  # the queue is full: the broker is slower than we are, or away
                self._wait()
            else:
                return

    def _prepare(self, event: Checked) -> int:
        """The schema's id for a topic of this call, both made if they aren't there."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                if event.topic not in self._present:
                    kafka.ensure_topics(self._admin, [kafka.Topic(event.topic, 1, kafka.EVENTS)])
                    self._present.add(event.topic)
                return self._registry.register(
                    event.contract.subject(event.agency), event.contract.schema_text
                )
            except Refused as error:
                raise Stop(f"the registry won't have the schema of {event.contract.id}: {error}",
                           mend=error.mend or "a changed schema needs a new version") from None  # fmt: skip
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                self._wait()

    def _delivered(
        self, key: bytes, content: bytes, done: Callable[[bool], None],
        error: KafkaError | None, message: Message,
    ) -> None:  # fmt: skip
        del message
        if error is not None:
            self.unacknowledged += 1
            self.why = error.str()
            return
        self._arrived.append((key, content))
        done(True)

    def _note(self) -> None:
        """Tell the ledger what has arrived."""
        if not self._arrived:
            return
        arrived, self._arrived = self._arrived, []
        self._ledger.learn(arrived)
        for key, content in arrived:
            if self._under_way.get(key) == content:
                del self._under_way[key]

    def _wait(self) -> None:
        if not self._producer.poll(0.2):
            self._waiting()
        if self.unacknowledged:
            raise Unavailable(f"the broker has stopped acknowledging ({self.why})",
                              mend="see crosstown status; then publish again: "
                                   "what has arrived isn't sent twice")  # fmt: skip

    def finish(self) -> None:
        """Wait until all is acknowledged; raises `Unavailable` where some never was."""
        self._send_batch()
        while len(self._producer):
            self._wait()
            self._note()
        self._producer.poll(0)
        if self.unacknowledged:
            self._wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._producer.purge()
            self._producer.poll(0.1)
        self._note()
        self._registry.close()


def _key(event: Checked) -> bytes:
    return bytes.fromhex(event.envelope.event_id.replace("-", ""))


def _content(event: Checked) -> bytes:
    return content_hash(prefix_bytes(event.envelope), _FRAMELESS + event.body)
