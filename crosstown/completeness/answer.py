"""`crosstown completeness`: every stage held against the next, day by day, contract by contract."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice

from crosstown.casebook import erasures_of
from crosstown.completeness.flow import (
    Delivered,
    Difference,
    Flow,
    Slot,
    source_differences,
)
from crosstown.completeness.known import BATCH, Known, counts
from crosstown.completeness.published import Published, Topics
from crosstown.erasures import Key
from crosstown.home import Endpoints, Home
from crosstown.intake import Intake
from crosstown.lookup import Lookup
from crosstown.moments import day_of, micros
from crosstown.reading import Reading
from crosstown.reciprocity.shares import Share, shared
from crosstown.registry import Registry
from crosstown.repository import Repository
from crosstown.settings import Settings

Progress = Callable[[int], None]
"""Told now and then how many messages were looked at."""


def completeness(
    settings: Settings, where: Endpoints, day: str = "", contract: str = "",
    progress: Progress = lambda _: None,
) -> list[Flow]:  # fmt: skip
    """A row a day, contract and publisher, in that order; only those of `day` and `contract` if given.

    Raises `Unavailable` where Kafka, the registry or the casebook doesn't answer.
    """
    repository = Repository.of(settings)
    registry = Registry.at(settings, where)
    key = Key(Home(settings.home).erasure_key(settings))
    intake = Intake(repository, registry.schema, 1, key.fingerprint)
    topics = Topics(settings, where, repository, intake, contract, _begins(day))
    flows: dict[Slot, Flow] = {}

    def flow(slot: Slot) -> Flow | None:
        if day not in ("", slot.day) or contract not in ("", slot.contract):
            return None
        return flows.setdefault(slot, Flow(slot))

    with closing(Lookup(settings)) as lookup:
        erasures = erasures_of(lookup.store, key)
        known = Known(lookup.store, erasures)
        for count in counts(lookup.store, Reading(registry.schema)):
            of = flow(Slot(count.day, count.contract, count.agency))
            if of is not None:
                of.counts.append(count)
        seen = 0
        for batch in _batches(topics.published()):
            for one, (state, why) in zip(batch, known.states(batch), strict=True):
                of = flow(one.message.slot)
                if of is not None:
                    of.take(one.message, state, why)
            seen += len(batch)
            progress(seen)
    registry.close()
    _deliver(shared(settings, where, repository, time.time_ns() // 1000).shares, flow)
    for of in flows.values():
        of.cut = (of.slot.contract, of.slot.agency) in topics.cut
        for difference in source_differences(of, erasures.erased):
            of.differ(difference)
    return [flows[slot] for slot in sorted(flows)]


def _deliver(shares: Iterable[Share], flow: Callable[[Slot], Flow | None]) -> None:
    """What agreements cover, under the day on which what counts was said last."""
    for one in shares:
        of = flow(Slot(day_of(one.last_said_at), one.contract, one.provider))
        if of is None:
            continue
        to = of.delivered.setdefault(one.agreement, Delivered(one.agreement, one.receiver))
        to.due += 1
        if one.told_at is not None:
            to.told += 1
        else:
            why = f"{one.agreement} covers it, and {one.receiver} hasn't been told"
            of.differ(Difference("not delivered", one.record, f"feed.{one.agreement}", why))


def _begins(day: str) -> int | None:
    if not day:
        return None
    return micros(dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC))


def _batches(several: Iterable[Published]) -> Iterator[list[Published]]:
    left = iter(several)
    while batch := list(islice(left, BATCH)):
        yield batch
