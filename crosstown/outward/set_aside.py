"""A message that its receiver refuses by itself: a dead letter without its bytes, which lie in the feed."""

from __future__ import annotations

from typing import Any

from crosstown.backbone.one_message import not_taken
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.outward.feed_log import Said
from crosstown.processing.dead_letter import TOPIC
from crosstown.registry.own_values import own_values
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
    key = f"{topic}/0/{said.offset}".encode()
    failed = not_taken(settings, endpoints, TOPIC, key, values.encode(fields), PATIENCE)
    if failed is not None:
        raise Unavailable(f"Kafka doesn't take the dead letter{': ' if failed else ''}{failed}")
