"""One message, written and waited for: where a program says a single thing and must know that it's said."""

from __future__ import annotations

from confluent_kafka import KafkaError, Message, Producer

from crosstown.backbone import kafka
from crosstown.home import Endpoints
from crosstown.settings import Settings


def not_taken(
    settings: Settings, endpoints: Endpoints, topic: str, key: bytes, value: bytes, patience: float
) -> str | None:  # fmt: skip
    """Write it, and wait `patience` seconds until it lies on all copies; None: it does.

    Else why it isn't known to, empty where Kafka only hasn't answered.
    """
    refusals: list[KafkaError] = []

    def told(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            refusals.append(error)

    how = kafka.producer(settings, endpoints, message_timeout_ms=int(patience * 1000), linger_ms=0)
    producer = Producer({**how, "log_level": 0})
    producer.produce(topic, value, key, on_delivery=told)
    left = producer.flush(patience + 1)
    if refusals:
        return str(refusals[0].str())
    return "" if left else None
