"""Exactly-once: read a batch, let a pure core work, write what it says, in one Kafka transaction.

Delivery: each message's effect is in the output once, whatever dies when; readers must be
`read_committed`. Two shapes share the transaction: `run_stateless` (one producer a process) and
`run_sharded` (one producer and one state a partition, the state folded from the topic itself).
Sources: docs/decisions/0001; KIP-98, KIP-447; librdkafka's INTRODUCTION "Transactional producer".
Why a batch's outputs are kept until the commit instead of an overlay: docs/decisions/0007.
"""

from __future__ import annotations

import gc
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, NamedTuple, Protocol

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from crosstown import metrics
from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.processing.watchdog import Watchdog
from crosstown.program import Program

log = logging.getLogger(__name__)

BATCH: Final = 20_000
BATCH_BYTES: Final = 16 << 20
FIRST_WAIT: Final = 0.5
MORE_WAIT: Final = 0.01
CHUNK: Final = 1_000
STALL: Final = 45.0
"""Seconds for which committed data may lie unread before a program is ended, to be started again."""
_FENCED: Final = (
    KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED,  # noqa: SLF001
)  # fmt: skip
CALL: Final = 7.0
"""Seconds that one transactional call may take before it is asked again.

After three of them, 21 s, the outcome of a commit is unknown, and is found out."""


class Output(NamedTuple):
    """One message to write; partition -1 = by key, no value = what stood under the key is gone."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: list[tuple[str, bytes]] | None = None


class Shard(Protocol):
    """The state of one partition, an order-free fold of its messages.

    One with a local store says in `start` where the log is to be read from; who has none inherits.
    """

    @property
    def start(self) -> int:
        """The first offset that isn't in the state yet."""
        return 0

    def fold(self, message: Message) -> Iterable[Output]:
        """Take one message in; what it says at once (dead letters) is written with the batch."""

    def settle(self) -> None:
        """All that was folded so far has been told before: the state is restored."""

    def outputs(self, version: int) -> Iterable[Output]:
        """What the messages since the last call change; `version` is the offset behind them."""

    def keep(self, offset: int, *, last: bool = False) -> None:
        """All before `offset` is folded and committed; `last`: and nothing more will be."""
        del offset, last

    def close(self, *, discard: bool = False) -> None:
        """The state isn't needed any more; `discard`: nor must any of it be used again."""
        del discard


class Lost(Exception):
    """The partitions of a batch are no longer ours, or the program is ending."""


