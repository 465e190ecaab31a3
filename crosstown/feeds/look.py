"""One version that counts, opened as far as somebody asks: the envelope at once, the body on demand.

The body is read in the form of the contract's present version, whichever version it was written with.
Pure: schemas by id come from a function that may raise `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from crosstown.avro.codec import Decoder, unframe
from crosstown.avro.guards import guard
from crosstown.contracts.contract import Contract
from crosstown.errors import Refused
from crosstown.event.envelope import VIAS, read_long, read_prefix
from crosstown.feeds.counting import Version

_NOT_READ: Final = object()


@dataclass(slots=True)
class Bodies:
    """Opens the bodies of contracts; one that can't be opened any more is None, and is counted."""

    contracts: Mapping[str, Contract]
    schema_text: Callable[[int], str]
    unreadable: int = 0
    _decoders: dict[tuple[int, str], Decoder] = field(default_factory=dict)

    def read(self, contract: str, message: bytes) -> Mapping[str, Any] | None:
        """The fields of an original message; times are plain longs as the contract has them."""
        try:
            schema_id, body = unframe(message)
            decoder = self._decoders.get((schema_id, contract))
            if decoder is None:
                schema = guard(self.schema_text(schema_id))
                decoder = Decoder(schema, self.contracts[contract].schema)
                self._decoders[schema_id, contract] = decoder
            return decoder.decode(body)
        except (Refused, KeyError):
            self.unreadable += 1
            return None


class Look:
    """A version with its bytes; `fields` are the envelope's, `known_at` and `via` as they are shown."""

    __slots__ = ("_bodies", "_end", "_payload", "body", "fields", "version")

    def __init__(self, version: Version, body: bytes, bodies: Bodies) -> None:
        self.version = version
        self.body = body
        self._bodies = bodies
        self.fields, self._end = read_prefix(body)
        self.fields["known_at"], self.fields["via"] = version.first, VIAS[version.via]
        self._payload: Any = _NOT_READ

    @property
    def said(self) -> int:
        """How many bytes of the body are the envelope's prefix."""
        return self._end

    @property
    def payload(self) -> Mapping[str, Any] | None:
        """The original body's fields; None where it can't be read any more."""
        if self._payload is _NOT_READ:
            body = self.body
            _, at = read_long(body, self._end)
            size, at = read_long(body, at + 1)
            self._payload = self._bodies.read(self.version.lane.contract, body[at : at + size])
        return self._payload  # type: ignore[no-any-return]

    def row(self, *, with_payload: bool) -> Mapping[str, Any]:
        """What a filter is asked of: the envelope's fields, the body's under `payload`."""
        if with_payload and "payload" not in self.fields:
            self.fields["payload"] = self.payload or {}
        return self.fields
