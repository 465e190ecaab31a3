"""The figures of reciprocity, one balance an agency. Pure; each figure is defined in docs/measures.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crosstown.agreements.requests import Request
from crosstown.reciprocity.shares import Share


class Enriched(NamedTuple):
    """One case that `by_agency` added something to while the record `for_agency` reported was open."""

    case_id: str
    for_agency: str
    by_agency: str


class Term(NamedTuple):
    """One agreement in force, and since when, microseconds UTC."""

    agreement: str
    providers: tuple[str, ...]
    receiver: str
    begins: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How many, the median and the 90th percentile in whole seconds, both by nearest rank; None: none."""

    n: int = 0
    median_seconds: int | None = None
    p90_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """What an agency gives, or gets, under agreements in force."""

    agreements: int = 0
    partners: int = 0
    """Receivers of what it gives; providers of what it gets."""
    events: int = 0
    records: int = 0
    untold: int = 0
    """Covered, and not told (yet)."""
    after: Spread = Spread()
    """Giving: from happening to being said. Getting: from being said to being told."""
    enriched: int = 0
    """Giving: cases of others that it enriched. Getting: cases of its own that others did."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of requests."""

    open: int = 0
    accepted: int = 0
    declined: int = 0
    lapsed: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """One agency's: what it gives and gets, what it asked for and was asked for."""

    agency: str
    gives: Side = field(default_factory=Side)
    gets: Side = field(default_factory=Side)
    asked_for: Asked = Asked()
    was_asked: Asked = Asked()

    @property
    def empty(self) -> bool:
        """Whether nothing at all is to be said of it."""
        return self == Balance(self.agency)


def balances(
    agencies: Iterable[str], terms: Sequence[Term], shares: Sequence[Share],
    enriched: Sequence[Enriched], requests: Sequence[Request],
) -> Iterator[Balance]:  # fmt: skip
    """A balance for each of these agencies and for every other that has any part in it, sorted."""
    named = {
        *agencies, *(name for one in terms for name in (*one.providers, one.receiver)),
        *(one.provider for one in shares), *(one.receiver for one in shares),
        *(one.by_agency for one in enriched), *(one.for_agency for one in enriched),
        *(one.party for one in requests), *(one.of for one in requests if one.of),
    }  # fmt: skip
    begins = {one.agreement: one.begins for one in terms}
    for agency in sorted(named):
        yield Balance(
            agency,
            _side(
                [one for one in shares if one.provider == agency],
                {one.agreement for one in terms if agency in one.providers},
                {one.receiver for one in terms if agency in one.providers},
                _said_after, len({one.case_id for one in enriched if one.by_agency == agency}),
            ),
            _side(
                [one for one in shares if one.receiver == agency],
                {one.agreement for one in terms if one.receiver == agency},
                {name for one in terms if one.receiver == agency for name in one.providers},
                lambda of: _told_after(of, begins),
                len({one.case_id for one in enriched if one.for_agency == agency}),
            ),
            _asked(one for one in requests if one.party == agency),
            _asked(one for one in requests if one.of == agency),
        )  # fmt: skip


def _side(
    shares: Sequence[Share], agreements: set[str], partners: set[str], after: Any, enriched: int
) -> Side:
    told = [one for one in shares if one.told_at is not None]
    return Side(
        len(agreements), len(partners), len({one.event_id for one in told}),
        len({one.record for one in told}), len(shares) - len(told), after(told), enriched,
    )  # fmt: skip


def _said_after(told: Sequence[Share]) -> Spread:
    """Each event once, however many receive it; one that was announced beforehand isn't late."""
    each = {one.event_id: one.said_at - one.occurred_at for one in told}
    return spread(took for took in each.values() if took >= 0)


def _told_after(told: Sequence[Share], begins: dict[str, int]) -> Spread:
    """Events of feeds of events that were said while the agreement held: what is older was caught up."""
    return spread(
        one.told_at - one.said_at
        for one in told
        if one.gives == "events" and one.told_at is not None
        and begins[one.agreement] <= one.said_at <= one.told_at
    )  # fmt: skip


def spread(micros: Iterable[int]) -> Spread:
    """Of times in microseconds."""
    found = sorted(micros)
    n = len(found)
    if not n:
        return Spread()
    return Spread(n, found[-(-n // 2) - 1] // 1_000_000, found[-(-n * 9 // 10) - 1] // 1_000_000)


def _asked(requests: Iterable[Request]) -> Asked:
    answers = [one.answer for one in requests]
    return Asked(*(answers.count(what) for what in ("open", "accepted", "declined", "lapsed")))