@dataclass(slots=True)
class Ownership:
    """Which partitions are ours, as the group's callbacks tell, and the batch being gathered.

    Whatever was gathered of a partition before it changed hands leaves the batch.
    """

    consumer: Consumer
    stopping: threading.Event
    owned: set[tuple[str, int]] = field(default_factory=set)
    batch: list[Message] = field(default_factory=list)
    idle: bool = False
    """Whether nothing was there to do when it was last asked for."""
    began: float = 0.0
    """When the first message of the last batch came, seconds of a steady clock."""
    reached: set[tuple[str, int]] = field(default_factory=set)
    """Partitions that were read to their end once since they are ours."""
    paused: set[tuple[str, int]] = field(default_factory=set)
    """Those of ours from which nothing is taken now."""
    gone: set[tuple[str, int]] = field(default_factory=set)
    """Partitions that were taken away since the last batch was gathered, though they be ours again."""
    joined: bool = False
    """Whether the group has said what is ours, if only that it is nothing yet."""

    def gain(self, partitions: list[TopicPartition]) -> None:
        """These are ours now."""
        self.joined = True
        self.lose(partitions)
        self.owned |= {(tp.topic, tp.partition) for tp in partitions}

    def lose(self, partitions: list[TopicPartition]) -> None:
        """These are no longer ours."""
        gone = {(tp.topic, tp.partition) for tp in partitions}
        self.owned -= gone
        self.gone |= gone
        self.reached -= gone
        self.paused -= gone
        self.batch[:] = [m for m in self.batch if (m.topic(), m.partition()) not in gone]

    def lost(self, partitions: list[TopicPartition]) -> None:
        """The group took these away, since it didn't hear from us for too long."""
        self.joined = False
        self.lose(partitions)

    def pause(self, holds: Callable[[str], bool]) -> None:
        """Take nothing from the topics that `holds` names; of others what waited is taken again."""
        wanted = {tp for tp in self.owned if holds(tp[0])}
        for ask, these in (
            (self.consumer.pause, wanted - self.paused),
            (self.consumer.resume, self.paused - wanted),
        ):
            if these:
                ask([TopicPartition(*tp) for tp in these])
        self.paused = wanted

    def why_not(self) -> str:
        """Why there is nothing to work on; empty where the group has said what is ours."""
        return "" if self.joined else "the group hasn't said yet which partitions are ours"

    def still(self, offsets: Iterable[TopicPartition]) -> None:
        """Hear the group's news without taking messages; `Lost` unless all were ours all the time.

        One that came back is read again from what was committed: what was gathered of it must not be
        written.
        """
        if self.stopping.is_set():
            raise Lost
        assigned = self.consumer.assignment()
        if assigned:
            self.consumer.pause(assigned)
        message = self.consumer.poll(0.05)
        if message is not None and message.error() is None:  # of a partition that came just now
            self.consumer.seek(
                TopicPartition(message.topic(), message.partition(), message.offset())
            )
        again = [tp for tp in self.consumer.assignment()
                 if (tp.topic, tp.partition) not in self.paused]  # fmt: skip
        if again:
            self.consumer.resume(again)
        if not all(self.has(tp.topic, tp.partition) for tp in offsets):
            raise Lost

    def has(self, topic: str, partition: int) -> bool:
        """Whether it has been ours since the last batch was gathered."""
        return (topic, partition) in self.owned and (topic, partition) not in self.gone


class Transaction:
    """One transactional producer, and the one way to write a batch with it."""

    def __init__(self, program: Program, transactional_id: str, ownership: Ownership) -> None:
        self._config = kafka.producer(
            program.settings, program.endpoints, transactional_id=transactional_id,
            transaction_timeout_ms=10_000, message_max_bytes=2_000_000, linger_ms=5,
        )  # fmt: skip
        self._name = program.name
        self._health = program.health
        self._ownership = ownership
        self._producer: Producer | None = None

    def open(self) -> None:
        """Settle whatever an earlier owner of this id left open, and fence it off.

        Must come before committed offsets are read. Waits while the broker is away.
        """
        while self._producer is None:
            self._health.turn()
            producer = Producer(self._config)
            try:
                producer.init_transactions(CALL)
            except KafkaException as error:
                log.warning("waiting for the transaction coordinator: %s", error.args[0].str())
                self._health.waits("coordinator", f"Kafka's transactions: {error.args[0].str()}")
                self._ownership.still(())
            else:
                self._producer = producer
                self._health.waits("coordinator", "")

    def committed(self, partitions: list[TopicPartition]) -> dict[tuple[str, int], int]:
        """The group's committed offsets, 0 where there is none; waits while the broker is away."""
        self.open()
        while True:
            self._health.turn()
            try:
                found = self._ownership.consumer.committed(partitions, timeout=CALL)
            except KafkaException as error:
                log.warning("waiting for committed offsets: %s", error.args[0].str())
                self._ownership.still(())
            else:
                return {(tp.topic, tp.partition): max(tp.offset, 0) for tp in found}

    def write(self, outputs: Iterable[Output], offsets: list[TopicPartition]) -> None:
        """Write a batch's outputs and offsets as one; returns once they are in, whatever it takes.

        Outputs are sent while they are made, and kept for another attempt.
        `offsets` stand behind the batch's last messages. Raises `Lost` where others own them now: what
        of the batch is in then, only the committed offsets say.
        """
        made: list[Output] = []
        fresh = _kept(outputs, made)
        while True:
            self._health.turn()
            self.open()
            try:
                self._attempt(chain(tuple(made), fresh), offsets)
            except KafkaException as error:
                self._give_up(error.args[0])
            else:
                committed(self._name, self._ownership.began)
                return
            self._ownership.still(offsets)
            done = self.committed(offsets)
            if all(done[tp.topic, tp.partition] >= tp.offset for tp in offsets):
                return  # the commit whose outcome was unknown had gone in

    def _attempt(self, outputs: Iterable[Output], offsets: list[TopicPartition]) -> None:
        producer = self._producer
        assert producer is not None  # noqa: S101
        producer.begin_transaction()
        send(producer, outputs)
        metadata = self._ownership.consumer.consumer_group_metadata()
        _patiently(lambda: producer.send_offsets_to_transaction(offsets, metadata, CALL))
        _patiently(lambda: producer.commit_transaction(CALL))

    def _give_up(self, error: KafkaError) -> None:
        """Abort if that can be known to work; otherwise the producer goes, and its id settles it."""
        producer, self._producer = self._producer, None
        if producer is not None and aborted(producer, error, self._name):
            self._producer = producer


