"""Faust's Kafka driver as we need it: committed data only, and no offset ahead of its own writes.

Faust's own reads uncommitted data, writes without idempotence, and commits an offset though a write
of its event failed (seen with faust-streaming 0.15.3 and aiokafka 0.14.0).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import aiokafka
import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers import aiokafka as faust_aiokafka
from faust.types import TP

from crosstown.backbone.login import hush, login, spoken
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

SETTLE_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where reading a partition stands: next offset to fetch, its end, the last data fetched."""

    position: int
    end: int
    fetched: int | None


class ConsumerThread(faust_aiokafka.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The consumer, reading committed data only, and knowing what it has fetched."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fetched: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust has no setting for it
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        for tp, batch in records.items():
            if batch:
                self.fetched[TP(tp.topic, tp.partition)] = batch[-1].offset
        return records

    async def standing(self, tp: TP) -> Standing:
        """Position, end and last data fetched, taken together on the thread that fetches."""
        return cast("Standing", await self.call_thread(self._standing, tp))

    async def _standing(self, tp: TP) -> Standing:
        consumer = self._ensure_consumer()
        own = aiokafka.TopicPartition(tp.topic, tp.partition)
        end = (await consumer.end_offsets([own]))[own]
        position = await consumer.position(own)
        return Standing(position, end, self.fetched.get(TP(tp.topic, tp.partition)))


class Consumer(faust_aiokafka.Consumer):  # type: ignore[misc]
    """Commits an offset only when every write that was made so far is acknowledged."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def standing(self, tp: TP) -> Standing:
        """Where reading this partition stands."""
        return await cast("ConsumerThread", self._thread).standing(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets without a message are as good as handled; `offset_to` is the next message itself.

        Faust counts that one in, and then twice: each commit goes one transaction on, no further, and a
        program falls behind where more than one a second is written (seen with faust-streaming 0.15.3).
        """
        await super()._add_gap(tp, offset_from, offset_to - 1)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await cast("Producer", self.app.producer).settle()
        except Unavailable as error:
            await self.crash(error)
            return False
        return bool(await super()._commit(offsets))


class Producer(faust_aiokafka.Producer):  # type: ignore[misc]
    """An idempotent producer that knows what isn't acknowledged yet, and what was lost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unsettled: set[asyncio.Future[Any]] = set()
        self._lost: BaseException | None = None

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    def send_soon(self, fut: Any) -> None:
        """Put into the buffer; this is how tables write to their changelog."""
        self._track(fut)
        super().send_soon(fut)

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send; the result is a future of the acknowledgement."""
        sent = await super().send(*args, **kwargs)
        self._track(sent)
        return sent

    async def settle(self) -> None:
        """Return when all that was written is acknowledged; `Unavailable` if something isn't."""
        waiting: Iterable[asyncio.Future[Any]] = list(self._unsettled)
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=SETTLE_TIMEOUT)
            if late:
                raise Unavailable(
                    f"{len(late)} writes weren't acknowledged in {SETTLE_TIMEOUT:.0f} s"
                )
        if self._lost is not None:
            raise Unavailable(f"a write failed: {self._lost!r}")

    def _track(self, sent: asyncio.Future[Any]) -> None:
        self._unsettled.add(sent)
        sent.add_done_callback(self._settled)

    def _settled(self, sent: asyncio.Future[Any]) -> None:
        self._unsettled.discard(sent)
        if not sent.cancelled() and sent.exception() is not None:
            self._lost = self._lost or sent.exception()


class Table(faust.Table):  # type: ignore[misc]
    """A table that forgets a lost partition's rows; Faust's forgets only those it restored."""

    def on_key_set(self, key: Any, value: Any) -> None:
        """Write to the changelog, and remember which partition the row belongs to."""
        super().on_key_set(key, value)
        self.data._key_partition[key] = self.partition_for_key(key)  # noqa: SLF001

    def on_key_del(self, key: Any) -> None:
        """Write the row's end to the changelog."""
        super().on_key_del(key)
        self.data._key_partition.pop(key, None)  # noqa: SLF001


class Transport(faust_aiokafka.Transport):  # type: ignore[misc]
    """The driver: what `guarded_faust` gives to the app."""

    Consumer = Consumer
    Producer = Producer


def broker_settings(settings: Settings, endpoints: Endpoints) -> dict[str, Any]:
    """Faust's settings for the cluster: where it is, and how to be let in (`CROSSTOWN_KAFKA`)."""
    servers = endpoints.bootstrap.split(",")
    found: dict[str, Any] = {"broker": [f"kafka://{server.strip()}" for server in servers]}
    hush()
    said = spoken(login(settings, endpoints) | settings.kafka)
    match said.protocol:
        case "SSL":
            found["broker_credentials"] = SSLCredentials(said.tls)
        case "SASL_PLAINTEXT" | "SASL_SSL":
            found["broker_credentials"] = SASLCredentials(
                username=said.username, password=said.password, mechanism=said.mechanism,
                ssl_context=said.tls if said.protocol == "SASL_SSL" else None,
            )  # fmt: skip
        case _:  # plaintext: nothing to show
            pass
    return found
