"""Cases: `accepted` is folded into cases, and every change is told in `timelines`, exactly once."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from confluent_kafka import Message

from crosstown import metrics
from crosstown.avro.codec import frame
from crosstown.backbone import generation, kafka
from crosstown.backbone.generation import Generation
from crosstown.cases.cases import Change
from crosstown.cases.neighbourhoods import Hood, Neighbourhoods
from crosstown.cases.state_store import StateStore, clear
from crosstown.cases.timeline import message_bytes
from crosstown.completeness.counted import ASIDE
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import RESERVED, Erasures, Key
from crosstown.errors import Refused, Unavailable
from crosstown.event.envelope import content_of, read_long, read_prefix
from crosstown.processing.dead_letter import dead_letter
from crosstown.processing.traced import Traced
from crosstown.processing.traces import traces_of
from crosstown.processing.transact import Output, Shard, run_sharded
from crosstown.program import Program, main
from crosstown.registry.own_values import own_values

log = logging.getLogger(__name__)

FRAME = 5
_hex = bytes.fromhex


class CaseShard(Shard):
    """The cities of one partition of `accepted`, of which the store holds what nobody speaks of.

    `events`: how many may be in memory; above, those longest untouched are put away. `every`: seconds
    between two times that all is kept; ten times as long as that takes, where it's more.
    """

    def __init__(
        self, partition: int, live: Generation, program: Program, key: Key, store: StateStore, *,
        events: int, every: float, letters: bool = True, traced: Traced | None = None,
    ) -> None:  # fmt: skip
        self._traced = traced
        self._letters = letters
        self._topic = live.timelines
        self._partition = partition
        self._erasures = Erasures(key)
        self._window = live.window
        self._frame = frame(
            own_values("timelines", program.settings, program.endpoints).schema_id, b""
        )
        self._dead = own_values("dead-letters", program.settings, program.endpoints)
        self._store = store
        self._events = events
        self._every = every
        self._cities: dict[str, Neighbourhoods] = {}
        self._words: list[tuple[bytes, int, bytes]] = []
        self._unwritten: list[tuple[Neighbourhoods, Hood]] = []
        self._batch = 0
        self._kept = store.offset
        self._next_keep = time.monotonic() + every
        for content, known_at, envelope in store.words():
            self._erasures.say(read_prefix(envelope)[0], content, known_at)
        for jurisdiction, hood in store.waiting():
            self._city(jurisdiction).fetch(hood)

    @property
    def start(self) -> int:
        """Where the store stands."""
        return self._store.offset

    def keep(self, offset: int, *, last: bool = False) -> None:
        """Put away what is too much for memory; now and then keep all that changed."""
        self._batch += 1
        for city in self._cities.values():
            city.now = self._batch
        excess = sum(len(city.city.events) for city in self._cities.values()) - self._events
        if excess > 0:
            self._put_away(excess + self._events // 5)
        now = time.monotonic()
        if offset != self._kept and (last or now >= self._next_keep):
            dirty = [(c, h) for c in self._cities.values() for h in c.hoods() if h.dirty]
            if self._write(dirty, offset):
                self._words.clear()
                self._kept = offset
            took = time.monotonic() - now
            self._next_keep = now + took + max(self._every, 10 * took)

    def close(self, *, discard: bool = False) -> None:
        """Give the store back, or delete it."""
        if discard:
            self._store.discard()
        else:
            self._store.close()

    def fold(self, message: Message) -> Iterable[Output]:
        """Take one version of one event in; bytes that intake didn't write are a dead letter."""
        try:
            key, value = message.key(), message.value()
            if value is None:
                self._forget(key)
            else:
                record = self._say(key, value)
                if self._traced is not None:
                    self._traced.take(message, record)
        except Unavailable:  # the local store's, not the message's fault
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
            if not self._letters:
                return ()
            refused = Refused("not-from-intake", f"{type(error).__name__}: {error}")
            metrics.dead_letters.labels("cases", refused.reason).inc()
            return (dead_letter(message, refused, self._dead),)
        return ()

    def settle(self) -> None:
        """The state is restored: nothing of it is to be told again."""
        for city in self._cities.values():
            city.settle()
        if self._traced is not None:
            self._traced.end(told=False)
        self._gauge()

    def outputs(self, version: int) -> Iterator[Output]:
        """A message for each record whose case changed."""
        said = here = 0
        for city in self._cities.values():
            for change in city.changes():
                key = change.key.encode()
                if change.erased:
                    yield Output(self._topic, key, None, self._partition)
                    continue
                body = message_bytes(
                    change.jurisdiction, change.record, change.case_id, version, change.case
                )
                said, here = said + 1, here + (change.case is not None)
                headers = self._of_trace(city, change)
                yield Output(self._topic, key, self._frame + body, self._partition, headers)
        for city in self._cities.values():
            metrics.regrouped.labels("merged").inc(city.city.merged)
            metrics.regrouped.labels("split").inc(city.city.split)
            city.city.merged = city.city.split = 0
        if self._traced is not None:
            self._traced.end(told=True)
        metrics.timelines.labels("timeline").inc(here)
        metrics.timelines.labels("pointer").inc(said - here)
        self._gauge()

    def _of_trace(self, city: Neighbourhoods, change: Change) -> list[tuple[str, bytes]] | None:
        """The header of what was traced, on what is told of its record or heads its case."""
        if self._traced is None:
            return None
        records = city.city.records

        def concerns(record: str) -> bool:
            head = records[record].told if record in records else None
            return record == change.record or (head is not None and head.name == change.record)

        return self._traced.headers(concerns)

    def _say(self, key: bytes, value: bytes) -> str:
        """Take it in; the record that it is of, empty where none is told of."""
        fields, end = read_prefix(value, FRAME)
        known_at, at = read_long(value, end)
        content = content_of(key)
        if fields["type"].startswith(RESERVED):
            self._words.append((content, known_at, value[FRAME : at + 1]))
            self._hear_of_erasure(fields, content, known_at)
            return ""
        if fields["type"].startswith(ASIDE):
            return ""
        envelope = value[FRAME : at + 1]
        self._city(fields["jurisdiction"]).say(
            content, fields, envelope, end - FRAME, known_at, value[at] >> 1
        )
        return str(fields["record"])

    def _city(self, jurisdiction: str) -> Neighbourhoods:
        city = self._cities.get(jurisdiction)
        if city is None:
            city = self._cities[jurisdiction] = Neighbourhoods(
                jurisdiction, self._window, self._erasures.erased, self._store
            )
            city.now = self._batch
        return city

    def _hear_of_erasure(self, fields: dict[str, Any], content: bytes, known_at: int) -> None:
        """An erasure or a hold: whose record it names, counts no more, or counts again."""
        erasures = self._erasures
        heard = erasures.say(fields, content, known_at)

        def to_erase(record: str) -> bool:
            return erasures.matching(heard.hashed, record) and erasures.erased(record)

        def to_restore(record: str) -> bool:
            return erasures.matching(heard.hashed, record) and not erasures.erased(record)

        for jurisdiction in self._store.jurisdictions():
            self._city(jurisdiction)
        for city in self._cities.values():
            if heard.erases:
                city.erase(to_erase)
            if heard.restores:
                city.restore(to_restore)

    def _forget(self, key: bytes) -> None:
        """A tombstone: an erased record's bytes are gone from the log."""
        event = _hex(key.split(b":")[0].decode().replace("-", ""))
        for city in self._cities.values():
            city.forget(event)

    def _put_away(self, events: int) -> None:
        """Take the coldest neighbourhoods from memory, with at least so many events in all."""
        all_here = [(city, hood) for city in self._cities.values() for hood in city.hoods()]
        chosen = []
        for city, hood in sorted(all_here, key=lambda one: one[1].used):
            if events <= 0:
                break
            if not city.waits(hood):
                events -= len(hood.events)
                chosen.append((city, hood))
        if self._write([(city, hood) for city, hood in chosen if hood.dirty]):
            for city, hood in chosen:
                self._store.put_away(hood.id, city.records_of(hood))
                city.put_away(hood)

    def _write(self, hoods: list[tuple[Neighbourhoods, Hood]], offset: int | None = None) -> bool:
        """What is to be forgotten and couldn't be written over is tried again the next time."""
        hoods = [*self._unwritten, *(one for one in hoods if one not in self._unwritten)]
        words = self._words if offset is not None else ()  # none ahead of what it does to the cases
        written = self._store.write((city.kept(hood) for city, hood in hoods), words, offset)
        self._unwritten = [] if written else [one for one in hoods if one[1].forgot]
        if written:
            for city, hood in hoods:
                city.clean(hood)
        return written

    def _gauge(self) -> None:
        here = sum(len(city.city.records) for city in self._cities.values())
        metrics.records.labels(self._partition).set(here + self._store.records)
        events = sum(len(city.city.events) for city in self._cities.values())
        metrics.state_events.labels(self._partition).set(events)
        metrics.state_bytes.labels(self._partition).set(self._store.size)


