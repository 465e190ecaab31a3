"""The balances of all agencies now: shares, the casebook's enriched cases and the parties' requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from crosstown.agreements.requests import requests
from crosstown.casebook.lookup import Lookup
from crosstown.casebook.store import Store
from crosstown.contracts.repository import Repository
from crosstown.home import Endpoints
from crosstown.reciprocity.balance import Balance, Enriched, Term, balances
from crosstown.reciprocity.shares import TIMEOUT, Share, shared
from crosstown.settings import Settings


class Report(NamedTuple):
    """All balances at a moment (microseconds UTC), and the shares behind them."""

    now: int
    balances: list[Balance]
    shares: list[Share]


def report(
    settings: Settings, where: Endpoints, now: int, patience: float = TIMEOUT
) -> Report:  # fmt: skip
    """Raises `Unavailable` where Kafka, the registry or the casebook doesn't answer."""
    repository = Repository.of(settings)
    with closing(Lookup(settings)) as lookup:
        enriched = list(_enriched(lookup.store))
    found = shared(settings, where, repository, now, patience)
    terms = [
        Term(one.id, one.providers, one.receiver, stand.begins)
        for one, stand in found.agreements.values()
        if stand.holds
    ]
    each = balances(repository.agencies.ids, terms, found.shares, enriched,
                    requests(found.words, now))  # fmt: skip
    return Report(now, list(each), list(found.shares))


def _enriched(db: Store) -> Iterator[Enriched]:
    for row in db.rows("select case_id, for_agency, by_agency from raw_enrichments"):
        yield Enriched(row["case_id"], row["for_agency"], row["by_agency"])
