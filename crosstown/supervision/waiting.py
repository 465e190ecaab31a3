"""Waiting until what lies in the topics has passed every program: intake, cases, casebook."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from crosstown.backbone import generation, kafka
from crosstown.casebook.lookup import Lookup
from crosstown.errors import TimedOut, Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

Ends = dict[tuple[str, int], int]
PAUSE: Final = 0.1


class Waiting:
    """One wait; `dead` names the programs that are not coming back."""

    def __init__(
        self, settings: Settings, endpoints: Endpoints, timeout: float, dead: Callable[[], set[str]],
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._settings, self._endpoints = settings, endpoints
        self._timeout, self._until = timeout, time.monotonic() + timeout
        self._dead, self._progress = dead, progress

    def run(self) -> None:
        """Return once all has passed; `TimedOut` says what lags, `Unavailable` what is dead."""
        kafka.wait_for_broker(self._settings, self._endpoints, min(10, self._timeout))
        self._pass("intake", lambda topic: topic.startswith("events."), self._committed("intake"))
        live = generation.live(self._settings, self._endpoints)
        self._pass("cases", lambda topic: topic == live.accepted, self._committed(live.cases))
        names = {live.accepted: "accepted", live.timelines: "timelines",
                 "dead-letters": "dead-letters"}  # fmt: skip
        self._pass("casebook", names.__contains__, lambda ends: self._read(ends, names))

    def follow(self, topic: str, group: str, program: str) -> None:
        """Return once a group has dealt with all that lay in a topic when this was called."""
        self._pass(program, lambda one: one == topic, self._committed(group))

    def _pass(
        self, program: str, is_its: Callable[[str], bool], position: Callable[[Ends], Ends]
    ) -> None:
        with self._reader() as reader:
            ends = _ends(reader, is_its)
            while True:
                at = position(ends)
                lag = {tp: end - at.get(tp, 0) for tp, end in ends.items() if at.get(tp, 0) < end}
                ends = {
                    tp: ends[tp] for tp in lag if _data_between(reader, tp, at.get(tp, 0), ends[tp])
                }
                if not ends:
                    return
                self._check(program, {tp: lag[tp] for tp in ends})
                time.sleep(PAUSE)

    def _check(self, program: str, lag: Ends) -> None:
        rows = ", ".join(f"{topic}/{p}: {n:,}" for (topic, p), n in sorted(lag.items()))
        self._progress(f"{program} has {sum(lag.values()):,} to go")
        if program in self._dead():
            raise TimedOut(f"{program} is dead and isn't coming back; it lags: {rows}",
                           mend=f"see logs/{program}.log under the home, then crosstown down, up")  # fmt: skip
        if time.monotonic() > self._until:
            raise TimedOut(f"after {self._timeout:.0f} s {program} lags: {rows}",
                           mend="wait longer with --timeout, or see crosstown status")  # fmt: skip

    def _committed(self, group: str) -> Callable[[Ends], Ends]:
        def position(ends: Ends) -> Ends:
            if not ends:
                return {}
            with self._reader(group) as reader:
                found = reader.committed([TopicPartition(*tp) for tp in ends], timeout=10)
            return {(tp.topic, tp.partition): max(tp.offset, 0) for tp in found}

        return position

    def _read(self, ends: Ends, names: Mapping[str, str]) -> Ends:
        try:
            with closing(Lookup(self._settings)) as lookup:
                at = lookup.offsets()
                return {(t, p): at[names[t], p] for t, p in ends if (names[t], p) in at}
        except Unavailable:  # not made yet
            return {}

    @contextmanager
    def _reader(self, group: str = "waiting") -> Iterator[Consumer]:
        consumer = Consumer(
            kafka.consumer(
                self._settings,
                self._endpoints,
                group_id=group,
                enable_partition_eof=True,
                fetch_wait_max_ms=20,  # the broker tells of an end only after this wait
            )
        )
        try:
            yield consumer
        finally:
            consumer.close()


def _ends(reader: Consumer, is_its: Callable[[str], bool]) -> Ends:
    topics = reader.list_topics(timeout=10).topics
    found: Ends = {}
    for topic, about in topics.items():
        if is_its(topic):
            for partition in about.partitions:
                _, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
                found[topic, partition] = high
    return found


def _data_between(reader: Consumer, tp: tuple[str, int], start: int, end: int) -> bool:
    """Whether a message lies in [start, end): markers of transactions are none."""
    reader.assign([TopicPartition(*tp, start)])
    try:
        for _ in range(20):
            message = reader.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return bool(message.offset() < end)
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                return False
        raise Unavailable(f"{tp[0]} can't be read", mend="see crosstown status")
    finally:
        reader.unassign()
