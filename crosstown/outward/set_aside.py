"""A message that its receiver refuses by itself: a dead letter without its bytes, which lie in the feed."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Producer

from crosstown import kafka
from crosstown.dead_letter import TOPIC
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.outward.feed_log import Said
from crosstown.own_values import own_values
from crosstown.settings import Settings

REASON = "webhook-refused"
PATIENCE = 10.0


def set_aside(
    settings: Settings, endpoints: Endpoints, topic: str, said: Said, why: str
) -> None:  # fmt: skip
    """Write the dead letter; returns once Kafka has it, else `Unavailable`."""
    values = own_values(TOPIC, settings, endpoints)
    fields: dict[str, Any] = {
        "reason": REASON, "detail": f"number {said.number}: {why}", "topic": topic, "partition": 0,
        "offset": said.offset, "produced_at": said.said_at, "key": None, "value": None, "headers": [],
    }  # fmt: skip
    failed: list[str] = []
    how = kafka.producer(settings, endpoints, message_timeout_ms=int(PATIENCE * 1000), linger_ms=0)
    producer = Producer({**how, "log_level": 0})
    producer.produce(TOPIC, values.encode(fields), f"{topic}/0/{said.offset}".encode(),
                     on_delivery=lambda error, _: failed.append(error.str()) if error else None)  # fmt: skip
    if producer.flush(PATIENCE) or failed:
        raise Unavailable(
            f"Kafka doesn't take the dead letter{': ' if failed else ''}{''.join(failed)}"
        )
