"""What changes between two terms of an agreement: who gains or loses what. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final, Literal, NamedTuple

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Word

Verb = Literal["gains", "loses", "changes"]


class Change(NamedTuple):
    """One difference, for `who`: a field, contract, jurisdiction or way more or less, or another value."""

    who: str
    verb: Verb
    what: str
    before: str = ""
    after: str = ""


_PLAIN: Final = ("purpose", "gives", "identifiers", "filter", "since", "start", "end", "kind",
                 "fresh_minutes", "quiet_days", "delete_within_days")  # fmt: skip


def differences(before: Agreement, after: Agreement) -> list[Change]:
    """All that differs, what goes out first."""
    found: list[Change] = []
    if before.receiver != after.receiver:
        found += [Change(before.receiver, "loses", "all of it"),
                  Change(after.receiver, "gains", "all that follows")]  # fmt: skip
    who = after.receiver
    found += _more_or_less(who, "the provider {}", before.providers, after.providers)
    found += _more_or_less(who, "{} of the envelope", before.envelope, after.envelope)
    old = {one.contract: one.payload for one in before.contracts}
    new = {one.contract: one.payload for one in after.contracts}
    found += _more_or_less(who, "the contract {}", old, new)
    for contract in sorted({*old, *new}):
        name = "{} of " + contract
        found += _more_or_less(who, name, old.get(contract, ()), new.get(contract, ()))
    found += _more_or_less(who, "what is of {}", before.jurisdictions, after.jurisdictions)
    found += _more_or_less(who, "the way {}", before.delivery.ways, after.delivery.ways)
    found += _others(before, after)
    return found


def _more_or_less(
    who: str, what: str, before: Collection[str], after: Collection[str]
) -> Iterator[Change]:
    for one in after:
        if one not in before:
            yield Change(who, "gains", what.format(one))
    for one in before:
        if one not in after:
            yield Change(who, "loses", what.format(one))


def _others(before: Agreement, after: Agreement) -> Iterator[Change]:
    for name in _PLAIN:
        yield from _change(after.receiver, name, getattr(before, name), getattr(after, name))
    for name in ("place", "times"):
        old, new = getattr(before.coarser, name), getattr(after.coarser, name)
        yield from _change(after.receiver, f"coarser {name}", old, new)
    yield from _change(after.receiver, "webhook", before.delivery.webhook, after.delivery.webhook)
    for party in after.parties:
        yield from _change(party, "steward", before.stewards.get(party), after.stewards[party])
    for name in ("law", "document", "sha256", "redisclosure"):
        old, new = getattr(before.basis, name, None), getattr(after.basis, name, None)
        yield from _change(after.receiver, f"basis: {name}", old, new)


def _change(who: str, what: str, before: Any, after: Any) -> Iterator[Change]:
    if before != after:
        yield Change(who, "changes", what, _shown(before), _shown(after))


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def accepted_before(agreement: Agreement, words: Collection[Word]) -> Agreement | None:
    """The terms that a party accepted last and that aren't the present ones; None: there are none.

    Words hold the terms that they accept; those of a form that this version can't read are passed over.
    """
    for word in sorted(words, key=lambda w: (w.said_at, w.key), reverse=True):
        ours = word.agreement == agreement.id and word.word == "accepted"
        if ours and word.text and word.terms != agreement.terms:
            try:
                return Agreement.model_validate(json.loads(word.text))
            except ValueError:
                continue
    return None
