"""What an agreement says, in words that a steward reads before accepting, and as fields for programs."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from crosstown.agreements.agreement import HANDSHAKE_DAYS, Agreement
from crosstown.agreements.rules import Ground
from crosstown.agreements.sensitivity import CLASSES, Sensitive, of_envelope, of_payload

_NAMES: Final = {
    "pseudonyms": "records, cases and events under names that hold in this agreement only",
    "records": "records under their own numbers; cases and events under names of this agreement",
}
_COARSE: Final = {"area": "places as their area only", "day": "times as the day only",
                  "month": "times as the month only"}  # fmt: skip
_WAYS: Final = {
    "http": "over HTTPS",
    "kafka": "on Kafka",
    "webhook": "by a webhook",
    "batch": "as files",
}


class Given(NamedTuple):
    """A field that goes out: of which contract (empty: of the envelope, under all), how sensitive."""

    contract: str
    field: str
    sensitivity: str


def given(agreement: Agreement, ground: Ground) -> list[Given]:
    """Every field that goes out, the envelope's first, each as sensitive as its most sensitive contract."""
    contracts = [ground.contracts[one.contract] for one in agreement.contracts]

    def worst(said: list[Sensitive]) -> str:
        return max((one.sensitivity for one in said), key=CLASSES.index)

    coarse = {"place": "area"} if agreement.coarser.place else {}
    return [
        *(Given("", name, worst([of_envelope(one, coarse.get(name, name)) for one in contracts]))
          for name in agreement.envelope),
        *(Given(covered.contract, name, of_payload(one, name).sensitivity)
          for covered, one in zip(agreement.contracts, contracts, strict=True)
          for name in covered.payload),
    ]  # fmt: skip


def sentences(agreement: Agreement, ground: Ground) -> list[tuple[str, str]]:
    """What it says, as (about, words), in the order in which one would ask."""
    a = agreement
    fields = given(a, ground)
    envelope = [_named(one) for one in fields if not one.contract]
    body = {
        one.contract: [_named(f) for f in fields if f.contract == one.contract]
        for one in a.contracts
    }
    said = [
        ("who gives", ", ".join(_called(one, ground) for one in a.providers)),
        ("who gets", _called(a.receiver, ground)),
        ("what for", a.purpose),
        ("what", "case timelines, of the covered events only" if a.gives == "timelines" else "events"),
        ("of each", ", ".join(envelope) or "nothing of the envelope"),
        *(("of " + name, ", ".join(names) or "nothing of the body") for name, names in body.items()),
        ("names", _NAMES[a.identifiers]),
    ]  # fmt: skip
    coarse = [_COARSE[one] for one in (a.coarser.place, a.coarser.times) if one]
    optional = [
        ("coarser", "; ".join(coarse)),
        ("only where", a.filter),
        ("whose", ", ".join(_territory(one, ground) for one in a.jurisdictions)),
        ("since", f"what was said from {a.since} on" if a.since else "what is said from its first day on"),
        ("when", f"{a.start} until the day before {a.end}" if a.end else
         f"{HANDSHAKE_DAYS} days from the last party's acceptance; then all accept again, or it ends"),
        ("how", ", ".join(_WAYS[one] for one in a.delivery.ways)),
        ("how late", f"at most {a.fresh_minutes:g} minutes after it was accepted" if a.fresh_minutes else ""),
        ("by what law", a.basis.law if a.basis else ""),
        ("document", f"{a.basis.document}, SHA-256 {a.basis.sha256}" if a.basis else ""),
        ("passing on", a.basis.redisclosure if a.basis else ""),
        ("afterwards", f"what was received is deleted within {a.delete_within_days} days of the end"
         if a.delete_within_days is not None else ""),
    ]  # fmt: skip
    return [*said, *((about, words) for about, words in optional if words)]


def as_fields(agreement: Agreement, ground: Ground) -> dict[str, Any]:
    """The same for programs: the file's own words, with each field's sensitivity."""
    said = agreement.model_dump(mode="json", exclude={"envelope", "contracts", "id"})
    return said | {
        "agreement": agreement.id, "terms": agreement.terms, "topic": agreement.topic,
        "contracts": [one.contract for one in agreement.contracts],
        "fields": [one._asdict() for one in given(agreement, ground)],
    }  # fmt: skip


def _named(one: Given) -> str:
    return one.field if one.sensitivity == "public" else f"{one.field} ({one.sensitivity})"


def _called(agency: str, ground: Ground) -> str:
    found = ground.agencies.get(agency)
    return f"{found.name} ({agency})" if found else agency


def _territory(jurisdiction: str, ground: Ground) -> str:
    found = ground.agencies.jurisdictions.get(jurisdiction)
    return f"{found.name} ({jurisdiction})" if found else jurisdiction
