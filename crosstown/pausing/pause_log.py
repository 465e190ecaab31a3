"""The compacted topic `pauses`: whose messages wait, who said so, when and why; it outlives any restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

import fastavro
from confluent_kafka import Message

from crosstown.backbone import kafka
from crosstown.backbone.one_message import not_taken
from crosstown.backbone.sweep import messages
from crosstown.errors import Unavailable
from crosstown.formats import PAUSE, plain
from crosstown.home import Endpoints
from crosstown.registry.own_values import own_values, told
from crosstown.settings import Settings

TOPIC: Final = "pauses"
PATIENCE: Final = 15.0
"""Seconds in which Kafka must take what is said."""
_SCHEMA: Final = fastavro.parse_schema(plain(PAUSE))


@dataclass(frozen=True, slots=True)
class Pause:
    """What was last said of one agency; the fields: crosstown/formats/pause.avsc."""

    agency: str
    paused: bool
    by: str
    because: str
    at: int


def pause_of(value: bytes | None) -> Pause | None:
    """What a message's value says; None where it says nothing that is known here."""
    return told(value, _SCHEMA, Pause, "pauses")


def newest(said: Iterable[Message]) -> dict[str, Pause]:
    """What was last said of each agency."""
    found = (pause_of(message.value()) for message in said)
    return {one.agency: one for one in found if one is not None}


def read(settings: Settings, endpoints: Endpoints, timeout: float = 10) -> dict[str, Pause]:
    """The same, as the topic says now; empty where it isn't there. `Unavailable`: it can't be read."""
    admin = kafka.wait_for_broker(settings, endpoints, timeout)
    if TOPIC not in admin.list_topics(timeout=timeout).topics:
        return {}
    return newest(messages(settings, endpoints, TOPIC, 0))


def say(settings: Settings, endpoints: Endpoints, one: Pause) -> None:
    """Write it; returns once Kafka has it on all copies. `Unavailable` where that isn't known."""
    value = own_values(TOPIC, settings, endpoints).encode(asdict(one))
    why = not_taken(settings, endpoints, TOPIC, one.agency.encode(), value, PATIENCE)
    if why is not None:
        raise Unavailable(
            f"Kafka hasn't taken it{f' ({why})' if why else ''}",
            mend="crosstown status says what holds; else say it again",
        )
