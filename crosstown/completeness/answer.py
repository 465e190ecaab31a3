"""`crosstown completeness`: every stage held against the next, day by day, contract by contract."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from crosstown.accepting.intake import Intake
from crosstown.casebook.casebook import erasures_of
from crosstown.casebook.lookup import Lookup
from crosstown.completeness.flow import (
    Delivered,
    Difference,
    Flow,
    Slot,
    source_differences,
)
from crosstown.completeness.known import BATCH, Known, counts
from crosstown.completeness.published import Published, Topics
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Key
from crosstown.home import Endpoints, Home
from crosstown.moments import day_of, micros
from crosstown.reciprocity.shares import Shared, shared
from crosstown.registry.client import Registry
from crosstown.registry.read_back import Reading
from crosstown.settings import Settings

Progress = Callable[[int], None]
"""Told now and then how many messages were looked at."""


@dataclass(slots=True)
class _Rows:
    """The rows that were asked for; an empty day or contract: all."""

    day: str
    contract: str
    flows: dict[Slot, Flow] = field(default_factory=dict)

    def of(self, slot: Slot) -> Flow | None:
        """The row of a slot; None where it wasn't asked for."""
        if self.day not in ("", slot.day) or self.contract not in ("", slot.contract):
            return None
        return self.flows.setdefault(slot, Flow(slot))


def completeness(
    settings: Settings, where: Endpoints, day: str = "", contract: str = "",
    progress: Progress = lambda _: None,
) -> list[Flow]:  # fmt: skip
    """A row a day, contract and publisher, in that order; only those of `day` and `contract` if given.

    Raises `Unavailable` where Kafka, the registry or the casebook doesn't answer.
    """
    repository = Repository.of(settings)
    key = Key(Home(settings.home).erasure_key(settings))
    rows = _Rows(day, contract)
    with closing(Registry.at(settings, where)) as registry, closing(Lookup(settings)) as lookup:
        intake = Intake(repository, registry.schema, 1, key.fingerprint)
        topics = Topics(settings, where, repository, intake, contract, _begins(day))
        erasures = erasures_of(lookup.store, key)
        for count in counts(lookup.store, Reading(registry.schema)):
            of = rows.of(Slot(count.day, count.contract, count.agency))
            if of is not None:
                of.counts.append(count)
        _follow(topics, Known(lookup.store, erasures), rows, progress)
    _deliver(shared(settings, where, repository, time.time_ns() // 1000), rows)
    for of in rows.flows.values():
        of.cut = (of.slot.contract, of.slot.agency) in topics.cut
        for difference in source_differences(of, erasures.erased):
            of.differ(difference)
    return [rows.flows[slot] for slot in sorted(rows.flows)]


def _follow(topics: Topics, known: Known, rows: _Rows, progress: Progress) -> None:
    """Every message on the agencies' topics, and what became of it."""
    seen = 0
    for batch in _batches(topics.published()):
        for one, (state, why) in zip(batch, known.states(batch), strict=True):
            of = rows.of(one.message.slot)
            if of is not None:
                of.take(one.message, state, why)
        seen += len(batch)
        progress(seen)


def _deliver(found: Shared, rows: _Rows) -> None:
    """What agreements cover, under the day on which what counts was said last; and what they don't."""
    for one in found.shares:
        of = rows.of(Slot(day_of(one.last_said_at), one.contract, one.provider))
        if of is None:
            continue
        to = of.delivered.setdefault(one.agreement, Delivered(one.agreement, one.receiver))
        to.due += 1
        if one.told_at is not None:
            to.told += 1
        else:
            why = f"{one.agreement} covers it, and {one.receiver} hasn't been told"
            of.differ(Difference("not delivered", one.record, f"feed.{one.agreement}", why))
    for left in found.left:
        receiver = found.agreements[left.agreement][0].receiver
        of = rows.of(Slot(day_of(left.at), "", receiver))
        if of is not None:
            why = f"{left.thing} isn't covered any more, and the feed hasn't said that it's gone"
            of.differ(Difference("not taken back", "", f"feed.{left.agreement}", why))


def _begins(day: str) -> int | None:
    if not day:
        return None
    return micros(dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC))


def _batches(several: Iterable[Published]) -> Iterator[list[Published]]:
    left = iter(several)
    while batch := list(islice(left, BATCH)):
        yield batch
