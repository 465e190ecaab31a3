"""A batch whose partitions go while it is written: what is in isn't written again, the rest is."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from crosstown.backbone import kafka as clients
from crosstown.backbone.sweep import messages
from crosstown.home import Endpoints, Home
from crosstown.processing.transact import Lost, Output, Ownership, Transaction, _work_off
from crosstown.program import Program
from crosstown.settings import Settings


class TakenAway(Transaction):
    """Of the first batch a partition goes to others; `before`: before the commit, else behind it."""

    def __init__(
        self, program: Program, name: str, ownership: Ownership, gone: TopicPartition, *,
        before: bool, back: bool,
    ) -> None:  # fmt: skip
        super().__init__(program, name, ownership)
        self.gone: TopicPartition | None = gone
        self.before, self.back, self.own = before, back, ownership

    def write(self, outputs: Iterable[Output], offsets: list[TopicPartition]) -> None:
        gone, self.gone = self.gone, None
        if gone is None or not self.before:
            super().write(outputs, offsets)
        if gone is not None:
            self.own.lose([gone])
            if self.back:
                self.own.gain([gone])
            raise Lost


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("back", [True, False])
def test_a_batch_goes_in_twice_or_in_part(
    kafka: tuple[Settings, Endpoints], before: bool, back: bool
) -> None:
    settings, where = kafka
    name = f"work-off-{before}-{back}"
    admin = clients.wait_for_broker(settings, where, 10)
    clients.ensure_topics(admin, [clients.Topic(name, 2, clients.EVENTS),
                                  clients.Topic(f"{name}-out", 1, clients.EVENTS)])  # fmt: skip
    producer = Producer(clients.producer(settings, where))
    for partition, count in ((0, 2), (1, 1)):
        for _ in range(count):
            producer.produce(name, b"x", partition=partition)
    assert producer.flush(10) == 0
    program = Program(name, settings, Home(settings.home).make(), where, "")
    consumer = Consumer(clients.consumer(settings, where, group_id=name))
    ownership = Ownership(consumer, threading.Event())
    both = [TopicPartition(name, 0, 0), TopicPartition(name, 1, 0)]
    consumer.assign(both)
    ownership.gain(both)
    batch: list[Message] = []
    while len(batch) < 3:
        batch += [one for one in consumer.consume(10, 1) if one.error() is None]
    ownership.gone = set()  # a batch was gathered

    def work(these: list[Message]) -> Iterable[Output]:
        return [
            Output(f"{name}-out", None, f"{m.partition()}/{m.offset()}".encode(), 0) for m in these
        ]

    transaction = TakenAway(program, name, ownership, both[1], before=before, back=back)
    _work_off(batch, transaction, ownership, work)
    consumer.close()
    told = [(m.value() or b"").decode() for m in messages(settings, where, f"{name}-out", 0)]
    assert sorted(told) == (["0/0", "0/1"] if before else ["0/0", "0/1", "1/0"])


def test_what_came_back_counts_as_never_gone(kafka: tuple[Settings, Endpoints]) -> None:
    """It is read again from what was committed: what was gathered of it must not be written."""
    at = TopicPartition("came-back", 0)
    consumer = Consumer(clients.consumer(*kafka, group_id="came-back"))
    ownership = Ownership(consumer, threading.Event())
    ownership.gain([at])
    ownership.gone = set()
    ownership.still([at])
    ownership.lose([at])
    ownership.gain([at])
    with pytest.raises(Lost):
        ownership.still([at])
    consumer.close()
