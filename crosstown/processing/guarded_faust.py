"""A Faust program under guard: at least once, no message skipped, no silent standstill.

    def body(program: Program) -> None:
        guarded = Guarded(program)
        seen = guarded.table("seen")                  # bytes to bytes, kept in a compacted topic

        async def count(message: Message) -> None:    # may come again: be idempotent
            seen[message.key() or b""] = b"1"

        guarded.reads(count, "timelines")
        guarded.run()

    sys.exit(main("counter", body))

Messages come as raw bytes, one at a time; decode them in the handler. `Refused` makes a message a
dead letter, `Unavailable` is waited for, anything else is tried three times and then a dead letter.
An offset is committed when its message's handler has returned and all writes are acknowledged.
Tables may be written only while a message is handled, and hold that message's partition. What of
Faust is left aside, and why: docs/decisions/0009.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, cast

import faust
from faust.types import TP, StreamT

from crosstown import metrics
from crosstown.backbone import kafka
from crosstown.errors import Refused, Unavailable
from crosstown.now_and_then import NowAndThen
from crosstown.processing.dead_letter import TOPIC as DEAD_LETTERS
from crosstown.processing.dead_letter import dead_letter
from crosstown.processing.faust_driver import Table, Transport, broker_settings
from crosstown.processing.faust_message import Message
from crosstown.processing.watchdog import Watchdog
from crosstown.program import Program
from crosstown.registry.own_values import OwnValues, own_values

log = logging.getLogger(__name__)

TRIES: Final = (0.2, 1.0)
"""Seconds between the tries of a handler that fails."""
LONGEST_WAIT: Final = 5.0
PATIENCE: Final = 7.0
"""Seconds that Faust has for an orderly end before the process ends without it."""

Handler = Callable[["Message"], Awaitable[None]]
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Every:
    seconds: float
    work: Work


class Guarded:
    """One Faust app: its group is the program's, its topics have `partitions` partitions.

    `member` is its static member's name: with other topics it must be another one, since the group
    gives a known member back what it had, and Faust ends over a topic that it didn't ask for.
    """

    def __init__(self, program: Program, *, stall: float = 60.0, member: str = "") -> None:
        self.program = program
        self.partitions = program.settings.partitions
        self.app = _app(program, member or program.reads_as)
        self._letters: OwnValues | None = None
        self._read: set[str] = set()
        self._topics: list[kafka.Topic] = []
        self._timers: list[_Every] = []
        self._stall = stall
        self._done: dict[TP, int] = {}

    def table(self, name: str) -> MutableMapping[bytes, bytes]:
        """A table that survives restarts; its changelog is `<program>-<name>-changelog`."""
        table = self.app.Table(name, partitions=self.partitions, key_type=bytes, value_type=bytes)
        forgets = kafka.forgetting(self.program.settings.erasure_hours)
        self.topic(
            f"{self.program.reads_as}-{name}-changelog", self.partitions, kafka.COMPACT | forgets
        )
        return cast("MutableMapping[bytes, bytes]", table)

    def topic(self, name: str, partitions: int, config: Any) -> None:
        """A topic of the program's own, made at the start if it isn't there."""
        self._topics.append(kafka.Topic(name, partitions, config))

    def reads(self, handler: Handler, *topics: str) -> None:
        """Hand every message of these topics to `handler`, one at a time, in partition order."""
        self._read.update(topics)
        source = self.app.topic(
            *topics, key_type=bytes, value_type=bytes, key_serializer="raw",
            value_serializer="raw", allow_empty=True,
        )  # fmt: skip

        async def agent(stream: StreamT[bytes]) -> None:
            stream.enable_acks = False  # Faust's own acknowledges also what was cancelled halfway
            async for event in stream.events():
                message = Message(event.message)
                metrics.received.labels(self.program.name, message.topic()).inc()
                await self._handle(handler, message)
                self._done[TP(message.topic(), message.partition())] = message.offset()
                event.ack()

        self.app.agent(source, name=f"{self.program.name}.{handler.__name__}", concurrency=1)(agent)

    def every(self, seconds: float, work: Work) -> None:
        """Do something again and again while the program runs; it can't write tables: send."""
        self._timers.append(_Every(seconds, work))

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, partition: int | None = None
    ) -> None:
        """Write a message; `settle` waits until it is acknowledged, and so does every commit."""
        await self.app.producer.send(topic, key, value, partition, None, None)

    async def settle(self) -> None:
        """Return when all that was written, tables too, is acknowledged; else `Unavailable`."""
        await cast("Any", self.app.producer).settle()

    def owned(self, topic: str) -> list[int]:
        """The partitions of a topic that this process holds; none while that is being settled."""
        if self.app.rebalancing or not self.app.tables.recovery.completed.is_set():
            return []
        return sorted(tp.partition for tp in self.app.consumer.assignment() if tp.topic == topic)

    async def end(self, topic: str, partition: int) -> int:
        """The offset after the last committed message or marker of a partition, now."""
        return int((await self._standing(TP(topic, partition))).end)

    async def handled(self, topic: str, partition: int, end: int) -> bool:
        """Whether every message before `end` has been handled."""
        tp = TP(topic, partition)
        if self._done.get(tp, -1) + 1 >= end:
            return True
        standing = await self._standing(tp)
        fetched = -1 if standing.fetched is None else standing.fetched
        return bool(standing.position >= end and self._done.get(tp, -1) >= fetched)

    async def _standing(self, tp: TP) -> Any:
        return await cast("Any", self.app.consumer).standing(tp)

    def run(self) -> None:
        """Work until the program is to stop; `Unavailable` where Faust can't go on."""
        admin = kafka.wait_for_broker(self.program.settings, self.program.endpoints, timeout=30)
        kafka.ensure_topics(admin, self._topics)
        kafka.keep_configs(admin, self._topics)
        self._letters = own_values(DEAD_LETTERS, self.program.settings, self.program.endpoints)
        done = threading.Event()
        try:
            self.app.loop.run_until_complete(self._run())
        finally:
            threading.Thread(target=_end_hard, args=[done], daemon=True).start()

    async def _run(self) -> None:
        watchdog = Watchdog(self.program, lambda _: self._held(), self._stall)
        starting = asyncio.ensure_future(self.app.start())
        work = [asyncio.ensure_future(self._repeat(timer)) for timer in self._timers]
        try:
            await self._until(starting, self.app.tables.recovery.completed.is_set)
            if not self.program.stopping.is_set():
                self.program.ready()
                self.program.health.must("assignment", self._why_not)
                watchdog.start()
                await self._until(starting, lambda: False)
        finally:
            watchdog.stop()
            for task in (*work, starting):
                task.cancel()
            await self._stop()

    def _held(self) -> list[tuple[str, int]]:
        return [(topic, partition) for topic in self._read for partition in self.owned(topic)]

    def _why_not(self) -> str:
        if not self.app.tables.recovery.completed.is_set():
            return "its tables aren't restored yet"
        return "the group hasn't said yet which partitions are ours" if self.app.rebalancing else ""

    async def _until(self, starting: asyncio.Future[Any], done: Callable[[], bool]) -> None:
        while not self.program.stopping.is_set() and not done():
            self.program.health.turn()
            if starting.done() and not starting.cancelled() and starting.exception() is not None:
                raise Unavailable(f"Faust didn't start: {starting.exception()!r}")
            if self.app.should_stop:
                raise Unavailable(f"Faust has stopped: {self.app.crash_reason!r}")
            await asyncio.sleep(0.1)

    async def _stop(self) -> None:
        self.program.health.over()
        try:
            await asyncio.wait_for(self.app.stop(), PATIENCE)
        except TimeoutError:
            log.warning("Faust didn't stop in %.0f s; ending without it", PATIENCE)

    async def _handle(self, handler: Handler, message: Message) -> None:
        """Call the handler until the message is dealt with: handled, or a dead letter."""
        tries, wait = iter(TRIES), 0.1
        while True:
            try:
                await handler(message)
            except Refused as error:
                await self._bury(message, error)
            except Unavailable as error:
                log.warning("waiting: %s", error)
                self.program.health.waits("handler", str(error))
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
                continue
            except Exception as error:
                pause = next(tries, None)
                if pause is not None:
                    await asyncio.sleep(pause)
                    continue
                log.exception("%s fails on %s", handler.__name__, message)
                metrics.handler_failures.labels(self.program.name).inc()
                await self._bury(
                    message, Refused("handler-failed", f"{type(error).__name__}: {error}")
                )
            self.program.health.waits("handler", "")
            return

    async def _bury(self, message: Message, why: Refused) -> None:
        metrics.dead_letters.labels(self.program.name, why.reason).inc()
        log.warning("dead letter: %s: %s", message, why)
        assert self._letters is not None  # noqa: S101 - `run` made it before the first message
        letter = dead_letter(cast("Any", message), why, self._letters)
        await self.send(letter.topic, letter.key, letter.value)

    async def _repeat(self, timer: _Every) -> None:
        while True:
            await asyncio.sleep(timer.seconds)
            try:
                await timer.work()
            except Exception as error:  # noqa: BLE001 - the next time may go better
                log.warning("%s: %r", getattr(timer.work, "__name__", "timer"), error)


def _end_hard(done: threading.Event) -> None:
    """Faust's threads may outlive it; at least once means that ending hard is safe."""
    if not done.wait(PATIENCE):
        logging.shutdown()
        os._exit(1)


def _app(program: Program, member: str) -> faust.App:
    for name in ("faust", "mode", "crosstown.processing.faust_driver"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(NowAndThen("aiokafka", seconds=10))
    app = faust.App(
        program.reads_as,
        datadir=str(program.home.state / program.reads_as),
        store="memory://",
        Table=Table,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_replication_factor=1,
        topic_partitions=program.settings.partitions,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{member}-{program.settings.slot}",
        processing_guarantee="at_least_once",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_commit_interval=1.0,
        stream_buffer_maxsize=1000,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        producer_max_request_size=1_600_000,
        **broker_settings(program.settings, program.endpoints),
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    app.producer_transport = Transport(app.conf.broker_producer, app)
    return app