def send(producer: Producer, outputs: Iterable[Output]) -> None:
    """Hand outputs to a producer, however full it is."""
    produce = producer.produce
    for topic, key, value, partition, headers in outputs:
        while True:
            try:
                if headers is None:
                    produce(topic, value, key, partition)
                else:
                    produce(topic, value, key, partition, headers=headers)
            except BufferError:
                producer.poll(0.1)
            else:
                break


def aborted(producer: Producer, error: KafkaError, program: str) -> bool:
    """Abort what wasn't committed if that can be known to work; False: its outcome is unknown."""
    log.warning("transaction not committed: %s", error.str())
    done = False
    if error.txn_requires_abort():
        try:
            producer.abort_transaction(CALL)
        except KafkaException as also:
            log.warning("nor aborted: %s", also.args[0].str())
        else:
            done = True
    outcome = "aborted" if done else "fenced" if fenced(error) else "unknown"
    metrics.transactions.labels(program, outcome).inc()
    return done


def fenced(error: KafkaError) -> bool:
    """Whether another producer has taken the transactional id over."""
    return error.code() in _FENCED


def committed(program: str, began: float) -> None:
    """Count a transaction of a batch whose first message came at `began` of the steady clock."""
    metrics.transactions.labels(program, "committed").inc()
    metrics.transaction_seconds.labels(program).observe(time.monotonic() - began)


def _kept(outputs: Iterable[Output], made: list[Output]) -> Iterator[Output]:
    for output in outputs:
        made.append(output)
        yield output


def _patiently(call: Callable[[], None]) -> None:
    """A call that may be asked again after a passing trouble is asked three times."""
    for _ in range(2):
        try:
            return call()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            time.sleep(0.2)
    return call()


class Holding(Protocol):
    """Says from which topics nothing is to be taken now."""

    def look(self) -> None:
        """Take in what was said since; doesn't wait."""

    def holds(self, topic: str) -> bool:
        """Whether nothing is to be taken from it."""


class _NoPauses:
    def look(self) -> None:
        """Nothing is ever said."""

    def holds(self, topic: str) -> bool:
        """Nothing is held back."""
        del topic
        return False


