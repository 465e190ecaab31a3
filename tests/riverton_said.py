"""What the sample city's files say, as envelopes and payloads, for the tests that need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from connectors import source
from crosstown.avro.codec import Encoder, frame
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.event.envelope import Envelope
from crosstown.source import Quiet, Reject, Said

REPOSITORY = Repository.load()
CALL = 1_750_000_000_000_000
"""When the files are published, for those that don't say when they were written."""


def read(file: Path) -> list[Said | Reject | Quiet]:
    """One file's events and rejects."""
    return list(source("riverton", Naming(REPOSITORY.agencies)).read(file))


def said(files: Iterable[Path]) -> list[Said]:
    """All events of all files; a reject would be a fault of ours."""
    found = [one for file in files for one in read(file)]
    rejects = [one for one in found if isinstance(one, Reject)]
    assert not rejects, rejects[:3]
    return [one for one in found if isinstance(one, Said)]


def envelope(one: Said) -> Envelope:
    """The envelope that intake will make of it."""
    contract = REPOSITORY.contracts[one.contract]
    return contract.envelope(one.body, one.agency, one.known_at or CALL, one.via)


def sayings(files: Iterable[Path]) -> Iterator[tuple[Envelope, bytes]]:
    """Envelope and payload of every event of all files."""
    encoders = {name: Encoder(one.schema) for name, one in REPOSITORY.contracts.items()}
    for one in said(files):
        yield envelope(one), frame(1, encoders[one.contract].encode(one.body))
