"""Who may do what at the broker: what contracts give an agency, as Kafka's own access rules.

An agency writes and reads its own topics, one a contract, under groups and transactions of its own,
and reads the feeds that agreements in force give it over Kafka; nothing else is allowed, and what isn't allowed the broker itself refuses. Source: docs/decisions/0022.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from crosstown.agreements.agreement import Agreement
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.repository import Repository

Kind = Literal["topic", "group", "transactional-id"]
FEED: Final = "feed."
"""How the names of feeds' topics begin."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One access rule: `user` may do `operation` on what is named so, or begins so."""

    user: str
    kind: str
    name: str
    operation: str
    prefixed: bool = False
    permission: str = "ALLOW"
    host: str = "*"

    def __str__(self) -> str:
        what = f"{self.kind} {self.name}{'*' * self.prefixed}"
        host = "" if self.host == "*" else f" from {self.host}"
        verb = "may" if self.permission == "ALLOW" else "may not"
        return f"{self.user} {verb} {self.operation} {what}{host}"


def contracts_of(repository: Repository, agency: str) -> list[Contract]:
    """Under which contracts an agency may publish: its own, and those that are there for all."""
    own = {c.name: c for c in repository.contracts.values() if c.owner == agency}
    shared = {c.name: c for c in repository.contracts.values() if c.owner == ANY}
    return sorted((shared | own).values(), key=lambda one: one.id)


def grants(repository: Repository, agency: str) -> frozenset[Grant]:
    """All that an agency may do; groups and transactions begin with its id and a dot."""
    topics = [one.topic(agency) for one in contracts_of(repository, agency)]
    return frozenset(
        [Grant(agency, "topic", topic, verb) for topic in topics for verb in ("READ", "WRITE")]
        + [
            Grant(agency, "group", f"{agency}.", "READ", prefixed=True),
            Grant(agency, "transactional-id", f"{agency}.", "WRITE", prefixed=True),
        ]
    )


def feed_grants(holding: Iterable[Agreement], agency: str) -> frozenset[Grant]:
    """Which feeds an agency may read at the broker, by the agreements that hold."""
    return frozenset(
        Grant(agency, "topic", one.topic, "READ")
        for one in holding if one.receiver == agency and "kafka" in one.delivery.ways
    )  # fmt: skip