def run_stateless(
    program: Program, pattern: str, work: Callable[[list[Message]], Iterable[Output]], slot: int,
    pauses: Holding | None = None,
) -> None:  # fmt: skip
    """Work through all topics that match `pattern` until the program is told to stop.

    What lies in topics that `pauses` holds waits there.
    """
    pauses = pauses or _NoPauses()
    calm_collector()
    consumer = _consumer(program, slot)
    ownership = Ownership(consumer, program.stopping)
    transaction = Transaction(program, f"{program.reads_as}-{slot}", ownership)

    def assigned(_: Consumer, partitions: list[TopicPartition]) -> None:
        ownership.gain(partitions)
        if any(pauses.holds(tp.topic) for tp in partitions):  # before the first message comes
            consumer.incremental_assign(partitions)
            ownership.pause(pauses.holds)

    def revoked(_: Consumer, partitions: list[TopicPartition]) -> None:
        ownership.lose(partitions)

    def lost(_: Consumer, partitions: list[TopicPartition]) -> None:
        ownership.lost(partitions)

    def to_read(client: Consumer) -> list[tuple[str, int]]:
        topics = client.list_topics(timeout=5).topics if ownership.idle else {}
        return [(t, p) for t in topics if re.match(pattern, t) and not pauses.holds(t)
                for p in topics[t].partitions]  # fmt: skip

    watchdog = Watchdog(program, to_read, STALL, lone=True)
    program.health.must("assignment", ownership.why_not)
    try:
        transaction.open()
        consumer.subscribe([pattern], on_assign=assigned, on_revoke=revoked, on_lost=lost)
        watchdog.start()
        program.ready()
        while not program.stopping.is_set() and not ownership.joined:
            gather(program, ownership)
        # A static member is first given what it had before, without the topics that came since
        # (KAFKA-12759); one that is known, and leads the group, is heard when it asks again.
        consumer.unsubscribe()
        consumer.subscribe([pattern], on_assign=assigned, on_revoke=revoked, on_lost=lost)
        while not program.stopping.is_set():
            pauses.look()
            ownership.pause(pauses.holds)
            _work_off(gather(program, ownership), transaction, ownership, work)
    except Lost:
        return
    finally:
        watchdog.stop()
        consumer.close()


def _work_off(
    batch: list[Message], transaction: Transaction, ownership: Ownership,
    work: Callable[[list[Message]], Iterable[Output]],
) -> None:  # fmt: skip
    """Write what a batch comes to; where partitions went to others meanwhile, what is left of it."""
    while batch:
        ends = {(m.topic(), m.partition()): m.offset() + 1 for m in batch}
        offsets = [TopicPartition(*tp, end) for tp, end in ends.items()]
        try:
            transaction.write(work(batch), offsets)
        except Lost:
            if ownership.stopping.is_set():
                raise
            batch = _left(batch, transaction, ownership)
        else:
            break


def _left(
    batch: list[Message], transaction: Transaction, ownership: Ownership
) -> list[Message]:  # fmt: skip
    """What of a batch is still to be written by us: a commit of unknown outcome may have gone in."""
    ours = [m for m in batch if ownership.has(m.topic(), m.partition())]
    places = {(m.topic(), m.partition()) for m in ours}
    done = transaction.committed([TopicPartition(*tp) for tp in places]) if places else {}
    return [m for m in ours if m.offset() >= done[m.topic(), m.partition()]
            and ownership.has(m.topic(), m.partition())]  # fmt: skip


@dataclass(slots=True)
class _Owned:
    """One shard: its state, its producer, and where the state was told up to."""

    shard: Shard
    transaction: Transaction
    told_to: int | None = None
    restoring: bool = True
    folded_to: int = 0
    torn: bool = False
    """Whether a part of a batch is folded that wasn't committed."""


