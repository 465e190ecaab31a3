"""What a source says, held against its contract as intake will hold it; a row is all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crosstown.avro.codec import Encoder
from crosstown.contracts.contract import Contract
from crosstown.contracts.repository import Repository
from crosstown.contracts.screened import settle
from crosstown.errors import Refused, Stop
from crosstown.event.envelope import Envelope
from crosstown.source import Quiet, Reject, Said, Source

HOUR: Final = 3_600_000_000
"""How far ahead of the clock `known_at` may be, in microseconds."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One event that may be sent: its topic, the Avro bytes of its body, and what they say."""

    contract: Contract
    agency: str
    topic: str
    body: bytes
    envelope: Envelope
    own_time: bool
    """Whether the source said when it said so (a column, not the time of the call)."""


@dataclass(slots=True)
class Checker:
    """Checks one call's events; `known_at` is the call's, `now` the clock, microseconds UTC.

    `clock`, where they come by and by: each is said when it comes, unless the call said when.
    """

    repository: Repository
    known_at: int
    now: int
    clock: Callable[[], int] | None = None
    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _topics: dict[tuple[str, str], str] = field(default_factory=dict)

    def rows(self, source: Source, file: Path) -> Iterator[tuple[Checked, ...] | Reject]:
        """The events of each row together, or why it has none; `Refused` for the file as a whole.

        Nothing, `()`, where a second has passed without another row: who sends can send now.
        """
        row = -1
        together: list[Said] = []
        for said in source.read(file):
            if isinstance(said, (Reject, Quiet)):
                if together:
                    yield self._row(together)
                    together = []
                yield () if isinstance(said, Quiet) else said
                continue
            if together and said.row != row:
                yield self._row(together)
                together = []
            row = said.row
            together.append(said)
        if together:
            yield self._row(together)

    def _move(self, now: int) -> None:
        self.known_at = now if self.known_at == self.now else self.known_at
        self.now = now

    def _row(self, together: list[Said]) -> tuple[Checked, ...] | Reject:
        try:
            return tuple([self.check(said) for said in together])
        except Refused as error:
            why = f"{error.reason}: {error.detail}" if error.detail else error.reason
            why += f"; {error.mend}" if error.mend else ""
            field = error.field or FIELDS.get(error.reason, "")
            return Reject(together[0].row, field, why, "")

    def check(self, said: Said) -> Checked:
        """One event as it may be sent; raises `Refused` as intake would, `Stop` without a contract."""
        contract = self.repository.contracts.get(said.contract)
        if contract is None:
            raise Stop(f"no contract {said.contract} in {self.repository.path}",
                       mend="add it there, or let CROSSTOWN_SCHEMAS name another folder")  # fmt: skip
        if self.clock is not None:
            self._move(self.clock())
        known_at = self.known_at if said.known_at is None else said.known_at
        encoder = self._encoders.get(said.contract)
        if encoder is None:
            encoder = self._encoders[said.contract] = Encoder(contract.schema)
        try:
            to_mask, flags = settle(contract.rules.look(said.body))
            shown = contract.rules.masked(said.body) if to_mask else said.body
            envelope = contract.envelope(shown, said.agency, known_at, said.via, noticed=flags)
        except (TypeError, ValueError, AttributeError):
            encoder.encode(said.body)  # the mapping reckons with the schema's types: was it those?
            raise
        if known_at > self.now + HOUR:
            raise Refused("known-in-the-future", "known_at is over an hour from now")
        topic = self._topics.get((said.contract, said.agency))
        if topic is None:
            topic = self._topics[said.contract, said.agency] = contract.topic(said.agency)
        return Checked(contract, said.agency, topic, encoder.encode(said.body), envelope,
                       said.known_at is not None)  # fmt: skip


FIELDS: Final = {
    "unknown-agency": "agency", "agency-of-another": "agency", "bad-record": "record",
    "unknown-jurisdiction": "jurisdiction", "record-of-another": "record",
    "record-too-long": "record", "place-too-long": "place", "place-without-scheme": "place",
    "too-many-refs": "refs", "ref-too-long": "refs", "known-in-the-future": "known_at",
}  # fmt: skip
"""The field of the envelope that a reason is about."""