def run(program: Program) -> None:
    """Read `accepted`, fold it in a CaseShard a partition, tell `timelines`."""
    contracts = Repository.of(program.settings)
    said = generation.said(program.settings, program.endpoints)
    live = said.get(generation.LIVE, Generation()).with_windows(contracts)
    following = said.get(generation.NEXT, live)
    clear(program.home.state, {live.cases, following.cases})
    for words in generation.differing(live, contracts):
        log.warning("%s: it takes effect with crosstown rebuild --swap", words)
    fold(replace(program, group=live.cases), live)


def fold(program: Program, live: Generation, *, letters: bool = True) -> None:
    """A CaseShard a partition of a generation's `accepted`, until the program is to stop.

    `letters`: whether bytes that intake didn't write become dead letters; a rebuild reads them again.
    """
    settings, group = program.settings, program.reads_as
    key = Key(program.home.erasure_key(settings))
    topic_id = kafka.topic_id(settings, program.endpoints, live.accepted)

    traces = traces_of(settings, program.name)

    def make(partition: int) -> CaseShard:
        path = program.home.state / f"{group}-{partition}-{settings.slot}.sqlite"
        store = StateStore(path, f"{live.accepted} {topic_id} {key.fingerprint}")
        log.info("shard %d: the local store stands at %d", partition, store.offset)
        return CaseShard(
            partition, live, program, key, store, events=settings.memory_events,
            every=settings.keep_seconds, letters=letters,
            traced=Traced(traces, "cases") if traces is not None else None,
        )  # fmt: skip

    try:
        run_sharded(program, live.accepted, make, slot=settings.slot)
    finally:
        if traces is not None:
            traces.close()


if __name__ == "__main__":
    sys.exit(main("cases", run))
