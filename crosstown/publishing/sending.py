"""Events on their way to Kafka: topics and schemas on demand, the ledger told what arrived.

At least once: what the broker has acknowledged stands in the ledger, what it hasn't is sent again
by the next call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import Producer

from crosstown.avro.codec import frame
from crosstown.backbone import kafka
from crosstown.errors import Stop, Unavailable
from crosstown.event.envelope import content_hash, prefix_bytes
from crosstown.home import Endpoints, Home
from crosstown.provisioning.event_topics import EventTopics
from crosstown.publishing.ledger import Heard, Later, Ledger
from crosstown.registry.client import Registry
from crosstown.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from crosstown.contracts.checked import Checked

AT_START: Final = 6.0
"""Seconds that a broker and a registry are given to answer at the beginning of a call."""
PATIENCE: Final = 120.0
"""Seconds that a message, or a new topic's schema, may wait for a broker that went away."""
BATCH: Final = 2_000
"""Events that are compared with the ledger at once."""
BATCH_WAITS: Final = 1.0
"""Seconds after which fewer are sent: a line that somebody feeds by and by must not wait for thousands."""
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
        self._home = Home(settings.home)
        self._ledger, self._waiting, self._patience = ledger, waiting, patience
        self._admin = kafka.wait_for_broker(settings, endpoints, AT_START)
        self._registry = Registry.at(settings, endpoints)
        self._registry.wait(AT_START)
        self._topics = EventTopics(self._admin, self._registry)
        self._ids: dict[str, int] = {}
        self._under_way: dict[bytes, Heard] = {}
        self._pending: Counter[bytes] = Counter()
        self._arrived: list[tuple[bytes, int, bytes]] = []
        self._later: dict[bytes, Later] = {}
        self._since = 0.0
        self._batch: list[tuple[Checked, Callable[[bool], None]]] = []
        how = kafka.producer(settings, endpoints, message_timeout_ms=int(patience * 1000))
        self._producer: Any = Producer({**how, "log_level": 0})

    def __enter__(self) -> Self:
        return self

    def send(self, event: Checked, done: Callable[[bool], None]) -> None:
        """Send an event unless this home has already said so.

        `done` is called with False for that, and with True once the broker has acknowledged.
        """
        now = time.monotonic()
        if not self._batch:
            self._since = now
        self._batch.append((event, done))
        if len(self._batch) >= BATCH or now - self._since > BATCH_WAITS:
            self._send_batch()

    def push(self) -> None:
        """Send at once what was handed over so far; a moment later it's acknowledged and noted."""
        self._send_batch()
        self._producer.flush(1)
        self._note()

    def _send_batch(self) -> None:
        batch, self._batch = self._batch, []
        said = [(_key(event), _content(event)) for event, _ in batch]
        known = self._ledger.heard([key for key, _ in said])
        for key in {key for key, _ in said} & self._under_way.keys():
            heard = self._under_way[key]
            of = known.setdefault(key, heard)
            of.said |= heard.said
            of.later = heard.later or of.later
        for (event, done), (key, content) in zip(batch, said, strict=True):
            self._send(event, known.setdefault(key, Heard()), key, content, done)
        self._producer.poll(0)
        self._note()

    def _send(
        self, event: Checked, heard: Heard, key: bytes, content: bytes, done: Callable[[bool], None]
    ) -> None:
        e = event.envelope
        if heard.knows(e.known_at, content):
            if event.own_time and heard.is_later(e.known_at, content):
                heard.later = self._later[key] = Later(
                    key, e.known_at, content, event.topic, e.record, e.via, event.body
                )
            done(False)
            return
        later, counts_since = heard.later, max(heard.said)[0] if heard.said else 0
        self._produce(event.topic, self._schema_id(event), event.body, e.record, e.known_at, e.via,
                      self._under(key, e.known_at, content, heard, done))  # fmt: skip
        if later is not None and counts_since < e.known_at < later.known_at:
            schema_id = (self._ids.get(later.topic)
                         or self._registry.latest(f"{later.topic}-value").id)  # fmt: skip
            self._produce(later.topic, schema_id, later.body, later.record, later.known_at,
                          later.via, self._under(key, later.known_at, later.content, heard,
                                                 lambda _new: None))  # fmt: skip

    def _under(
        self, key: bytes, known_at: int, content: bytes, heard: Heard, done: Callable[[bool], None]
    ) -> Callable[[KafkaError | None, Message], None]:
        heard.said.add((known_at, content))
        self._under_way[key] = heard
        self._pending[key] += 1
        return partial(self._delivered, (key, known_at, content), done)

    def _schema_id(self, event: Checked) -> int:
        found = self._ids.get(event.topic)
        if found is None:
            found = self._ids[event.topic] = self._prepare(event)
        return found

    def _produce(
        self, topic: str, schema_id: int, body: bytes, record: str, known_at: int, via: str,
        report: Callable[[KafkaError | None, Message], None],
    ) -> None:  # fmt: skip
        value = frame(schema_id, body)
        headers = [("known_at", str(known_at).encode()), ("via", via.encode())]
        while True:
            try:
                self._producer.produce(topic, value, record.encode(), headers=headers,
                                       on_delivery=report)  # fmt: skip
            except BufferError:  # the queue is full: the broker is slower than we are, or away
                self._wait()
            else:
                return

    def _prepare(self, event: Checked) -> int:
        """The schema's id for a topic of this call, both made if they aren't there."""
        self._is_known(event.contract.id)
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._topics.schema_id(event)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                self._wait()

    def _is_known(self, contract: str) -> None:
        """What intake would let die stays unsaid: it would be known here, and never sent again."""
        known = (self._home.up() or {}).get("contracts")
        if known is not None and contract not in known:
            raise Stop(f"what runs here started without the contract {contract}; it wasn't sent",
                       mend="crosstown down, then crosstown up --detach with the CROSSTOWN_SCHEMAS "
                            "of this call")  # fmt: skip

    def _delivered(
        self, said: tuple[bytes, int, bytes], done: Callable[[bool], None],
        error: KafkaError | None, message: Message,
    ) -> None:  # fmt: skip
        del message
        if error is not None:
            self.unacknowledged += 1
            self.why = error.str()
            return
        self._arrived.append(said)
        done(True)

    def _note(self) -> None:
        """Tell the ledger what has arrived, and what was heard again."""
        if not self._arrived and not self._later:
            return
        arrived, self._arrived = self._arrived, []
        later, self._later = self._later, {}
        self._ledger.learn(arrived, later.values())
        for key, _, _ in arrived:
            self._pending[key] -= 1
            if not self._pending[key]:
                del self._pending[key], self._under_way[key]

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
