"""What the cluster says about everybody's work: who fell silent, what stands still, what is held back.

Every answer comes from the broker, not from a program about itself: a frozen one can't say so.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from crosstown import metrics
from crosstown.backbone import generation, kafka
from crosstown.backbone.offsets_of import offsets_of
from crosstown.backbone.read_by import read_by
from crosstown.contracts.repository import Repository
from crosstown.home import Endpoints
from crosstown.lookout.oldest_waiting import OldestWaiting
from crosstown.lookout.shown import Shown
from crosstown.lookout.since import Since
from crosstown.lookout.standing_still import StandingStill
from crosstown.settings import Settings

PATIENCE: Final = 5.0
"""Seconds that one question may take."""
Offsets = dict[tuple[str, int], int]


class Cluster:
    """One cluster, looked at with clients of its own; `close` at the end."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": lambda _error: None}
        self._admin = AdminClient({**kafka.client(settings, endpoints), **quiet})
        reader = kafka.consumer(
            settings, endpoints, group_id="lookout", enable_partition_eof=True,
            fetch_message_max_bytes=1, fetch_wait_max_ms=50,  # one message is looked at, at most
        )  # fmt: skip
        self._reader = Consumer({**reader, **quiet})
        self._open = Since()
        self._still = StandingStill(self._reader)
        self._published = Shown(metrics.published)
        self._held_back = Shown(metrics.held_back)
        self._standing = Shown(metrics.standing_still)
        self._oldest = OldestWaiting(self._reader)
        self._lag = Shown(metrics.lag_seconds)

    def close(self) -> None:
        """Leave the cluster."""
        self._reader.close()

    def look(self, repository: Repository) -> None:
        """Tell all of it; `KafkaException` or `Unavailable` where the cluster doesn't answer."""
        topics = {name: about for name, about in
                  self._admin.list_topics(timeout=PATIENCE).topics.items()
                  if not name.startswith("__")}  # fmt: skip
        all_of_them = [(name, p) for name, about in topics.items() for p in about.partitions]
        readable = self._ends(all_of_them, IsolationLevel.READ_COMMITTED)
        written = self._ends(all_of_them, IsolationLevel.READ_UNCOMMITTED)
        copies(topics, set(all_of_them) - written.keys())
        now = time.monotonic()
        self._held_back.show(self._waits(topics, readable, written, now))
        self._published.show(self._last_said(repository, written))
        committed = self._committed(readable)
        self._standing.show(self._still.look(committed, readable, now))
        self._lag.show(self._oldest.look(committed, readable, time.time_ns() // 1000))

    def _waits(
        self, topics: Iterable[str], readable: Offsets, written: Offsets, now: float
    ) -> dict[tuple[str, ...], float]:
        """Seconds for which the worst partition of each topic has been held back."""
        stuck = {tp: end for tp, end in readable.items() if end < written.get(tp, 0)}
        ages = self._open.seconds(stuck, now)
        worst: dict[tuple[str, ...], float] = {(topic,): 0.0 for topic in topics}
        for (topic, _), age in ages.items():
            worst[topic,] = max(worst[topic,], age)
        return worst

    def _last_said(self, repository: Repository, ends: Offsets) -> dict[tuple[str, ...], float]:
        """When each agency last published; only topics that were ever written to."""
        told = {tp: found for tp in ends
                if ends[tp] > 0 and (found := repository.for_topic(tp[0]))}  # fmt: skip
        newest: dict[tuple[str, ...], float] = {}
        for tp, about in offsets_of(
            self._admin, told, OffsetSpec.max_timestamp(), PATIENCE
        ).items():
            contract, agency = told[tp]
            at = max(0.0, about.timestamp / 1000)
            newest[agency, contract.id] = max(at, newest.get((agency, contract.id), 0.0))
        return newest

    def _committed(self, ends: Offsets) -> dict[str, Offsets]:
        """By program, what its group has committed: 0 where it hasn't yet what it must read."""
        live = generation.live(self._settings, self._endpoints)
        groups = {"intake": "intake", "cases": live.cases, "eraser": live.eraser,
                  "watch": live.watch, "feeds": "feeds"}  # fmt: skip
        found: dict[str, Offsets] = {}
        for program, group in groups.items():
            found[program] = read_by(self._settings, self._endpoints, group, ends, PATIENCE)
        accepted = {tp: 0 for tp in ends if tp[0] == live.accepted}
        found["feeds"] = {tp: at for tp, at in found["feeds"].items() if tp in accepted}
        begun = {"intake": {tp: 0 for tp in ends if tp[0].startswith("events.")},
                 "cases": accepted, "eraser": accepted}  # fmt: skip
        return {program: {**begun.get(program, {}), **at} for program, at in found.items()}

    def _ends(self, partitions: Iterable[tuple[str, int]], isolation: IsolationLevel) -> Offsets:
        found = offsets_of(
            self._admin, partitions, OffsetSpec.latest(), PATIENCE, isolation_level=isolation
        )
        return {tp: about.offset for tp, about in found.items()}


def copies(topics: Mapping[str, Any], silent: Collection[tuple[str, int]] = ()) -> None:
    """Tell how many partitions lack a copy, and how many a leader.

    `silent` ones don't answer, whatever is said about them: brokers that have lost most of the others
    go on saying what they last knew.
    """
    parts = {(name, number): part for name, about in topics.items()
             for number, part in about.partitions.items()}  # fmt: skip
    metrics.short_of_copies.set(sum(len(one.isrs) < len(one.replicas) for one in parts.values()))
    away = {tp for tp, one in parts.items() if one.leader < 0}
    metrics.leaderless.set(len(away.union(silent)))
