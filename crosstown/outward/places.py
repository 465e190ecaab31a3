"""How far each webhook has come, in the compacted topic `webhooks`: it outlives any restart.

A place is written once the receiver has taken a message, so after a crash the last ones may come twice,
under the same id: at least once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import fastavro
from confluent_kafka import Message, Producer

from crosstown.backbone import kafka
from crosstown.backbone.topic_tail import TopicTail
from crosstown.errors import Unavailable
from crosstown.formats import WEBHOOK_PLACE, plain
from crosstown.home import Endpoints
from crosstown.registry.own_values import own_values, told
from crosstown.settings import Settings

TOPIC: Final = "webhooks"
PATIENCE: Final = 10.0
State = Literal["new", "works", "fails", "given up", "ended"]
_SCHEMA: Final = fastavro.parse_schema(plain(WEBHOOK_PLACE))


@dataclass(frozen=True, slots=True)
class Place:
    """How far one webhook has come; the fields: crosstown/formats/webhook_place.avsc."""

    number: int = 0
    state: State = "new"
    address: str = ""
    failures: int = 0
    failing_since: int = 0
    why: str = ""
    set_aside: int = 0
    asked: bool = False
    at: int = 0


class Places:
    """The topic, read whole at the beginning and followed from then on; written by any thread."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._values = own_values(TOPIC, settings, endpoints)
        self._producer: Any = Producer(
            {**kafka.producer(settings, endpoints, linger_ms=5), "log_level": 0}
        )
        self._tail = TopicTail(
            settings, endpoints, TOPIC, "webhook-places", "the places of webhooks"
        )

    def so_far(self) -> dict[str, Place]:
        """The last place of each agreement, as of now; `Unavailable` where Kafka doesn't show all."""
        return dict(_places(self._tail.to_end()))

    def since(self) -> Iterator[tuple[str, Place]]:
        """What was written since the last reading, by anybody; doesn't wait."""
        return _places(self._tail.news())

    def write(self, agreement: str, place: Place) -> None:
        """Write a place; `settle` says when it's in Kafka."""
        self._producer.produce(TOPIC, self._values.encode(asdict(place)), agreement.encode())
        self._producer.poll(0)

    def settle(self, patience: float = PATIENCE) -> None:
        """Return once all that was written is in Kafka; `Unavailable` where it isn't in time."""
        if self._producer.flush(patience):
            raise Unavailable("Kafka doesn't take the places of webhooks now")

    def close(self) -> None:
        """Write what is left and give up the connections."""
        self._producer.flush(PATIENCE)
        self._tail.close()


def _places(messages: Iterable[Message]) -> Iterator[tuple[str, Place]]:
    for message in messages:
        place = place_of(message.value())
        if place is not None:
            yield (message.key() or b"").decode("utf-8", "replace"), place


def place_of(value: bytes | None) -> Place | None:
    """The place in a message's value; None where it is none."""
    return told(value, _SCHEMA, Place, "webhooks' places")
