"""An agreement: who may receive what, why, until when; its light form is a handshake.

A file `schemas/agreements/<id>.yaml`. What it names is allowed and nothing else is: a field that isn't
named is absent from the bytes that leave. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crosstown.contracts.agencies import Id

HANDSHAKE_DAYS: Final = 90
"""For how long a handshake holds, from the day on which the last party has accepted it."""
FIRST: Final = dt.date(1970, 1, 1)
LAST: Final = dt.date(2200, 1, 1)
"""Between these lie all days of an agreement."""
FOLDER: Final = "agreements"
"""The folder in the contract repository."""

EnvelopeField = Literal[
    "agency", "type", "step", "occurred_at", "due_at", "jurisdiction", "place", "area", "concern",
    "to_agency", "channel", "refs", "headline", "flags", "known_at", "via",
]  # fmt: skip
"""What may be named of the envelope; `event_id` and `record` always go out, under other names."""
Sentence = Annotated[str, Field(min_length=10, max_length=500)]


class _Ours(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Covered(_Ours):
    """One contract whose events are covered, and the fields of its body that go out beside the envelope's."""

    contract: str = Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")
    payload: tuple[str, ...] = ()


class Coarser(_Ours):
    """What goes out less exactly than it came in."""

    place: Literal["area"] | None = None
    """`area`: in the place's stead its area, as `area:<area>`."""
    times: Literal["day", "month"] | None = None
    """All times that go out are those of the beginning of the day, or month, in UTC."""


class Basis(_Ours):
    """What a formal agreement rests on."""

    law: Sentence
    document: str = Field(min_length=1, max_length=500)
    """Where the signed document lies."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    redisclosure: Sentence
    """Whom the receiver may pass it on to."""


class Delivery(_Ours):
    """How it reaches the receiver."""

    ways: tuple[Literal["http", "kafka", "webhook", "batch"], ...] = ("http",)
    webhook: str = ""
    """The receiver's address, https://…, where `webhook` is one of the ways."""


class Agreement(_Ours):
    """One agreement's file."""

    id: Id
    kind: Literal["handshake", "agreement"]
    providers: tuple[Id, ...] = Field(min_length=1)
    receiver: Id
    stewards: dict[Id, str]
    """The person who answers for it, by party: each provider and the receiver."""
    purpose: Sentence
    gives: Literal["events", "timelines"]
    contracts: tuple[Covered, ...] = Field(min_length=1)
    envelope: tuple[EnvelopeField, ...] = ()
    identifiers: Literal["pseudonyms", "records"] = "pseudonyms"
    """Whether the receiver sees records' own numbers or names that hold under this agreement only."""
    coarser: Coarser = Coarser()
    filter: str = ""
    """Which events: an expression over the envelope's fields and `payload.<field>`; empty: all."""
    jurisdictions: tuple[Id, ...] = Field(min_length=1)
    """Whose territory's events; what lies within one is of it."""
    since: dt.date | None = None
    """The first day (UTC) whose sayings go out, by `known_at`; None: from the first day of the agreement."""
    start: dt.date | None = None
    end: dt.date | None = None
    """The first day, and the first day on which it no longer holds, UTC; a handshake has neither."""
    fresh_minutes: float | None = Field(None, gt=0, le=527_040)
    """How late, at most, an event reaches the feed after it was accepted."""
    quiet_days: float = Field(30, gt=0, le=3_660)
    """After so many days without a match somebody is told."""
    delivery: Delivery = Delivery()
    basis: Basis | None = None
    delete_within_days: int | None = Field(None, ge=0, le=3_660)
    """By when the receiver deletes what it got, after the end; None: the agreement doesn't ask it."""

    @model_validator(mode="after")
    def _whole(self) -> Agreement:
        if set(self.stewards) != set(self.parties) or not all(self.stewards.values()):
            raise ValueError(f"stewards must name a person for each of {', '.join(self.parties)}")
        if self.receiver in self.providers:
            raise ValueError("the receiver can't be a provider")
        if ("webhook" in self.delivery.ways) != bool(self.delivery.webhook):
            raise ValueError("delivery: the way webhook and its address belong together")
        if len({one.contract for one in self.contracts}) < len(self.contracts):
            raise ValueError("a contract stands twice")
        return self

    @model_validator(mode="after")
    def _weight(self) -> Agreement:
        """Days and basis, as a handshake or an agreement has them."""
        if self.kind == "handshake":
            if self.start or self.end or self.basis:
                raise ValueError(f"a handshake holds {HANDSHAKE_DAYS} days from its acceptance and has no basis:"
                                 " take start, end and basis out, or make it an agreement")  # fmt: skip
        elif not (self.start and self.end and self.basis):
            raise ValueError("an agreement needs start, end and basis")
        elif self.end <= self.start:
            raise ValueError(f"it would hold on no day: it ends {self.end} and starts {self.start}")
        for day in filter(None, (self.since, self.start, self.end)):
            if not FIRST <= day < LAST:
                raise ValueError(f"{day} lies outside the years 1970 to 2199")
        return self

    @property
    def parties(self) -> tuple[str, ...]:
        """Everyone who must accept it: the providers and the receiver."""
        return (*self.providers, self.receiver)

    @cached_property
    def terms(self) -> str:
        """SHA-256 of `text`, 64 hex digits: what is accepted is these terms and no others."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, of which the terms are found anew: pydantic copies what was remembered, too."""
        made = super().model_copy(update=update, deep=deep)
        made.__dict__.pop("terms", None)
        return made

    @property
    def text(self) -> str:
        """All that it says, as JSON with its keys in order; what is as usual is left out.

        So a later Crosstown, which knows more that may be said, has the same terms of the same file: what
        was accepted stays accepted. What is usual must never change.
        """
        said: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(said, sort_keys=True)

    @property
    def reach(self) -> str:
        """What of its terms decides which events go out, and how exact: 32 hex digits, one word for it.

        What was said under another reach doesn't go out again; all that is covered is said anew. Not in
        it: the fields' names, since messages are read in today's form; purpose, stewards, days, ways.
        """
        said: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True, include={
            "receiver", "gives", "identifiers", "coarser", "filter", "since",
        })  # fmt: skip
        said["contracts"] = sorted(one.contract for one in self.contracts)
        said["providers"], said["jurisdictions"] = (
            sorted(self.providers),
            sorted(self.jurisdictions),
        )
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def topic(self) -> str:
        """The topic of its feed."""
        return f"feed.{self.id}"
