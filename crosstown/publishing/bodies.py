"""Publishing bodies that a program has at hand: the way of `crosstown publish`, without files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crosstown.avro.plain_values import converter
from crosstown.contracts.checked import Checker
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.home import Endpoints, Home
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.sending import Sending
from crosstown.settings import Settings
from crosstown.source import Said


@dataclass(frozen=True, slots=True)
class Rejected:
    """One body that wasn't sent; `index` is its place among those given, from 0."""

    index: int
    reason: str
    detail: str
    field: str = ""
    mend: str = ""


@dataclass(slots=True)
class Published:
    """What became of a call's bodies."""

    published: int = 0
    already_known: int = 0
    """This home had said so before, and Kafka had acknowledged it."""
    rejected: list[Rejected] = field(default_factory=list)

    def arrived(self, new: bool) -> None:
        """Count one event: acknowledged as new, or already known."""
        if new:
            self.published += 1
        else:
            self.already_known += 1


def publisher(contract: Contract, agency: str) -> str:
    """Who publishes under a contract: its owner; under one of `any/`, whoever is named."""
    agency = agency or contract.owner
    if agency == ANY:
        raise Stop(f"{contract.id} is for every agency; none was named", mend="say agency=...")
    try:
        contract.topic(agency)
    except Refused as error:
        raise Stop(str(error), mend=error.mend) from None
    return agency


def publish_bodies(
    settings: Settings, endpoints: Endpoints, repository: Repository, contract: Contract,
    bodies: Iterable[Mapping[str, Any]], agency: str, known_at: int | None, via: str,
) -> Published:  # fmt: skip
    """Publish bodies under one contract; a broken one is rejected and the others go on.

    Raises `Unavailable` where the cluster doesn't answer: then the same call says what is missing.
    """
    said = Published()
    now = time.time_ns() // 1000
    checker = Checker(repository, now, now, lambda: time.time_ns() // 1000)
    plain = converter(contract.schema) or dict
    try:
        with (
            Ledger(Home(settings.home).ledger) as ledger,
            Sending(settings, endpoints, ledger) as sending,
        ):
            for index, body in enumerate(bodies):
                try:
                    event = checker.check(
                        Said(contract.id, agency, plain(body), index, known_at, via)
                    )
                except Refused as error:
                    said.rejected.append(
                        Rejected(index, error.reason, error.detail, error.field, error.mend)
                    )
                else:
                    sending.send(event, said.arrived)
            sending.finish()
    except Unavailable as error:
        raise type(error)(f"{error}; {said.published:,} events were acknowledged",
                          mend=error.mend) from None  # fmt: skip
    return said
