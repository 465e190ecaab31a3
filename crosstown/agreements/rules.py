"""Whether an agreement holds against the contracts: every rule that its file must keep.

Pure; `problems` gives all that is wrong, each with where in the file. Source of the rules:
docs/decisions/0023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, Protocol

from crosstown.agreements.agreement import Agreement, Covered, EnvelopeField
from crosstown.agreements.contradictions import never, strangers
from crosstown.agreements.expression import PAYLOAD
from crosstown.agreements.row_filter import RowFilter, compiled
from crosstown.agreements.sensitivity import Sensitive, of_envelope, of_payload, sources
from crosstown.agreements.vocabulary import Kind, kinds_of
from crosstown.contracts.agencies import Agencies
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.mapping import kinds
from crosstown.errors import Refused

RULES: Final = {
    "party": "Providers and receiver are declared agencies.",
    "covers": "What is covered is a contract of one of the providers, and each provider gives something.",
    "field": "A field that goes out is one of its contract's.",
    "territory": "Its jurisdictions are declared, and each covered contract can have events of one.",
    "basis": "What isn't public goes out, or is asked by a filter, only under a formal agreement.",
    "coarser": "What goes out less exactly goes out, and nowhere exactly.",
    "filter": "A filter is one that can be asked of the events.",
    "code": "A text in a filter is one that the field can have.",
    "never": "A filter can be true, each part of it.",
}
"""Each rule in a sentence; the file's own form, its dates and its document are looked at elsewhere."""
_TIMES: Final[tuple[EnvelopeField, ...]] = ("occurred_at", "due_at", "known_at")
_NOT_FOR_FEEDS: Final = f"{ANY}/erasures"


class Problem(NamedTuple):
    """One thing that is wrong: where in the file, by which of the `RULES`, what, how to mend it."""

    at: tuple[str | int, ...]
    rule: str
    what: str
    mend: str


class Ground(Protocol):
    """What an agreement is held against; a contract repository is one."""

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """By id, in their highest version."""

    @property
    def agencies(self) -> Agencies:
        """Who is declared."""

    @property
    def concerns(self) -> Mapping[str, Any]:
        """By id."""


def problems(agreement: Agreement, ground: Ground) -> list[Problem]:
    """All that is wrong with an agreement, in the order of the rules."""
    found = [*_parties(agreement, ground), *_covers(agreement, ground)]
    if any(one.rule == "covers" for one in found):
        return found
    rules: tuple[Callable[[Agreement, Ground], Iterator[Problem]], ...] = (
        _fields, _territory, _basis, _coarser, _filter,
    )  # fmt: skip
    for rule in rules:
        found += rule(agreement, ground)
    return found


def filter_of(agreement: Agreement, ground: Ground) -> RowFilter:
    """An agreement's filter over all that it covers; raises `Refused` (bad-filter)."""
    return compiled(agreement.filter, _kinds(agreement, ground))


def _kinds(agreement: Agreement, ground: Ground) -> dict[str, Kind]:
    agencies = ground.agencies.ids
    return kinds_of(
        [contract for _, _, contract in _covered(agreement, ground)],
        {"jurisdiction": ground.agencies.jurisdictions, "agency": agencies, "to_agency": agencies,
         "concern": ground.concerns},
    )  # fmt: skip


