"""A feed's messages as JSON, one object a line, `number` first; times in ISO 8601, UTC."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import fastavro

from crosstown.errors import Refused, Unavailable
from crosstown.own_values import body_of
from crosstown.reading import plain_text

_BAD: Final = (Refused, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError)


class Lines:
    """Opens messages with the schemas that they were written with, as the registry has them."""

    def __init__(self, schema_text: Callable[[int], str]) -> None:
        self._schema_text = schema_text
        self._schemas: dict[int, Any] = {}

    def knows(self, value: bytes) -> bool:
        """Whether a message can be opened without asking the registry."""
        return int.from_bytes(value[1:5], "big") in self._schemas

    def learn(self, value: bytes) -> None:
        """Ask the registry for a message's schema; `Unavailable` where it doesn't say."""
        schema_id = int.from_bytes(value[1:5], "big")
        try:
            text = self._schema_text(schema_id)
            self._schemas[schema_id] = fastavro.parse_schema(json.loads(text))
        except Refused as error:
            raise Unavailable(f"schema {schema_id} isn't in the registry: {error}") from None

    def line(self, number: int, value: bytes) -> bytes:
        """A message as a line without its end; `Unavailable` where nothing opens it."""
        try:
            schema = self._schemas[int.from_bytes(value[1:5], "big")]
            fields: Any = fastavro.schemaless_reader(BytesIO(body_of(value)), schema, None)
            return _json({**fields, "number": number}).encode("utf-8")
        except _BAD as error:
            raise Unavailable(f"message {number} can't be opened: {type(error).__name__}") from None


def _json(fields: dict[str, Any]) -> str:
    try:
        return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                          default=plain_text)  # fmt: skip
    except ValueError:
        return json.dumps(_finite(fields), ensure_ascii=False, separators=(",", ":"),
                          default=plain_text)  # fmt: skip


def _finite(value: Any) -> Any:
    """JSON has no word for what isn't a finite number: null."""
    match value:
        case dict():
            return {name: _finite(one) for name, one in value.items()}
        case list():
            return [_finite(one) for one in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
