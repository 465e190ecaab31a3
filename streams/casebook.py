"""The casebook's writer: `timelines` and `dead-letters` into the home's SQLite file."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, TopicPartition

from crosstown import kafka, metrics
from crosstown.casebook import TOPICS, Casebook, Row
from crosstown.program import Program, main
from crosstown.transact import Ownership, gather


def run(program: Program) -> None:
    """Timelines, dead-letters -> Casebook.apply, offsets in the same SQL transaction."""
    admin = kafka.wait_for_broker(program.settings, program.endpoints, timeout=30)
    topics = admin.list_topics(timeout=10)
    casebook = Casebook(program.home.casebook, topics.cluster_id)
    consumer = Consumer(
        kafka.consumer(
            program.settings, program.endpoints, group_id="casebook", enable_partition_eof=True,
            fetch_queue_backoff_ms=10, fetch_wait_max_ms=100,
        )
    )  # fmt: skip
    at = casebook.offsets()
    consumer.assign([
        TopicPartition(topic, partition, at.get((topic, partition), 0))
        for topic in TOPICS
        for partition in topics.topics[topic].partitions
    ])  # fmt: skip
    ownership = Ownership(consumer, program.stopping)
    program.ready()
    try:
        while not program.stopping.is_set():
            batch = gather(program, ownership)
            if batch:
                casebook.apply(Row(m.topic(), m.partition(), m.offset(), m.value()) for m in batch)
                metrics.casebook_applied.inc(len(batch))
    finally:
        consumer.close()
        casebook.close()


if __name__ == "__main__":
    sys.exit(main("casebook", run))