def _parties(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    named = [(("providers", n), one) for n, one in enumerate(agreement.providers)]
    for at, agency in [*named, (("receiver",), agreement.receiver)]:
        if not ground.agencies.declared(agency):
            yield Problem(at, "party", f"no agency {agency} is declared",
                          _near(agency, ground.agencies.ids, "add it to agencies.yaml"))  # fmt: skip


def _covers(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    for n, one in enumerate(agreement.contracts):
        at = ("contracts", n, "contract")
        contract = ground.contracts.get(one.contract)
        if contract is None:
            yield Problem(at, "covers", f"there is no contract {one.contract}",
                          _near(one.contract, ground.contracts, "name one that is there"))  # fmt: skip
        elif one.contract == _NOT_FOR_FEEDS:
            yield Problem(at, "covers", f"{one.contract} can't be covered",
                          "an erasure is carried out at receivers by itself: take it out")  # fmt: skip
        elif contract.owner not in (ANY, *agreement.providers):
            yield Problem(at, "covers", f"{one.contract} is {contract.owner}'s, which isn't a provider",
                          "its owner gives it, or nobody: make it a provider")  # fmt: skip
    owners = {one.contract.partition("/")[0] for one in agreement.contracts}
    for n, agency in enumerate(agreement.providers):
        if ANY not in owners and agency not in owners:
            yield Problem(("providers", n), "covers", f"{agency} gives nothing",
                          "cover a contract of its own, or take it out")  # fmt: skip


def _covered(agreement: Agreement, ground: Ground) -> Iterator[tuple[int, Covered, Contract]]:
    for n, one in enumerate(agreement.contracts):
        yield n, one, ground.contracts[one.contract]


def _fields(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    for n, one, contract in _covered(agreement, ground):
        there = [field["name"] for field in contract.schema["fields"]]
        for m, name in enumerate(one.payload):
            if name not in there:
                yield Problem(("contracts", n, "payload", m), "field", f"{one.contract} has no field {name}",
                              _near(name, there, f"one of {', '.join(there)}"))  # fmt: skip
            elif name in one.payload[:m]:
                yield Problem(("contracts", n, "payload", m), "field", f"{name} stands twice",
                              "take one out")  # fmt: skip


def _territory(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    known = ground.agencies.jurisdictions
    for n, one in enumerate(agreement.jurisdictions):
        if one not in known:
            yield Problem(("jurisdictions", n), "territory", f"no jurisdiction {one} is declared",
                          _near(one, known, "add it to agencies.yaml"))  # fmt: skip
    for n, one_, contract in _covered(agreement, ground):
        fixed = contract.file.crosstown.envelope.jurisdiction.constant
        if fixed and not set(ground.agencies.chain(fixed)) & set(agreement.jurisdictions):
            yield Problem(("contracts", n, "contract"), "territory",
                          f"{one_.contract} has events of {fixed} only, which lies in none of the jurisdictions",
                          "name that jurisdiction, or take the contract out")  # fmt: skip


def _basis(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    if agreement.basis is not None:
        return
    for n, one, contract in _covered(agreement, ground):
        named: list[tuple[tuple[str | int, ...], str, Sensitive]] = [
            (("contracts", n, "payload", m), name, of_payload(contract, name))
            for m, name in enumerate(one.payload)
        ]
        for m, field in enumerate(agreement.envelope):
            coarse = field == "place" and agreement.coarser.place is not None
            said = of_envelope(contract, "area" if coarse else field)
            named.append((("envelope", m), field, said))
        if agreement.identifiers == "records":
            named.append((("identifiers",), "record", of_envelope(contract, "record")))
        for at, name, said in named:
            yield from _public(at, f"{one.contract}: {name}", said)


def _public(at: tuple[str | int, ...], name: str, said: Sensitive) -> Iterator[Problem]:
    if not said.public:
        of = f" (by {said.field})" if not name.endswith(f": {said.field}") else ""
        yield Problem(at, "basis", f"{name} is {said.sensitivity}{of}",
                      "take it out, or make a formal agreement with a basis")  # fmt: skip


def _coarser(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    said = agreement.coarser
    if said.place and "place" not in agreement.envelope:
        yield Problem(("coarser", "place"), "coarser", "no place goes out",
                      "name place in envelope, or take this out")  # fmt: skip
    if said.times and not _has_time(agreement, ground):
        yield Problem(("coarser", "times"), "coarser", "no time goes out",
                      "name one in envelope, or take this out")  # fmt: skip
    if said.place:
        for n, one, contract in _covered(agreement, ground):
            yield from _exact_place(agreement, n, one, contract)


def _has_time(agreement: Agreement, ground: Ground) -> bool:
    return any(name in agreement.envelope for name in _TIMES) or any(
        kinds(contract.schema)[name].logical.startswith(("timestamp", "date"))
        for _, one, contract in _covered(agreement, ground)
        for name in one.payload if name in kinds(contract.schema)
    )  # fmt: skip


def _exact_place(
    agreement: Agreement, n: int, one: Covered, contract: Contract
) -> Iterator[Problem]:
    """Where the place stands exactly all the same, or nothing is left of it."""
    exact = set(sources(contract, "place")) - set(sources(contract, "area"))
    mend = "take it out, or coarser: place"
    if exact and contract.file.crosstown.envelope.area is None:
        yield Problem(("contracts", n), "coarser", f"{one.contract} has no area: no place would go out",
                      "let its contract map the area, or take place out")  # fmt: skip
    for m, name in enumerate(one.payload):
        if name in exact:
            at: tuple[str | int, ...] = ("contracts", n, "payload", m)
            yield Problem(at, "coarser", f"{name} says the place exactly", mend)
    if "headline" in agreement.envelope and exact & set(sources(contract, "headline")):
        at = ("envelope", agreement.envelope.index("headline"))
        yield Problem(at, "coarser", f"the headline of {one.contract} says the place exactly", mend)


def _filter(agreement: Agreement, ground: Ground) -> Iterator[Problem]:
    at = ("filter",)
    try:
        asked = filter_of(agreement, ground)
        impossible = never(asked.tree) if asked.tree else []
    except Refused as error:
        yield Problem(at, "filter", error.detail, error.mend)
        return
    for one in strangers(asked.tree, _kinds(agreement, ground)) if asked.tree else ():
        known = ", ".join(sorted(filter(None, one.values)))[:300]
        yield Problem(at, "code", f"at character {one.at}: {one.field} is never {one.value!r}",
                      _near(one.value, one.values, f"one of {known}"))  # fmt: skip
    for what in impossible:
        yield Problem(at, "never", what, "say || where either is meant, or take one out")
    if agreement.basis is None:
        yield from _asked(agreement, ground, asked)


def _asked(agreement: Agreement, ground: Ground, asked: RowFilter) -> Iterator[Problem]:
    """What a filter reads is betrayed by what it lets through."""
    for name in sorted(asked.fields):
        inside = name.removeprefix(f"{PAYLOAD}.")
        for _, one, contract in _covered(agreement, ground):
            if inside == name:
                said = of_envelope(contract, name)
            elif any(field["name"] == inside for field in contract.schema["fields"]):
                said = of_payload(contract, inside)
            else:
                continue
            yield from _public(("filter",), f"the filter asks {one.contract}: {inside}", said)


def _near(name: str, there: Iterable[str], else_: str) -> str:
    near = get_close_matches(name, [one for one in there if one], 1)
    return f"did you mean {near[0]}?" if near else else_
