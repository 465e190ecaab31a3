"""What `accepted` and `agreements` hold, for tests of feeds without Kafka, and what a receiver knows."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import fastavro
from riverton_said import REPOSITORY, envelope, said

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Word
from crosstown.avro.codec import Encoder, frame
from crosstown.erasure.erasures import Erasures, Key
from crosstown.errors import Refused
from crosstown.event.envelope import (
    Envelope,
    accepted_key,
    content_hash,
    prefix_bytes,
    suffix_bytes,
    zigzag,
)
from crosstown.feeds.feed import Told
from crosstown.feeds.sharing import Sharing
from crosstown.formats import plain

KEY = Key(b"key")
SECRET = b"the installation's"
IDS = {name: number for number, name in enumerate(REPOSITORY.contracts, 1)}
"""Schema ids by contract."""
NOW = 1_780_000_000_000_000
Message = tuple[str, bytes, bytes | None]
"""Contract, key, body."""


def schema_text(schema_id: int) -> str:
    for name, number in IDS.items():
        if number == schema_id:
            return REPOSITORY.contracts[name].schema_text
    raise Refused("unknown-schema", f"id {schema_id}")


def message(contract: str, e: Envelope, payload: bytes) -> Message:
    """One message of `accepted`, without its frame."""
    prefix = prefix_bytes(e)
    body = prefix + suffix_bytes(e.known_at, e.via) + zigzag(len(payload)) + payload
    return contract, accepted_key(e, content_hash(prefix, payload)), body


def accepted(files: Iterable[Path]) -> Iterator[Message]:
    """What intake makes of the sample's files."""
    encoders = {name: Encoder(one.schema) for name, one in REPOSITORY.contracts.items()}
    for one in said(files):
        payload = frame(IDS[one.contract], encoders[one.contract].encode(one.body))
        yield message(one.contract, envelope(one), payload)


def consent(agreement: Agreement, at: int = NOW - 1_000) -> list[Word]:
    """All parties accept the terms as they are."""
    return [
        Word(agreement=agreement.id, word="accepted", party=party, by=agreement.stewards[party],
             said_at=at, terms=agreement.terms)
        for party in agreement.parties
    ]  # fmt: skip


@dataclass
class Receiver:
    """What whoever reads a feed to its end knows; numbers without a gap, nothing said twice."""

    schema: Any
    number: int = 0
    anew: bool = False
    """Whether other terms have all told again."""
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    read: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, told: Told) -> None:
        stream = io.BytesIO(told.value)
        said = fastavro.schemaless_reader(stream, self.parsed, None)
        assert stream.tell() == len(told.value), "bytes follow the message"
        assert isinstance(said, dict)
        number = said.pop("number")
        assert number == told.number == self.number + 1, "a number is missing, or there twice"
        self.number = number
        thing = said.get("event") or said["case"]
        assert thing == told.thing
        self.read.append(said)
        if said["change"] == "GONE":
            assert told.digest == b""
            assert thing in self.known, "gone, and was never there"
            del self.known[thing]
        else:
            assert self.anew or self.known.get(thing) != said, "said again though nothing changed"
            self.known[thing] = said

    def __post_init__(self) -> None:
        self.parsed = fastavro.parse_schema(plain(self.schema))


class Installation:
    """A process that hands out feeds, which may end at any moment, and what outlives it."""

    def __init__(
        self, terms: Sequence[Agreement], window: Callable[[str], int], seed: int = 0
    ) -> None:
        self.terms = terms
        self.window = window
        self.dice = random.Random(seed)
        self.log: list[Message] = []
        self.words: list[Word] = []
        self.told: dict[tuple[str, str], Told] = {}
        self.receivers: dict[str, Receiver] = {}
        self.restart()

    def restart(self) -> None:
        """A new process: what was delivered and all that was said, in any order, then on."""
        self.sharing = Sharing(REPOSITORY, SECRET, Erasures(KEY), self.window, schema_text)
        self.sharing.terms(self.terms)
        for word in self.words:
            self.sharing.word(word)
        for told in self.dice.sample(list(self.told.values()), len(self.told)):
            self.sharing.delivered(told.agreement, told.thing, told.number, told.digest)
        for one in self.log:
            self.sharing.say(*one)

    def say(self, one: Message) -> None:
        self.log.append(one)
        self.sharing.say(*one)

    def accept(self, terms: Agreement) -> None:
        for word in consent(terms):
            self.words.append(word)
            self.sharing.word(word)

    def hand_out(self, most: int | None = None, now: int = NOW) -> None:
        things = set()
        for told in islice(self.sharing.outputs(now), most):
            assert (told.agreement, told.thing) not in things, "told twice at once"
            things.add((told.agreement, told.thing))
            self.told[told.agreement, told.thing] = told
            if told.agreement not in self.receivers:
                schema = json.loads(json.dumps(self.sharing.schema(told.agreement)))
                self.receivers[told.agreement] = Receiver(schema)
            self.receivers[told.agreement].hear(told)

    def known(self, name: str) -> dict[str, dict[str, Any]]:
        """What a receiver knows, without digests."""
        found = {}
        for thing, one in (self.receivers[name].known if name in self.receivers else {}).items():
            found[thing] = {k: v for k, v in one.items() if k not in ("change", "event", "case")}
            found[thing]["said"] = {k: v for k, v in one["said"].items() if k != "digest"}
        return found
