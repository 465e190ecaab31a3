"""The casebook's writer: `accepted`, `timelines` and `dead-letters` into SQL."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

from confluent_kafka import Consumer, TopicPartition

from crosstown import metrics
from crosstown.backbone import generation, kafka
from crosstown.casebook.casebook import Casebook, Row, connect
from crosstown.erasure.erasures import Key
from crosstown.errors import Unavailable
from crosstown.processing.transact import Ownership, gather
from crosstown.program import Program, main
from crosstown.registry.client import Registry
from crosstown.registry.own_values import own_values
from crosstown.registry.read_back import Reading

log = logging.getLogger(__name__)

TOPICS = ("accepted", "timelines", "dead-letters")
"""What the casebook calls them, whichever generation is live."""
COUNT_EVERY = 30.0
"""Seconds between two times that all cases are counted: 0.05 s for 100,000."""
PATIENCE = 5.0
"""Seconds between two tries where the database or the registry is away."""


def run(program: Program) -> None:
    """accepted, timelines, dead-letters -> Casebook.apply, offsets in the same SQL transaction."""
    admin = kafka.wait_for_broker(program.settings, program.endpoints, timeout=30)
    about = admin.list_topics(timeout=10)
    live = generation.live(program.settings, program.endpoints)
    names = live.accepted, live.timelines, "dead-letters"
    roles = dict(zip(names, TOPICS, strict=True))
    partitions = [(t, p) for t in names for p in about.topics[t].partitions]
    log_id = about.cluster_id if live.number == 1 else f"{about.cluster_id} {live.timelines}"
    key = Key(program.home.erasure_key(program.settings))
    timeline_id = own_values("timelines", program.settings, program.endpoints).schema_id
    reading = Reading(Registry.at(program.settings, program.endpoints).schema, timeline_id)
    consumer = Consumer(
        kafka.consumer(
            program.settings, program.endpoints, group_id="casebook", enable_partition_eof=True,
            fetch_queue_backoff_ms=10, fetch_wait_max_ms=100,
        )
    )  # fmt: skip
    ownership = Ownership(consumer, program.stopping)
    program.ready()
    try:
        while not program.stopping.is_set():
            try:
                casebook = Casebook(connect(program.settings), log_id, reading, key)
                at = casebook.offsets()
                casebook.try_writing()  # else it would seem well between two tries
            except Unavailable as error:
                log.warning("waiting: %s -> %s", error, error.mend)
                metrics.waiting.labels(program.name).set(1)
                program.health.waits("database", str(error))
                program.rest(PATIENCE)
                continue
            metrics.waiting.labels(program.name).set(0)
            program.health.waits("database", "")
            consumer.assign([TopicPartition(t, p, at.get((roles[t], p), 0)) for t, p in partitions])
            _follow(program, ownership, casebook, roles)
            casebook.close()
    finally:
        consumer.close()


def _follow(
    program: Program, ownership: Ownership, casebook: Casebook, roles: Mapping[str, str]
) -> None:
    """Take in what comes, until the program is to stop or the database is away."""
    counted = 0.0
    while not program.stopping.is_set():
        batch = gather(program, ownership)
        try:
            if time.monotonic() > counted + COUNT_EVERY:
                cases, runaway = casebook.cases()
                metrics.cases.set(cases)
                metrics.runaway.set(runaway)
                counted = time.monotonic()
            if not batch:
                continue
            casebook.apply(
                Row(roles[m.topic()], m.partition(), m.offset(), m.key(), m.value()) for m in batch
            )
        except Unavailable as error:
            log.warning("waiting: %s", error)
            metrics.waiting.labels(program.name).set(1)
            program.health.waits("database", str(error))
            program.rest(PATIENCE)
            return
        metrics.casebook_applied.inc(len(batch))


if __name__ == "__main__":
    sys.exit(main("casebook", run))
