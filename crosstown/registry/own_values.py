"""Values of the topics that Crosstown itself writes, in the wire format of foreign ones too."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, TypeVar, cast

import fastavro

from crosstown.errors import Refused
from crosstown.formats import TOPICS, plain
from crosstown.home import Endpoints
from crosstown.registry.client import Registry
from crosstown.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
_FRAME: Final = struct.Struct(">bI")
WAIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class OwnValues:
    """Writes values of one of our own topics; no limit on their size but the topic's."""

    schema: Any
    schema_id: int

    def encode(self, fields: Mapping[str, Any]) -> bytes:
        """The framed value of these fields, times as plain longs."""
        stream = BytesIO()
        fastavro.schemaless_writer(stream, self.schema, fields)
        return _FRAME.pack(0, self.schema_id) + stream.getvalue()


def own_values(topic: str, settings: Settings, endpoints: Endpoints) -> OwnValues:
    """The writer of a topic's values; its schema's id is the registry's (0 where there is none).

    Raises `Unavailable` where the registry doesn't answer within half a minute.
    """
    schema = TOPICS[topic]
    schema_id = 0
    if endpoints.registry:
        client = Registry.at(settings, endpoints)
        client.wait(WAIT)
        schema_id = client.register(f"{topic}-value", json.dumps(schema))
        client.close()
    return OwnValues(fastavro.parse_schema(plain(schema)), schema_id)


def body_of(value: bytes | None) -> bytes:
    """The body of a framed value, of any size; `Refused`: empty, wrong-magic, too-short."""
    if not value:
        raise Refused("empty", "the message has no value")
    if value[0]:
        raise Refused("wrong-magic", f"the first byte is 0x{value[0]:02x}, not 0x00")
    if len(value) < _FRAME.size:
        raise Refused("too-short", f"{len(value)} bytes; a schema's id alone needs {_FRAME.size}")
    return value[_FRAME.size :]


def told(value: bytes | None, schema: Any, make: Callable[..., T], among: str) -> T | None:
    """What a value says, made of its fields; None where it is none of ours, `among` says of what."""
    try:
        return make(
            **cast("Any", fastavro.schemaless_reader(BytesIO(body_of(value)), schema, None))
        )
    except Refused:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
        log.warning("a foreign message among the %s: %s", among, error)
        return None
