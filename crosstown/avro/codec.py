"""Avro bodies in Confluent's wire format: opened and closed without trusting a byte of them.

Wire format: 0x00, the schema's id (4 bytes, big-endian), the Avro body. Times are read and written
as plain longs, in the unit that the schema names.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final, cast

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import to_parsing_canonical_form

from crosstown.avro.compatibility import logical_changes
from crosstown.errors import Refused
from crosstown.formats import plain

MAX_BODY_BYTES: Final = 256_000
_FRAME = struct.Struct(">bI")
_frame = _FRAME.pack
_unframe = _FRAME.unpack_from
_read = fastavro.schemaless_reader
_write = fastavro.schemaless_writer


def frame(schema_id: int, body: bytes) -> bytes:
    """A message's value: the body behind its schema's id; `Refused` (body-too-large)."""
    if len(body) > MAX_BODY_BYTES:
        raise _too_large(body)
    return _frame(0, schema_id) + body


def unframe(value: bytes | None) -> tuple[int, bytes]:
    """The schema's id and the body of a message's value.

    Raises `Refused`: empty, wrong-magic, too-short, body-too-large.
    """
    if not value:
        raise Refused("empty", "the message has no value")
    if value[0]:
        raise Refused("wrong-magic", f"the first byte is 0x{value[0]:02x}, not 0x00",
                      mend="write it with a serialiser for a Confluent-compatible registry"
                     )  # fmt: skip
    if len(value) < 5:
        raise Refused("too-short", f"{len(value)} bytes; a schema's id alone needs 5")
    if len(value) > MAX_BODY_BYTES + 5:
        raise _too_large(value[5:])
    return _unframe(value)[1], value[5:]


def _too_large(body: bytes) -> Refused:
    return Refused("body-too-large", f"{len(body):,} bytes; at most {MAX_BODY_BYTES:,}",
                   mend="keep attachments elsewhere and send a link")  # fmt: skip


class Decoder:
    """Reads bodies written with one schema as the fields of another (a contract's).

    Both schemas are `guard`'s; nothing else may reach fastavro. Where the writer's schema names no
    logical type, the reader's says what a number means; where both do they must be the same.
    Raises `Refused` (schema-mismatch) where no body can be read.
    """

    __slots__ = ("_reader", "_writer")

    def __init__(self, writer: Any, reader: Any) -> None:
        for schema in (writer, reader):
            if not isinstance(schema, dict) or schema.get("type") != "record":
                raise Refused("schema-mismatch", "an event's schema must be an Avro record")
        for change in () if writer is reader else logical_changes(writer, reader):
            if change.old:
                raise Refused("schema-mismatch", f"{change.path} is {change.old}, not {change.new}")
        try:
            self._writer: Any = fastavro.parse_schema(plain(writer))
            own = fastavro.parse_schema(plain(reader))
            same = to_parsing_canonical_form(self._writer) == to_parsing_canonical_form(own)
        except Exception as error:  # noqa: BLE001 - fastavro has no base class for its errors
            raise Refused("schema-mismatch", _words(error)) from None
        self._reader: Any = None if same else own

    @property
    def same(self) -> bool:
        """Whether the two schemas are one: then nothing is resolved."""
        return self._reader is None

    def decode(self, body: bytes) -> dict[str, Any]:
        """The fields of a body, which must hold one record and nothing behind it.

        Raises `Refused`: body-too-large, not-avro, schema-mismatch, trailing-bytes.
        """
        if len(body) > MAX_BODY_BYTES:
            raise _too_large(body)
        stream = BytesIO(body)
        try:
            fields = _read(stream, self._writer, self._reader)
        except SchemaResolutionError as error:
            raise Refused("schema-mismatch", _words(error)) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
            raise Refused("not-avro", _words(error)) from None
        if stream.tell() != len(body):
            raise Refused("trailing-bytes", f"{len(body) - stream.tell()} bytes follow the record")
        return cast("dict[str, Any]", fields)


class Encoder:
    """Writes fields as bodies of one schema."""

    __slots__ = ("_schema",)

    def __init__(self, schema: Any) -> None:
        self._schema: Any = fastavro.parse_schema(plain(schema))

    def encode(self, fields: Mapping[str, Any]) -> bytes:
        """The body of these fields; a field that is missing must have a default, none may be extra.

        Raises `Refused`: not-in-schema, body-too-large.
        """
        stream = BytesIO()
        try:
            _write(
                stream, self._schema, fields, strict_allow_default=True, disable_tuple_notation=True
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it came of these fields
            raise Refused("not-in-schema", _words(error)) from None
        body = stream.getvalue()
        if len(body) > MAX_BODY_BYTES:
            raise _too_large(body)
        return body


class Rewriter:
    """Changes bodies of one schema; which branch of a union each value is in stays."""

    __slots__ = ("_schema",)

    def __init__(self, schema: Any) -> None:
        self._schema: Any = fastavro.parse_schema(plain(schema))

    def change(
        self, body: bytes, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> bytes:
        """A good body with its fields changed; a branch that has a name is a pair of it and the value.

        Raises `Refused` (not-in-schema, closed) where what `change` gives is no body.
        """
        fields = _read(
            BytesIO(body), self._schema, None, return_record_name=True, return_named_type=True
        )
        stream = BytesIO()
        try:
            _write(stream, self._schema, change(fields), strict_allow_default=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it came of these fields
            raise Refused("not-in-schema", type(error).__name__, closed=True) from None
        return stream.getvalue()


def encode(schema: Any, fields: Mapping[str, Any]) -> bytes:
    """One body of these fields; for many of one schema keep an `Encoder`."""
    return Encoder(schema).encode(fields)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300].rstrip(": ")
