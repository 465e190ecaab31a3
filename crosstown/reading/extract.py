"""What somebody asks of a topic: its messages up to the end as of now, opened, within a span.

Of a compacted topic what stands now, unless its history is asked for. Partition after partition,
in the order of the log.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from crosstown.accepting.intake import HOUR, Intake
from crosstown.avro.guards import guard
from crosstown.backbone import generation, kafka
from crosstown.backbone.kafka import stamp_of
from crosstown.backbone.standing import Standing
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import RESERVED, Erasures, Key
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.event.envelope import content_of, read, read_long, read_prefix
from crosstown.home import Endpoints, Home
from crosstown.moments import micros, moment
from crosstown.reading.offered import EVENTS, KINDS, Times, closed, no_topic
from crosstown.reading.opened import FRAME, Opener, Row
from crosstown.reading.span import Span
from crosstown.registry.client import Registry
from crosstown.settings import Settings

_TIMEOUT: Final = 10.0


class Extract:
    """One call's question; its ends are those of the moment when it was made.

    Raises `NotFound` where there is no such topic, `Unavailable` where Kafka doesn't answer.
    """

    def __init__(
        self, settings: Settings, where: Endpoints, registry: Registry, topic: str, span: Span,
        *, history: bool,
    ) -> None:  # fmt: skip
        self._settings, self._where, self._registry = settings, where, registry
        self._span, self._history = span, history
        self._kind = KINDS.get(topic.partition(".")[0], EVENTS)
        self.problems: Counter[str] = Counter()
        """What couldn't be opened, by reason."""
        self._first_problem = ""
        if span.timed and self._kind is not EVENTS and span.by not in self._kind.times:
            raise Stop(f"{topic} says nothing by={span.by!r}",
                       mend=f"by one of {', '.join((*self._kind.times, 'offset'))}")  # fmt: skip
        self._ends, self.topic = self._look(topic)
        self._opener = Opener(registry.schema, self._kind.form or self._latest(), bool(self._kind.form))  # fmt: skip
        self.payloads = Opener(registry.schema) if self._kind.sayings else None
        self._erasures = self._known_erasures() if self._kind.sayings else None

    @property
    def form(self) -> Any:
        """The rows' schema as JSON; None where nothing has said it yet."""
        return self._opener.today

    def rows(self, *, payloads: bool) -> Iterator[Row]:
        """The rows; without `payloads` the original messages in them stay bytes."""
        for message in self._messages():
            try:
                row = self._row(message)
            except Refused as error:
                self.problem(message, error)
                continue
            if row is None:
                continue
            if payloads and self.payloads:
                try:
                    row["payload"] = self.payloads.row(row["payload"])
                except Refused as error:
                    row["payload"] = None
                    self.problem(message, error)
            yield row

    def problem(self, message: Message | None, error: Refused, several: int = 1) -> None:
        """Count what can't be opened."""
        self.problems[error.reason] += several
        at = f"{message.partition()}/{message.offset()}: " if message else ""
        self._first_problem = self._first_problem or f"{at}{error}"

    def warn(self) -> None:
        """Say once how much was left out; nothing is left out in silence."""
        if self.problems:
            warnings.warn(
                f"{self.problems.total():,} messages of {self.topic} can't be opened, or not their"
                f" payload; the first, {self._first_problem}", stacklevel=4)  # fmt: skip

    def _look(self, topic: str) -> tuple[dict[int, tuple[int, int]], str]:
        """The topic's ends now, each partition's, and its name as it is live."""
        kafka.wait_for_broker(self._settings, self._where, _TIMEOUT)
        reader = Consumer(
            {**kafka.consumer(self._settings, self._where), "log_level": 0, "error_cb": _quiet}
        )
        try:
            present = reader.list_topics(timeout=_TIMEOUT).topics
            name = topic
            if topic in ("accepted", "timelines"):
                live = generation.live(self._settings, self._where)
                name = live.accepted if topic == "accepted" else live.timelines
            if name not in present or closed(topic):
                raise no_topic(topic, present)
            ends = {
                one: reader.get_watermark_offsets(TopicPartition(name, one), timeout=_TIMEOUT)
                for one in sorted(present[name].partitions)
            }
            return {one: (self._start(reader, name, one, *ends[one])) for one in ends}, name
        except KafkaException as error:
            raise Unavailable(f"{topic} can't be read: {error.args[0].str()}",
                              mend="see crosstown status") from None  # fmt: skip
        finally:
            reader.close()

    def _start(
        self, reader: Consumer, topic: str, partition: int, low: int, high: int
    ) -> tuple[int, int]:
        """Where reading begins: intake accepts no `known_at` over an hour after the time stamp.

        Nothing else in a message is bound to its time stamp, so by anything else all is read.
        """
        since = self._span.since
        if self._kind is not EVENTS or self._span.by != "known" or since is None:
            return low, high
        stamp = max(0, (micros(since) - HOUR) // 1000)
        (found,) = reader.offsets_for_times([TopicPartition(topic, partition, stamp)], _TIMEOUT)
        return (found.offset if found.offset >= 0 else high), high

    def _latest(self) -> Any:
        try:
            return guard(self._registry.latest(f"{self.topic}-value").schema)
        except Refused:
            return None  # the first message says it

    def _known_erasures(self) -> Erasures | None:
        """Where this machine has the key: what was erased stays out before its tombstone is there."""
        home = Home(self._settings.home)
        if self._settings.erasure_key or (home.path / "erasure.key").exists():
            return Erasures(Key(home.erasure_key(self._settings)))
        return None

    def _messages(self) -> Iterator[Message]:
        if not self._kind.compacted:
            for partition, ends in self._ends.items():
                yield from self._read(partition, *self._span.offsets(*ends))
            return
        with Standing(sayings=self._kind.sayings, history=self._history) as standing:
            for partition, ends in self._ends.items():
                standing.hear(self._noting_erasures(self._read(partition, *ends)))
            standing.settle()
            if standing.foreign:
                self.problem(
                    None, Refused("foreign-key", "not written by intake"), standing.foreign
                )
            for partition, ends in self._ends.items():
                wanted = standing.offsets(partition, *self._span.offsets(*ends))
                yield from self._chosen(partition, wanted, ends[1])

    def _read(self, partition: int, start: int, end: int) -> Iterable[Message]:
        if start >= end:
            return ()
        return messages(self._settings, self._where, self.topic, partition, start, end)

    def _chosen(self, partition: int, offsets: Iterator[int], end: int) -> Iterator[Message]:
        """The messages at these offsets; `Unavailable` where Kafka has just taken one away."""
        wanted = next(offsets, None)
        for message in self._read(partition, wanted or 0, end if wanted is not None else 0):
            if message.offset() == wanted:
                yield message
                wanted = next(offsets, None)
            if wanted is None or message.offset() > wanted:
                break
        if wanted is not None:
            raise Unavailable(f"{self.topic} was compacted while it was read", mend="read it again")

    def _noting_erasures(self, several: Iterable[Message]) -> Iterator[Message]:
        for message in several:
            value = message.value()
            if self._erasures is not None and value and b"/erasure/" in value[:512]:
                try:
                    fields, end = read_prefix(value, FRAME)
                    if fields["type"].startswith(RESERVED):
                        content = content_of(message.key() or b"")
                        self._erasures.say(fields, content, read_long(value, end)[0])
                except Exception:  # noqa: BLE001, S110 - not written by intake: `rows` says so
                    pass
            yield message

    def _row(self, message: Message) -> Row | None:
        if self._opener.today is None:
            self._opener.today = self._opener.writer(message.value())
        row = self._opener.row(message.value())
        if self._kind.sayings:
            if row["step"] == "WITHDRAWN" and not self._history:
                return None
            if self._erasures is not None and self._erasures.concerns(row):
                return None
        if self._span.timed:
            times = self._times(message, row)
            if times is None or not self._span.holds(*times):
                return None
        row["_partition"], row["_offset"] = message.partition(), message.offset()
        row["_at"] = moment(stamp_of(message))
        return row

    def _times(self, message: Message, row: Row) -> Times:
        if self._kind is not EVENTS:
            return self._kind.times[self._span.by](row)
        accepted = self._intake.accept(
            self.topic, message.value(), message.headers() or (), stamp_of(message)
        )
        envelope, _ = read(accepted.body)
        by = envelope.occurred_at if self._span.by == "occurred" else envelope.known_at
        return moment(by), None

    @cached_property
    def _intake(self) -> Intake:
        """Agencies' topics have the times that intake gives their messages, by the contract."""
        contracts = Repository.of(self._settings)
        if contracts.for_topic(self.topic) is None:
            raise Stop(f"no contract in {contracts.path} says when something on {self.topic} was",
                       mend="read it by='offset', or let CROSSTOWN_SCHEMAS name its contracts")  # fmt: skip
        return Intake(contracts, self._registry.schema, 1)


def _quiet(_error: object) -> None:
    """What is wrong is said by the call that finds it."""
