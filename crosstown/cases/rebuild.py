"""Cases computed anew beside the live ones, compared with them, and swapped in when told to.

Also the way to another number of shards and to other windows. Source: docs/decisions/0013.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from confluent_kafka import TopicPartition

from crosstown.backbone import generation, kafka
from crosstown.backbone.generation import LIVE, NEXT, Generation
from crosstown.backbone.sweep import messages
from crosstown.cases.state_store import clear
from crosstown.cases.timeline import city_digest
from crosstown.contracts.repository import Repository
from crosstown.errors import TimedOut, Unavailable
from crosstown.event.envelope import read_long
from crosstown.home import Endpoints, Home
from crosstown.registry.own_values import body_of
from crosstown.settings import Settings
from crosstown.supervision.running import running
from crosstown.supervision.running_program import RunningProgram
from crosstown.supervision.supervise import NAMES, PROGRAMS
from crosstown.supervision.waiting import Waiting

MODULE: Final = "streams.rebuild"
LAST: Final = "last"
"""The highest generation ever begun: names and groups of an earlier one are never used again."""
AGAIN: Final = 5
"""How often two generations that differ are compared again, since the live one goes on meanwhile."""
EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Heads:
    """Of one generation's `timelines`: each key's case and digest, the sums over all."""

    by_key: dict[bytes, tuple[str, str]]
    """Key to case id and digest; the digest is empty where the record heads no case."""

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(1 for _, digest in self.by_key.values() if digest)

    @property
    def digest(self) -> str:
        """The city's digest."""
        return city_digest(digest for _, digest in self.by_key.values() if digest)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to; `why` are the reasons that were asked for, for a difference."""

    plan: Generation
    partitions: int
    messages: int
    seconds: float
    live: Heads
    fresh: Heads
    why: tuple[str, ...] = ()
    differing: tuple[bytes, ...] = field(default=())

    @property
    def same(self) -> bool:
        """Whether both say the same of every record."""
        return not self.differing

    def examples(self) -> Iterator[tuple[str, str, str]]:
        """The first records that differ: key, case now, case then; empty where it has none."""
        for key in self.differing[:EXAMPLES]:
            yield (key.decode("utf-8", "replace"), self.live.by_key.get(key, ("", ""))[0],
                   self.fresh.by_key.get(key, ("", ""))[0])  # fmt: skip


class Rebuild:
    """One run of `crosstown rebuild`; `say` is told how far it is."""

    def __init__(
        self, settings: Settings, endpoints: Endpoints, say: Callable[[str], None], timeout: float
    ) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._say, self._timeout = say, timeout
        self._contracts = Repository.of(settings)
        self._admin = kafka.wait_for_broker(settings, endpoints, timeout=10)
        self._said = generation.said(settings, endpoints)
        self._live = self._said.get(LIVE, Generation()).with_windows(self._contracts)

    @contextmanager
    def running(self, partitions: int | None) -> Iterator[Rebuilt]:
        """Build and compare; meanwhile the next generation follows the live one, then it goes.

        What an interrupted run left is cleared away first. Raises `TimedOut`, `Unavailable`.
        """
        self.finish()
        if NEXT in self._said:
            generation.remove(self._settings, self._endpoints, self._said[NEXT], keep=self._live)
        plan = self._plan(partitions)
        shards = self._make(plan, partitions)
        parts = [self._program("cases", plan)]
        if plan.base != self._live.base:
            parts.insert(0, self._program("copy", plan))
        start, size = time.monotonic(), self._size(self._live.accepted)
        try:
            for part in parts:
                part.launch()
            self._caught_up(plan, parts)
            seconds = time.monotonic() - start
            live, fresh, differing = self._compared(plan, parts)
            why = tuple(generation.differing(replace(self._live), self._contracts))
            self._parts = parts
            yield Rebuilt(plan, shards, size, seconds, live, fresh, why, differing)
        finally:
            for part in parts:
                part.stop(timeout=10)
            said = generation.said(self._settings, self._endpoints)
            if said.get(NEXT) == plan:
                generation.remove(self._settings, self._endpoints, plan, keep=self._live)
                clear(Home(self._settings.home).state, {self._live.cases})
                generation.say(self._settings, self._endpoints, next=None)

    def swap(self, done: Rebuilt) -> None:
        """Make it live: one message in Kafka; then start the programs anew, clear the old away."""
        cases = next(part for part in self._parts if part.name == "rebuild-cases")
        cases.stop(timeout=10)
        now = replace(done.plan, before=(self._live.number, self._live.base))
        generation.say(self._settings, self._endpoints, live=now, next=None)
        self._live = now
        self.finish()

    def finish(self) -> None:
        """Finish a swap that has happened: no program writes to the old topics, the rest is copied.

        An intake on another machine that wasn't ended finds its topic gone, aborts, and loses nothing.
        """
        old = self._live.old
        if old is None:
            return
        moved = old.base != self._live.base
        self._start_anew()  # whoever wrote to the old topics has ended now
        if moved:
            copy = self._program("copy", self._live)
            copying = getattr(self, "_parts", [])
            if not any(part.name == copy.name and part.alive() for part in copying):
                copy.launch()
            try:
                self._waiting([copy]).follow(old.accepted, self._live.copy, "copy")
            finally:
                copy.stop(timeout=10)
                for part in copying:
                    part.stop(timeout=10)
        generation.remove(self._settings, self._endpoints, old, keep=self._live)
        self._live = replace(self._live, before=None)
        generation.say(self._settings, self._endpoints, live=self._live)

    def _plan(self, partitions: int | None) -> Generation:
        now = len(self._admin.list_topics(timeout=10).topics[self._live.accepted].partitions)
        number = 1 + max(
            [self._live.number, self._live.base]
            + [max(one.number, one.base) for one in self._said.values()]
        )
        base = self._live.base if partitions in (None, now) else number
        plan = Generation(number, base, generation.windows(self._contracts))
        generation.say(self._settings, self._endpoints, **{NEXT: plan, LAST: plan})
        return plan

    def _make(self, plan: Generation, partitions: int | None) -> int:
        topics = self._admin.list_topics(timeout=10).topics
        shards = partitions or len(topics[self._live.accepted].partitions)
        names = {plan.accepted, plan.timelines} - {self._live.accepted}
        kafka.ensure_topics(
            self._admin, kafka.sharded(shards, self._settings.erasure_hours, *sorted(names))
        )
        return shards

    def _program(self, part: str, plan: Generation) -> RunningProgram:
        env = {
            "CROSSTOWN_REBUILD": part, "CROSSTOWN_HOME": str(self._settings.home),
            "CROSSTOWN_SUPERVISED": "1", "CROSSTOWN_BOOTSTRAP": self._endpoints.bootstrap,
            "CROSSTOWN_REGISTRY": self._endpoints.registry,
        }  # fmt: skip
        del plan
        return RunningProgram(f"rebuild-{part}", MODULE, Home(self._settings.home), lambda: env)

    def _waiting(self, parts: list[RunningProgram]) -> Waiting:
        def dead() -> set[str]:
            return {part.name for part in parts if not part.alive()}

        return Waiting(self._settings, self._endpoints, self._timeout, dead, self._say)

    def _caught_up(self, plan: Generation, parts: list[RunningProgram]) -> None:
        waiting = self._waiting(parts)
        if plan.base != self._live.base:
            waiting.follow(self._live.accepted, plan.copy, "rebuild-copy")
        waiting.follow(plan.accepted, plan.cases, "rebuild-cases")
        waiting.follow(self._live.accepted, self._live.cases, "cases")

    def _compared(
        self, plan: Generation, parts: list[RunningProgram]
    ) -> tuple[Heads, Heads, tuple[bytes, ...]]:
        differing: set[bytes] | None = None
        for _ in range(AGAIN):
            self._say("comparing")
            live, fresh = self._heads(self._live.timelines), self._heads(plan.timelines)
            unequal = {
                key for key in live.by_key.keys() | fresh.by_key.keys()
                if live.by_key.get(key) != fresh.by_key.get(key)
            }  # fmt: skip
            differing = unequal if differing is None else differing & unequal
            if not differing:
                break
            self._caught_up(plan, parts)  # what came meanwhile is in both by then
        return live, fresh, tuple(sorted(differing or ()))

    def _heads(self, topic: str) -> Heads:
        found: dict[bytes, tuple[str, str]] = {}
        for partition in self._admin.list_topics(timeout=10).topics[topic].partitions:
            for message in messages(self._settings, self._endpoints, topic, partition):
                key, value = message.key() or b"", message.value()
                found.pop(key, None)
                if value is not None:
                    with suppress(
                        Exception
                    ):  # what others wrote there is the watcher's dead letter
                        found[key] = head_of(body_of(value))
        return Heads(found)

    def _size(self, topic: str) -> int:
        from confluent_kafka import Consumer

        reader = Consumer(kafka.consumer(self._settings, self._endpoints))
        try:
            partitions = reader.list_topics(timeout=10).topics[topic].partitions
            return sum(
                reader.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
                for p in partitions
            )
        finally:
            reader.close()

    def _start_anew(self) -> None:
        """End the programs; the supervisor starts them again, on what is live now."""
        now = running(self._settings, NAMES)
        pids = {one.name: one.pid for one in now.processes if one.name in PROGRAMS and one.pid}
        for pid in pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if sys.platform != "win32" else signal.SIGABRT)
        until = time.monotonic() + 60
        while pids:
            self._say("starting the programs anew")
            for one in running(self._settings, NAMES).processes:
                if one.state == "failed":
                    raise Unavailable(f"{one.name} didn't come back: {one.why}",
                                      mend="see crosstown status")  # fmt: skip
                if one.state == "running" and one.pid and one.pid != pids.get(one.name):
                    pids.pop(one.name, None)
            if time.monotonic() > until:
                raise TimedOut(f"not back after 60 s: {', '.join(sorted(pids))}",
                               mend="see crosstown status, then crosstown rebuild --swap again")  # fmt: skip
            time.sleep(0.1)


def head_of(body: bytes) -> tuple[str, str]:
    """A timeline message's case id and its case's digest, empty where the record heads none."""
    at = 0
    texts = []
    for _ in range(3):
        size, start = read_long(body, at)
        at = start + size
        texts.append(body[start:at])
    _, at = read_long(body, at)  # the version: it is another in every topic
    heads, at = read_long(body, at)
    if not heads:
        return texts[2].decode(), ""
    size, start = read_long(body, at)
    return texts[2].decode(), body[start : start + size].decode()
