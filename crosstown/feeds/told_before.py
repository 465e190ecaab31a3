"""What every feed has been told so far, read from the topic `delivered`.

It lies there in the transaction of the feed's own message, so it is what the receiver can read, no
more and no less. Whoever reads it to write feeds must have settled the earlier writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple, cast

import fastavro

from crosstown.backbone.sweep import messages
from crosstown.formats import DELIVERED, plain
from crosstown.home import Endpoints
from crosstown.registry.own_values import body_of
from crosstown.settings import Settings

TOPIC: Final = "delivered"
_DELIVERED: Final = fastavro.parse_schema(plain(DELIVERED))


class ToldBefore(NamedTuple):
    """What a feed last said of one thing; an empty digest says that it's gone.

    `at` is microseconds UTC; `offset` is where it lies in the topic.
    """

    agreement: str
    thing: str
    number: int
    digest: bytes
    at: int
    offset: int


def told_before(settings: Settings, endpoints: Endpoints, since: int = 0) -> Iterator[ToldBefore]:
    """All that lies in `delivered` from an offset on, in order; of one thing the last one counts.

    Raises `Unavailable` where it can't be read now.
    """
    for message in messages(settings, endpoints, TOPIC, 0, start=since):
        value = message.value()
        if value is not None:
            yield _read(message.key() or b"", value, cast("int", message.offset()))


def key_of(agreement: str, thing: str) -> bytes:
    """Under which key it lies there."""
    return f"{agreement}/{thing}".encode()


def _read(key: bytes, value: bytes, offset: int) -> ToldBefore:
    agreement, _, thing = key.decode().partition("/")
    said: Any = fastavro.schemaless_reader(BytesIO(body_of(value)), _DELIVERED, None)
    return ToldBefore(agreement, thing, said["number"], said["digest"], said["at"], offset)
