"""Reading back what is in the topics with the schemas that it was written with, for the casebook."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, cast

import fastavro

from crosstown.avro.codec import unframe
from crosstown.avro.guards import guard
from crosstown.errors import Refused
from crosstown.formats import DEAD_LETTER, TIMELINE, plain
from crosstown.registry.own_values import body_of

_TIMELINE: Final = fastavro.parse_schema(plain(TIMELINE))
_DEAD_LETTER: Final = fastavro.parse_schema(plain(DEAD_LETTER))
_NOT_OPENED: Final = (
    Refused, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError
)  # fmt: skip


def read_timeline(body: bytes) -> dict[str, Any]:
    """A message of `timelines` in today's form, without its frame; times are microseconds."""
    return _decoded(body, _TIMELINE)


def read_letter(value: bytes) -> dict[str, Any]:
    """A dead letter's fields; times are microseconds. Raises what bytes of others make it raise."""
    return _decoded(body_of(value), _DEAD_LETTER)


def _decoded(body: bytes, schema: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", fastavro.schemaless_reader(BytesIO(body), schema, None))


@dataclass(slots=True)
class Reading:
    """Opens messages; `schema_text` gives a schema by its id and may raise `Unavailable`: then wait."""

    schema_text: Callable[[int], str]
    timeline_id: int = 0
    _writers: dict[int, Any] = field(default_factory=dict)
    _older: dict[int, Any] = field(default_factory=dict)

    def fields(self, message: bytes | None) -> dict[str, Any] | None:
        """An original message's fields, logical types as Python has them; None: no schema opens it."""
        try:
            schema_id, body = unframe(message)
            if schema_id not in self._writers:
                self._writers[schema_id] = fastavro.parse_schema(guard(self.schema_text(schema_id)))
            return _decoded(body, self._writers[schema_id])
        except _NOT_OPENED:
            return None

    def payload(self, message: bytes) -> str | None:
        """An original message as JSON text; None where no schema opens it."""
        fields = self.fields(message)
        if fields is None:
            return None
        try:
            return json.dumps(fields, ensure_ascii=False, default=plain_text).replace("\\u0000", "")
        except _NOT_OPENED:
            return None

    def timeline(self, value: bytes) -> tuple[dict[str, Any], bytes]:
        """A message of `timelines` as plain fields, and its body in today's form."""
        body = body_of(value)
        schema_id = int.from_bytes(value[1:5], "big")
        if schema_id == self.timeline_id or not self.timeline_id:
            return read_timeline(body), body
        if schema_id not in self._older:
            self._older[schema_id] = fastavro.parse_schema(
                plain(json.loads(self.schema_text(schema_id)))
            )
        said = fastavro.schemaless_reader(BytesIO(body), self._older[schema_id], _TIMELINE)
        today = BytesIO()
        fastavro.schemaless_writer(today, _TIMELINE, said)
        return cast("dict[str, Any]", said), today.getvalue()


def plain_text(value: Any) -> Any:
    """What JSON has no word for: moments as ISO 8601, bytes as hex, the rest as text."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else str(value)
