"""Opening a topic's messages as rows: each with its writer's schema, in the form of today's.

Logical types are Python's: moments in UTC, decimals, dates, UUIDs; an enum is its word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro.read import SchemaResolutionError

from crosstown.avro.codec import unframe
from crosstown.avro.guards import guard
from crosstown.errors import Refused
from crosstown.registry.own_values import body_of
from crosstown.registry.read_back import plain_text

Row = dict[str, Any]
FRAME: Final = 5


@dataclass(slots=True)
class Opener:
    """Opens values; `schema_text` gives a schema by its id and may raise `Unavailable`.

    `today` is the schema in whose form all rows are, as JSON; None: each in its writer's. `own`: the
    topic is Crosstown's, whose values have no limit but the topic's.
    """

    schema_text: Callable[[int], str]
    today: Any = None
    own: bool = False
    _schemas: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    _texts: dict[int, Any] = field(default_factory=dict)

    def row(self, value: bytes | None) -> Row:
        """A value's fields; raises `Refused` where it can't be opened."""
        schema_id, body = self._framed(value)
        writer, reader = self._schemas.get(schema_id) or self._schema(schema_id)
        stream = BytesIO(body)
        try:
            fields: Any = fastavro.schemaless_reader(stream, writer, reader)
        except SchemaResolutionError as error:
            raise Refused("schema-mismatch", f"{error}"[:300]) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
            raise Refused("not-avro", f"{type(error).__name__}: {error}"[:300]) from None
        if stream.tell() != len(body):
            raise Refused("trailing-bytes", f"{len(body) - stream.tell()} bytes follow the record")
        if not isinstance(fields, dict):
            raise Refused("not-a-record", f"a bare {type(fields).__name__}")
        return fields

    def writer(self, value: bytes | None) -> Any:
        """The schema as JSON that a value was written with; raises `Refused` where none may be used."""
        return self._text(self._framed(value)[0])

    def _framed(self, value: bytes | None) -> tuple[int, bytes]:
        if not self.own:
            return unframe(value)
        body = body_of(value)
        return int.from_bytes((value or b"")[1:FRAME], "big"), body

    def _text(self, schema_id: int) -> Any:
        found = self._texts.get(schema_id)
        if found is None:
            found = self._texts[schema_id] = guard(self.schema_text(schema_id))
        return found

    def _schema(self, schema_id: int) -> tuple[Any, Any]:
        writer = self._text(schema_id)
        same = self.today is None or writer == self.today
        try:
            found = fastavro.parse_schema(writer), None if same else fastavro.parse_schema(self.today)  # fmt: skip
        except Exception as error:  # noqa: BLE001 - logical types that the guard doesn't look at
            raise Refused("not-avro-schema", f"{type(error).__name__}: {error}"[:300]) from None
        self._schemas[schema_id] = found
        return found


def as_json(value: Any) -> str:
    """A row, or part of one, as JSON text: moments as ISO 8601 with Z, bytes as hex."""
    return json.dumps(value, ensure_ascii=False, default=plain_text)