def run_sharded(program: Program, topic: str, make: Callable[[int], Shard], slot: int) -> None:
    """Fold one topic's partitions into states and tell what changes, until told to stop.

    A new owner folds the log from its beginning, or from where a local store stands, to the committed
    offset without output, then goes on: the log is the changelog.
    """
    calm_collector()
    consumer = _consumer(program, slot)
    ownership = Ownership(consumer, program.stopping)
    shards = _Shards(program, ownership, make)
    watchdog = Watchdog(program, lambda _: _idle(ownership, topic, shards.held), STALL, lone=True)
    program.health.must("assignment", ownership.why_not)
    program.health.must("restored", shards.why_not)
    try:
        consumer.subscribe(
            [topic], on_assign=shards.gain, on_revoke=shards.lose, on_lost=shards.lost
        )
        watchdog.start()
        program.ready()
        while not program.stopping.is_set():
            by_shard = _by_shard(gather(program, ownership))
            for one, batch in [(shards.held[partition], b) for partition, b in by_shard.items()]:
                if (
                    shards.held.get(batch[0].partition()) is one
                ):  # it may change hands while we wait
                    try:
                        _advance(program.name, one, batch)
                    except Lost:
                        one.torn = True
            if not by_shard:
                shards.keep()
        shards.keep(last=True)
    except Lost:
        return
    finally:
        watchdog.stop()
        shards.close()
        consumer.close()


