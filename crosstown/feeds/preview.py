"""What a receiver would see: a contract's own example as a feed would carry it, before anything flows.

Pure but for the example's files: the same code as the feeds' makes it, with a secret that nobody else has.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import fastavro

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import DAY, Word
from crosstown.avro.codec import Encoder, frame
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.repository import Repository, shipped
from crosstown.erasure.erasures import Erasures, Key
from crosstown.errors import Refused
from crosstown.event.envelope import (
    accepted_key,
    content_hash,
    prefix_bytes,
    suffix_bytes,
    zigzag,
)
from crosstown.feeds.sharing import Sharing
from crosstown.reading.opened import as_json

_SECRET: Final = b"an example"


def example(agreement: Agreement, repository: Repository) -> dict[str, Any] | None:
    """One message as the receiver would get it over HTTP, made of the contracts' examples.

    None where none of them is covered.
    """
    now = _moment(agreement)
    contracts = [repository.contracts[one.contract] for one in agreement.contracts]
    sharing = Sharing(repository, _SECRET, Erasures(Key(_SECRET)), repository.window,
                      lambda number: contracts[number].schema_text)  # fmt: skip
    sharing.terms([agreement])
    for party in agreement.parties:
        sharing.word(Word(agreement=agreement.id, word="accepted", party=party, by="", said_at=now - 1,
                          terms=agreement.terms))  # fmt: skip
    for number, contract in enumerate(contracts):
        for key, body in _accepted(contract, number, repository, now):
            sharing.say(contract.id, key, body)
    schema = fastavro.parse_schema(sharing.schema(agreement.id))
    for told in sharing.outputs(now):
        found: dict[str, Any] = json.loads(
            as_json(fastavro.schemaless_reader(BytesIO(told.value), schema, None))
        )
        return found
    return None


def _moment(agreement: Agreement) -> int:
    """When it is said: within the agreement's days."""
    day = max(filter(None, (agreement.start, agreement.since, dt.date(2026, 1, 1))))
    if agreement.end and day >= agreement.end:
        day = agreement.end - dt.timedelta(days=1)
    return (day - dt.date(1970, 1, 1)).days * DAY + DAY // 2


def _accepted(
    contract: Contract, number: int, repository: Repository, now: int
) -> Iterator[tuple[bytes, bytes]]:
    """Key and body in `accepted` of each example of a contract."""
    encoder = Encoder(contract.schema)
    for folder in (repository.path, shipped()):
        files = sorted(
            (folder / "examples" / contract.owner).glob(
                f"{contract.name}.v{contract.version}.*.json"
            )
        )
        for file in files:
            try:
                body = json.loads(file.read_text("utf-8"))
                agency = body["agency"] if contract.owner == ANY else contract.owner
                envelope = contract.envelope(body, agency, now, "batch")
                payload = frame(number, encoder.encode(body))
            except (Refused, ValueError, KeyError, TypeError, AttributeError):
                continue  # check says what is wrong with it
            prefix = prefix_bytes(envelope)
            whole = (
                prefix
                + suffix_bytes(envelope.known_at, envelope.via)
                + zigzag(len(payload))
                + payload
            )
            yield accepted_key(envelope, content_hash(prefix, payload)), whole
        if files:
            return
