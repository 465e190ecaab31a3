"""Who publishes and receives, and whose territory a case is: `agencies.yaml`.

Jurisdictions form a tree; a time zone that one doesn't name is that of the one it lies within.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ID = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"
"""What an agency's or jurisdiction's id looks like."""
Id = Annotated[str, Field(pattern=ID, max_length=64)]

Role = Literal["link", "erase"]


class _Ours(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Jurisdiction(_Ours):
    """A territory; `within` is the one that it lies in."""

    id: Id
    name: str
    within: str = ""
    timezone: str = ""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value and value not in zoneinfo.available_timezones():
            raise ValueError(f"{value} is not a time zone; say e.g. America/New_York")
        return value


class Agency(_Ours):
    """Who publishes or receives; `names` are further spellings under which a source may know it."""

    id: Id
    name: str
    jurisdiction: str
    kind: Literal["department", "authority", "county", "state", "non-profit", "volunteers"]
    names: tuple[str, ...] = ()
    contact: str = Field("", max_length=200)
    """Whom to ask about what it publishes under everyone's contracts, which can't name it."""
    roles: tuple[Role, ...] | None = None
    publish_mb_per_s: float | None = Field(None, gt=0)
    """How much it may publish a second over its own account, in megabytes; unset: no limit."""

    def may(self, role: Role) -> bool:
        """Whether it has a role: as `roles` says, else `link` for all governments and authorities.

        `link`: its staff may say which records are one case. `erase`: it may have other agencies'
        records erased or held; its own it always may.
        """
        if self.roles is None:
            return role == "link" and self.kind not in ("non-profit", "volunteers")
        return role in self.roles


class AgenciesFile(_Ours):
    """`agencies.yaml`."""

    jurisdictions: tuple[Jurisdiction, ...]
    agencies: tuple[Agency, ...]

    @model_validator(mode="after")
    def _whole(self) -> AgenciesFile:
        within = {j.id: j.within for j in self.jurisdictions}
        _once("jurisdiction", (j.id for j in self.jurisdictions))
        _once("agency", (a.id for a in self.agencies))
        for start, around in within.items():
            seen, at = {start}, around
            while at:
                if at not in within:
                    raise ValueError(f"jurisdiction {start} lies within {at}, which isn't declared")
                if at in seen:
                    raise ValueError(f"jurisdiction {start} lies within itself")
                seen.add(at)
                at = within[at]
        for agency in self.agencies:
            if agency.id == "any":
                raise ValueError("`any` can't be an agency: its folder holds everyone's contracts")
            if agency.jurisdiction not in within:
                raise ValueError(
                    f"agency {agency.id}: jurisdiction {agency.jurisdiction} isn't declared"
                )
        return self


def _once(kind: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"{kind} {one} is declared twice")
        seen.add(one)


class Agencies:
    """The declared agencies, and the tree of jurisdictions."""

    def __init__(self, file: AgenciesFile) -> None:
        self.jurisdictions = {j.id: j for j in file.jurisdictions}
        self.ids = {a.id: a for a in file.agencies}
        self._names: dict[str, list[Agency]] = {}
        for agency in file.agencies:
            for name in {_spelling(one) for one in (agency.id, agency.name, *agency.names)}:
                self._names.setdefault(name, []).append(agency)

    def __iter__(self) -> Iterator[Agency]:
        return iter(self.ids.values())

    def get(self, agency: str) -> Agency | None:
        """The agency of this id; None where it isn't declared."""
        return self.ids.get(agency)

    def declared(self, agency: str) -> bool:
        """Whether an agency of this id is declared."""
        return agency in self.ids

    def by_name(self, name: str, jurisdiction: str = "") -> Agency | None:
        """The agency that a source calls so (id, name or another spelling; case doesn't matter).

        With a jurisdiction only one that lies in it, or that it lies in: two cities may each have
        a "Public Works". None where no one, or more than one, is meant.
        """
        found = self._names.get(_spelling(name), [])
        if jurisdiction:
            found = [one for one in found if self._near(one.jurisdiction, jurisdiction)]
        return found[0] if len(found) == 1 else None

    def _near(self, one: str, other: str) -> bool:
        return one in self.chain(other) or other in self.chain(one)

    def chain(self, jurisdiction: str) -> tuple[str, ...]:
        """A jurisdiction and those that it lies within, from the inside out."""
        out: list[str] = []
        while jurisdiction in self.jurisdictions:
            out.append(jurisdiction)
            jurisdiction = self.jurisdictions[jurisdiction].within
        return tuple(out)

    def timezone(self, jurisdiction: str) -> str:
        """The time zone's name in which a jurisdiction's people read times; UTC where none says."""
        zones = (self.jurisdictions[one].timezone for one in self.chain(jurisdiction))
        return next(filter(None, zones), "UTC")


def _spelling(name: str) -> str:
    return " ".join(name.split()).casefold()
