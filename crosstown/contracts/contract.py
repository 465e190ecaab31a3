"""A contract: what one kind of event looks like, who owns it, and how it maps to the envelope.

The file is Open Data Contract Standard 3.1, of which every part that isn't ours may stand as the
standard allows; what is ours (`customProperties`, property `crosstown`) is read strictly.
Source of the rules: docs/decisions/0006.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from crosstown.completeness.counted import ASIDE, CONTRACT, COUNTED
from crosstown.contracts.agencies import ID, Agencies
from crosstown.contracts.mapping import EnvelopeMap, Mapped
from crosstown.contracts.screened import Rules, Screening
from crosstown.erasure.erasures import ANY_AGENCY, ERASED, HELD
from crosstown.errors import Refused
from crosstown.event.envelope import VIAS, Envelope, check, envelope_of
from crosstown.event.identity import event_id
from crosstown.event.sayings import APART, KINDS

ANY: Final = "any"
"""The folder of contracts that every declared agency may use."""
EARLIEST: Final = -2_208_988_800_000_000
"""1900-01-01 UTC in microseconds."""
LATEST: Final = 7_258_118_400_000_000
"""2200-01-01 UTC in microseconds."""
UNDECLARED: Final = "undeclared_agency"
_RESERVED = ("link.", "record.", ASIDE)
_RESERVED_FOR = dict.fromkeys(KINDS, "any/links") | {
    ERASED: "any/erasures", HELD: "any/erasures", COUNTED: CONTRACT,
}  # fmt: skip
_ERASURE = re.compile(r"^[^/]+/erasure/[0-9a-f]{8}\.[0-9a-f]{64}$")
_REQUIRED = ("agency", "record", "type", "jurisdiction")
_ID = re.compile(ID)
_DECLARE = "see crosstown agencies; new ones go into agencies.yaml"


class Crosstown(BaseModel):
    """The value of the custom property `crosstown`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    publishes_for: Literal["self", "others"] = "self"
    identity: tuple[str, ...] = ()
    compatibility: Literal[
        "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL",
        "FULL_TRANSITIVE",
    ] = "BACKWARD"  # fmt: skip
    envelope: EnvelopeMap
    concern_map: str = ""
    """The code list that gives the concern where the city's setting says so."""
    screening: Screening = Screening()


class _Odcs(BaseModel):
    """The standard's own parts: only what Crosstown reads is named, the rest may be there."""

    model_config = ConfigDict(extra="allow", frozen=True)


class CustomProperty(_Odcs):
    """One of the standard's `customProperties`."""

    property: str
    value: Any = None

    @field_validator("value")
    @classmethod
    def _ours(cls, value: Any, info: ValidationInfo) -> Any:
        return (
            Crosstown.model_validate(value) if info.data.get("property") == "crosstown" else value
        )


class Property(_Odcs):
    """One field of the body, as the standard describes it."""

    name: str
    classification: str = ""


class SchemaObject(_Odcs):
    """The standard's description of the body."""

    name: str
    properties: tuple[Property, ...] = ()


class Description(_Odcs):
    """What the contract is for, in plain words."""

    purpose: str = ""


class Team(_Odcs):
    """Who owns the contract."""

    name: str = ""


class Support(_Odcs):
    """One way to ask about it."""

    url: str = ""


class ServiceLevel(_Odcs):
    """One promise: how often, how late, how long it's kept."""

    property: str
    value: Any = None
    unit: str = ""