class _Shards:
    """The shards that are ours, by partition."""

    def __init__(
        self, program: Program, ownership: Ownership, make: Callable[[int], Shard]
    ) -> None:
        self.held: dict[int, _Owned] = {}
        self._program = program
        self._ownership = ownership
        self._make = make

    def gain(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """These are ours now, and are read from where their state stands."""
        self._ownership.gain(partitions)
        for tp in partitions:
            self._drop(tp.partition)
            name = f"{self._program.reads_as}-{tp.partition}"
            transaction = Transaction(self._program, name, self._ownership)
            one = self.held[tp.partition] = _Owned(self._make(tp.partition), transaction)
            one.folded_to = one.shard.start
            tp.offset = one.folded_to or OFFSET_BEGINNING
        consumer.incremental_assign(partitions)

    def lose(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """These are no longer ours: no store is left behind, since erasures won't reach it."""
        self._ownership.lose(partitions)
        for tp in partitions:
            self._drop(tp.partition, discard=True)

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The group took these away."""
        self.lose(consumer, partitions)
        self._ownership.lost(partitions)

    def why_not(self) -> str:
        """Which shards aren't restored yet; empty: all are."""
        reached = {partition for _, partition in self._ownership.reached.copy()}
        left = [p for p, one in sorted(self.held.copy().items())
                if one.restoring and p not in reached]  # fmt: skip
        return f"not restored yet: shards {', '.join(map(str, left))}" if left else ""

    def keep(self, *, last: bool = False) -> None:
        """There is nothing to do, or the program ends in order: what is folded and committed is kept."""
        for one in self.held.values():
            if not one.torn:
                one.shard.keep(one.folded_to, last=last)

    def close(self) -> None:
        """Give up all."""
        for partition in list(self.held):
            self._drop(partition)

    def _drop(self, partition: int, *, discard: bool = False) -> None:
        one = self.held.pop(partition, None)
        if one is not None:
            one.shard.close(discard=discard)


def _idle(ownership: Ownership, topic: str, shards: dict[int, _Owned]) -> list[tuple[str, int]]:
    """Our shards, where there seems to be nothing to do; while one is restored there is."""
    return [(topic, partition) for partition in dict(shards)] if ownership.idle else []


def _by_shard(batch: list[Message]) -> dict[int, list[Message]]:
    found: dict[int, list[Message]] = {}
    for message in batch:
        found.setdefault(message.partition(), []).append(message)
    return found


def _advance(name: str, one: _Owned, batch: list[Message]) -> None:
    shard, topic, partition = one.shard, batch[0].topic(), batch[0].partition()
    if one.told_to is None:
        one.told_to = _told_to(one, TopicPartition(topic, partition))
    told_to, start, end = one.told_to, 0, batch[-1].offset() + 1
    if one.restoring:
        start = next((i for i, m in enumerate(batch) if m.offset() >= told_to), len(batch))
        for message in batch[:start]:
            for _ in shard.fold(message):
                pass  # told when it was first read
        shard.settle()
        metrics.restored.labels(name, partition).set(
            1 if start < len(batch) else min(1, end / max(told_to, 1))
        )
        if start == len(batch):
            one.folded_to = end
            shard.keep(end)
            return
        one.restoring = False
    one.transaction.write(_told(shard, batch[start:], end), [TopicPartition(topic, partition, end)])
    one.folded_to = end
    shard.keep(end)


def _told_to(one: _Owned, tp: TopicPartition) -> int:
    """The committed offset; a store that stands beyond it is deleted."""
    found = one.transaction.committed([tp])[tp.topic, tp.partition]
    if one.shard.start > found:
        one.shard.close(discard=True)
        raise Unavailable(
            f"the local store of {tp.topic}[{tp.partition}] stands at {one.shard.start}, beyond what"
            f" was committed ({found})", mend="it's deleted; the next start makes it from the log",
        )  # fmt: skip
    return found


def _told(shard: Shard, batch: list[Message], end: int) -> Iterator[Output]:
    for message in batch:
        yield from shard.fold(message)
    yield from shard.outputs(end)


def calm_collector() -> None:
    """Look for cycles seldom: events make none, and a state of millions of objects is costly to scan."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def _consumer(program: Program, slot: int) -> Consumer:
    """A static member: after a kill -9 the same slot goes on at once, not after a session timeout."""
    return Consumer(
        kafka.consumer(
            program.settings, program.endpoints, group_id=program.reads_as,
            group_instance_id=f"{program.reads_as}-{slot}", session_timeout_ms=10_000,
            partition_assignment_strategy="cooperative-sticky", enable_partition_eof=True,
            fetch_queue_backoff_ms=10, fetch_wait_max_ms=100, queued_max_messages_kbytes=65_536,
        )
    )  # fmt: skip


def gather(program: Program, ownership: Ownership) -> list[Message]:
    """What is there to do: a batch of messages, bounded in number and bytes; may be empty.

    Raises `Unavailable` where the consumer can't go on (fenced, no rights): the process must end.
    """
    program.health.turn()
    program.health.takes(something=False)
    consumer = ownership.consumer
    batch = ownership.batch = []
    ended: set[tuple[str, int]] = set()
    size, asked, wait = 0, 1, FIRST_WAIT
    until = 0.0
    while len(batch) < BATCH and size < BATCH_BYTES:
        found = consumer.consume(asked, wait)
        for message in found:
            error = message.error()
            if error is None:
                size += len(message)
                batch.append(message)
                ended.discard((message.topic(), message.partition()))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                ended.add((message.topic(), message.partition()))
                ownership.reached.add((message.topic(), message.partition()))
            else:
                _news(program, error)
        if not until:
            ownership.began = time.monotonic()
            until = ownership.began + MORE_WAIT
        wait = until - time.monotonic()
        if wait <= 0 and len(found) < asked:  # no backlog: who waits for the batch waited enough
            break
        asked, wait = CHUNK, max(wait, 0)
    ownership.batch, ownership.gone = [], set()
    ownership.idle = not batch
    program.health.takes(something=bool(batch))
    program.health.turn()
    _count(program, consumer, batch)
    for topic, partition in ended:  # what is left behind the last message are markers
        metrics.lag.labels(program.name, topic, partition).set(0)
    return batch


def _news(program: Program, error: KafkaError) -> None:
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return  # no topic matches the pattern yet
    if error.fatal() or error.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED,  # noqa: SLF001
    ):  # fmt: skip
        raise Unavailable(f"{program.name} can't read: {error.str()}")
    log.warning("while reading: %s", error.str())


def _count(program: Program, consumer: Consumer, batch: list[Message]) -> None:
    last: dict[tuple[str, int], Any] = {}
    counts: dict[str, int] = {}
    for message in batch:
        topic = message.topic()
        counts[topic] = counts.get(topic, 0) + 1
        last[topic, message.partition()] = message.offset()
    for topic, count in counts.items():
        metrics.received.labels(program.name, topic).inc(count)
    for (topic, partition), offset in last.items():
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
        metrics.lag.labels(program.name, topic, partition).set(max(high - offset - 1, 0))
