"""What goes out of one version under one agreement: exactly the named fields, as coarse as agreed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro.schema import to_parsing_canonical_form

from crosstown.agreements.agreement import Agreement
from crosstown.contracts.contract import Contract
from crosstown.event.envelope import STEPS, VIAS, text_bytes, texts_bytes, zigzag
from crosstown.feeds import coarse, form
from crosstown.feeds.body_form import Schema, inlined, payload_form
from crosstown.feeds.look import Look
from crosstown.formats import plain

DIGEST_BYTES: Final = 16
NULL: Final = b"\0"
_STEP: Final = {step: zigzag(index) for index, step in enumerate(STEPS)}
_VIA: Final = {via: zigzag(index) for index, via in enumerate(VIAS)}
Part = Callable[[Mapping[str, Any]], bytes]


class _Body:
    """How one contract's body goes out: `head` says which branch of the union it is."""

    __slots__ = ("changes", "head", "names", "schema", "signature")

    def __init__(
        self, declared: Schema | None, branch: int, times: str | None, envelope: str
    ) -> None:
        self.schema: Any = None
        self.head = b""
        self.names: tuple[str, ...] = ()
        self.changes: dict[str, coarse.Change] = {}
        shape = ""
        if declared is not None:
            self.schema = fastavro.parse_schema(plain(declared))
            self.head = zigzag(branch)
            self.names = tuple(one["name"] for one in declared["fields"])
            shape = to_parsing_canonical_form(self.schema)
            for one in inlined(declared)["fields"] if times else ():
                if (change := coarse.coarser(one["type"], times or "")) is not None:
                    self.changes[one["name"]] = change
        self.signature = hashlib.sha256(f"{envelope}\n{shape}".encode()).digest()

    def encode(self, payload: Mapping[str, Any] | None) -> bytes:
        """The record's bytes; empty where nothing of it goes out, or it doesn't fit the form."""
        if self.schema is None or payload is None:
            return b""
        said = {name: payload.get(name) for name in self.names}
        stream = BytesIO()
        try:
            for name, change in self.changes.items():
                said[name] = change(said[name])
            fastavro.schemaless_writer(stream, self.schema, said)
        except Exception:  # noqa: BLE001 - whatever it is, it came out of somebody's bytes
            return b""
        return stream.getvalue()


class Projection:
    """How versions go out under one agreement."""

    def __init__(self, agreement: Agreement, contracts: Mapping[str, Contract]) -> None:
        self._times = agreement.coarser.times or ""
        self.reach = agreement.reach.encode()
        """Part of every digest: under another reach all is told anew."""
        names = form.envelope_fields(agreement)
        self._parts: tuple[Part, ...] = tuple(self._part(name, agreement) for name in names)
        self.names_refs = "refs" in names
        self._bodies: dict[str, _Body] = {}
        branch = 0
        for covered in agreement.contracts:
            contract = contracts.get(covered.contract)
            if contract is None:
                continue
            declared = payload_form(agreement, contract)
            branch += declared is not None
            self._bodies[contract.id] = _Body(
                declared, branch, agreement.coarser.times, ",".join(names)
            )
        self._has_payload = branch > 0

    def said(self, look: Look, refs: Sequence[str]) -> tuple[bytes, bytes]:
        """The Avro bytes of what a version says, and the bytes that tell it from anything else.

        `refs` are what goes out of its refs. The second doesn't change with the order of the contracts
        in the agreement, as the first does.
        """
        fields, body = look.fields, self._bodies[look.version.lane.contract]
        if self.names_refs:
            fields = {**fields, "refs": refs}
        envelope = b"".join([part(fields) for part in self._parts])
        payload = body.encode(look.payload) if body.schema is not None else b""
        tail = b"" if not self._has_payload else body.head + payload if payload else NULL
        return envelope + tail, body.signature + envelope + payload

    def time(self, at: int) -> int:
        """A time as it goes out, microseconds UTC."""
        return coarse.floor(at, self._times)

    def _part(self, name: str, agreement: Agreement) -> Part:
        if name in form.TIMES:
            return lambda fields: self._time(fields[name])
        match name:
            case "step":
                return lambda fields: _STEP[fields["step"]]
            case "via":
                return lambda fields: _VIA[fields["via"]]
            case "refs" | "flags":
                return lambda fields: texts_bytes(fields[name])
            case "place" if agreement.coarser.place == "area":
                return lambda fields: text_bytes(f"area:{fields['area']}" if fields["area"] else "")
            case _:
                return lambda fields: text_bytes(fields[name])

    def _time(self, at: int | None) -> bytes:
        return NULL if at is None else b"\2" + zigzag(coarse.floor(at, self._times))


def digest(*parts: bytes) -> bytes:
    """The digest of what goes out, in `delivered`: the first 16 bytes of SHA-256."""
    return hashlib.sha256(b"".join(parts)).digest()[:DIGEST_BYTES]