class ContractFile(_Odcs):
    """A contract's YAML file."""

    apiVersion: str = Field(pattern=r"^v3\.1\.")  # noqa: N815 - the standard's name
    kind: Literal["DataContract"]
    id: str
    name: str = ""
    version: str
    status: str
    description: Description = Description()
    team: Team | None = None
    support: tuple[Support, ...] = ()
    slaProperties: tuple[ServiceLevel, ...] = ()  # noqa: N815 - the standard's name
    schema_: tuple[SchemaObject, ...] = Field((), alias="schema")
    customProperties: tuple[CustomProperty, ...]  # noqa: N815 - the standard's name

    @field_validator("customProperties")
    @classmethod
    def _once(cls, value: tuple[CustomProperty, ...]) -> tuple[CustomProperty, ...]:
        if [one.property for one in value].count("crosstown") != 1:
            raise ValueError("one of the customProperties must be `crosstown`, and only one")
        return value

    @property
    def crosstown(self) -> Crosstown:
        """Our part."""
        found: Crosstown = next(
            one.value for one in self.customProperties if one.property == "crosstown"
        )
        return found

    def at(self, *inside: str | int) -> tuple[str | int, ...]:
        """Where in the file something of our part stands."""
        ours = [one.property for one in self.customProperties].index("crosstown")
        return ("customProperties", ours, "value", *inside)


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """One version of a contract; `owner` is its folder: an agency, or `any`.

    `schema_text` is the Avro schema as it is registered: compact JSON, nothing left out.
    """

    owner: str
    name: str
    version: int
    schema: Mapping[str, Any] = field(repr=False)
    schema_text: str = field(repr=False)
    file: ContractFile = field(repr=False)
    mapping: Callable[[Mapping[str, Any]], Mapped] = field(repr=False)
    agencies: Agencies = field(repr=False)
    for_others: bool
    rules: Rules = field(default=Rules(), repr=False)

    @property
    def id(self) -> str:
        """`<folder>/<name>` in the contract repository."""
        return f"{self.owner}/{self.name}"

    def topic(self, agency: str) -> str:
        """The topic on which an agency publishes under this contract."""
        if self.owner not in (agency, ANY):
            raise Refused("contract-of-another", f"{self.id} isn't for {agency}",
                          mend=f"publish as {self.owner}, or under a contract in any/")  # fmt: skip
        return f"events.{agency}.{self.name}"

    def subject(self, agency: str) -> str:
        """The registry's subject for that topic's values."""
        return f"{self.topic(agency)}-value"

    def envelope(
        self,
        body: Mapping[str, Any],
        agency: str,
        known_at: int | None = None,
        via: str = "",
        received_at: int | None = None,
        noticed: tuple[str, ...] = (),
    ) -> Envelope:
        """The envelope of a body on the topic of `agency`; raises `Refused` where it can't be one.

        `known_at` (microseconds UTC) and `via` are what the message's headers say; None and empty
        where they say nothing: then the body's count if the contract maps them, else `received_at`
        (the message's Kafka time stamp) and `event`. `noticed` are flags of whoever opened the body.
        """
        m = self.mapping(body)
        if not (m.record and m.agency and m.type and m.jurisdiction):
            raise _missing(next(n for n in _REQUIRED if not getattr(m, n)))
        if m.jurisdiction not in self.agencies.jurisdictions:
            raise Refused(
                "unknown-jurisdiction", f"{m.jurisdiction[:80]!r} isn't declared", mend=_DECLARE
            )
        flags = self._publisher(m, agency)
        if noticed:
            flags = tuple(dict.fromkeys((*flags, *noticed)))
        if m.type.startswith(_RESERVED):
            flags = self._reserved(m, flags)
        if known_at is None:
            known_at = m.known_at if m.known_at is not None else received_at
        at, due = m.occurred_at, m.due_at
        if at is None or known_at is None:
            raise _missing("occurred_at" if at is None else "known_at")
        _check_times(at, known_at, due)
        via = via or m.via or "event"
        if via not in VIAS:
            raise Refused("unknown-code", f"via {via[:40]!r}", mend=f"one of {', '.join(VIAS)}")
        envelope = envelope_of(
            event_id(m.record, m.type, m.identity), m.agency, m.record, m.type, m.step, at, due,
            m.jurisdiction, m.place, m.area, m.concern, m.to_agency, m.channel, m.refs,
            m.headline, flags, known_at, via,
        )  # fmt: skip
        check(envelope)
        return envelope

    def _publisher(self, m: Mapped, agency: str) -> tuple[str, ...]:
        """Whether `m.agency` may publish here; the flags, with one more where it isn't declared."""
        if m.agency in self.agencies.ids:
            if m.agency != agency and not self.for_others:
                raise Refused("agency-of-another", f"{m.agency} on the topic of {agency}",
                              mend=f"publish it on events.{m.agency}.{self.name}")  # fmt: skip
            return m.flags
        if not self.for_others or not _ID.match(m.agency):
            why = "can't be an id" if self.for_others else "isn't declared"
            raise Refused("unknown-agency", f"{m.agency[:80]!r} {why}", mend=_DECLARE)
        return m.flags if UNDECLARED in m.flags else (*m.flags, UNDECLARED)

    def _reserved(self, m: Mapped, flags: tuple[str, ...]) -> tuple[str, ...]:
        """What changes cases by word alone: only under its contract, whole, by who may; the flags."""
        if self.id != _RESERVED_FOR.get(m.type):
            raise Refused("reserved-type", f"{m.type[:80]!r} is not for {self.id}", field="type",
                          mend=f"types beginning with {' or '.join(_RESERVED)} are Crosstown's own")  # fmt: skip
        agency = self.agencies.get(m.agency)
        if m.type in KINDS:
            if agency is None or not agency.may("link"):
                raise Refused("no-role", f"{m.agency} may not say which records are one case",
                              mend="give it the role `link` in agencies.yaml")  # fmt: skip
            records = 1 if m.type == APART else 2
            if len(m.refs) != records or len(set(m.refs)) != records:
                raise Refused("bad-saying", f"{m.type} needs {records} different records",
                              mend="name them in full: agency/register/number")  # fmt: skip
        elif m.type == COUNTED:
            return flags
        elif not _ERASURE.match(m.record):
            raise Refused("bad-erasure", "its record names nothing that could be erased",
                          mend="say it with crosstown erase or crosstown hold")  # fmt: skip
        elif agency is not None and agency.may("erase"):
            return (*flags, ANY_AGENCY)
        return flags


def _check_times(at: int, known_at: int, due: int | None) -> None:
    if not (EARLIEST <= at < LATEST and EARLIEST <= known_at < LATEST
            and (due is None or EARLIEST <= due < LATEST)):  # fmt: skip
        raise Refused("time-out-of-range", "a time lies outside the years 1900 to 2199",
                      mend="times are microseconds since 1970 UTC", field=_outside(at, known_at))  # fmt: skip


def _outside(at: int, known_at: int) -> str:
    if not EARLIEST <= at < LATEST:
        return "occurred_at"
    return "due_at" if EARLIEST <= known_at < LATEST else "known_at"


def _missing(name: str) -> Refused:
    return Refused("missing-field", name, mend=f"give {name} a value", field=name)
