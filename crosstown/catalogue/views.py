"""A contract as its page shows it: fields, mapping, versions, contacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from crosstown.agreements.agreement import Agreement
from crosstown.avro.compatibility import Break, breaks_any
from crosstown.avro.resolution import whole
from crosstown.catalogue import words
from crosstown.catalogue.contents import Contents, Listed
from crosstown.catalogue.differences import Difference, differences
from crosstown.contracts.agencies import Agency
from crosstown.contracts.contract import Contract
from crosstown.contracts.mapping import EnvelopeMap, Expression, TimeField
from crosstown.formats import ACCEPTED

_LINKS: Final = ("https://", "http://", "mailto:", "tel:")
"""What a link of a contract may begin with; any other is shown as text."""
_ABOUT: Final = {field["name"]: field["doc"] for field in ACCEPTED["fields"]}


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a body, in words."""

    name: str
    type: str
    avro: str
    required: bool
    default: str
    sensitivity: str
    about: str


@dataclass(frozen=True, slots=True)
class Made:
    """One way in which an envelope's field comes about; `table` is its crosswalk's place on the page."""

    name: str
    about: str
    how: Expression | TimeField | None
    table: str


@dataclass(frozen=True, slots=True)
class Step:
    """One version: how it differs from the one before, and whether it may follow those before."""

    number: int
    contract: Contract | None
    before: int | None
    changes: tuple[Difference, ...] = ()
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to ask; `link` is empty where it isn't one to be followed."""

    channel: str
    text: str
    link: str
    about: str


def rows(contract: Contract) -> list[Row]:
    """A contract's fields, as the schema has them and the contract describes them."""
    described = {one.name: one for part in contract.file.schema_ for one in part.properties}
    out = []
    for row in schema_rows(contract.schema):
        one = described.get(row.name)
        said = (one.model_extra or {}).get("required") if one else None
        required = said if isinstance(said, bool) else row.required
        out.append(Row(row.name, row.type, row.avro, required, row.default,
                       one.classification if one else "",
                       words.said(one, "description") or row.about))  # fmt: skip
    return out


def sensitive(fields: list[Row]) -> list[tuple[str, int]]:
    """How many fields are of each sensitivity but public; what is no sensitivity counts as unsaid."""
    classes = [row.sensitivity if row.sensitivity in words.SENSITIVITY else "" for row in fields]
    return [(one, classes.count(one)) for one in words.SENSITIVITY
            if one != "public" and one in classes]  # fmt: skip


def schema_rows(schema: Any) -> list[Row]:
    """The fields of a schema alone."""
    place = whole(schema)
    out = []
    for field in schema["fields"]:
        inner = place.inner(field["type"])
        default = _default(field["default"]) if "default" in field else ""
        out.append(Row(field["name"], words.type_words(inner), words.avro_words(inner),
                       "default" not in field, default, "", str(field.get("doc") or "")))  # fmt: skip
    return out


def _default(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return "empty"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def made(contract: Contract) -> list[Made]:
    """How each field of the envelope comes about; two for a field with two sources."""
    ours = contract.file.crosstown.envelope
    return [
        Made(name, _ABOUT[name], how, f"table-{name}-{number}")
        for name in EnvelopeMap.model_fields
        for number, how in enumerate(_several(getattr(ours, name)), 1)
    ]


def _several(value: Any) -> tuple[Any, ...]:
    return (value or (None,)) if isinstance(value, tuple) else (value,)


def steps(one: Listed) -> list[Step]:
    """A contract's versions, newest first."""
    out: list[Step] = []
    before: list[Contract] = []
    for version in one.versions:
        new = version.contract
        if new is None or not before:
            out.append(Step(version.number, new, None))
        else:
            mode = new.file.crosstown.compatibility
            broken = breaks_any([old.schema for old in before], new.schema, mode)
            out.append(Step(version.number, new, before[-1].version,
                            tuple(differences(before[-1], new)), tuple(broken)))  # fmt: skip
        if new is not None:
            before.append(new)
    return out[::-1]


def contacts(contract: Contract) -> list[Contact]:
    """Whom to ask about a contract."""
    return [
        Contact(
            words.said(one, "channel"), one.url.removeprefix("mailto:"),
            one.url if one.url.lower().startswith(_LINKS) else "", words.said(one, "description"),
        )
        for one in contract.file.support
        if one.url or words.said(one, "channel")
    ]  # fmt: skip


def contacts_of(contents: Contents, agency: Agency) -> list[Contact]:
    """Whom to ask about what an agency publishes, each once."""
    every = (ask for one in contents.of(agency.id) for ask in contacts(one.newest))
    return list(dict.fromkeys(every))


def hubs(contents: Contents, agency: Agency) -> list[Listed]:
    """Others' contracts under which an agency may be spoken for."""
    return [
        one for one in contents.contracts.values()
        if one.newest.for_others and one.owner and one.owner.id != agency.id
        and one.owner.jurisdiction in contents.agencies.chain(agency.jurisdiction)
    ]  # fmt: skip


def users(contents: Contents, concern: str) -> list[Listed]:
    """The contracts whose events can have a concern."""
    return [
        one for one in contents.contracts.values()
        if concern in (words.concerns_of(one.newest) or ())
    ]  # fmt: skip


def given_under(agreement: Agreement, contract: str) -> str:
    """What goes out of a contract's events under an agreement: the body's fields, the envelope's."""
    (covered,) = (one for one in agreement.contracts if one.contract == contract)
    envelope = ", ".join(agreement.envelope) or "nothing"
    return f"{', '.join(covered.payload) or 'nothing'} of the body; {envelope} of the envelope"


def findable(one: Listed) -> str:
    """What the index finds a contract by."""
    contract, owner = one.newest, one.owner
    chain = contract.agencies.chain(owner.jurisdiction) if owner else ()
    parts = [
        contract.id, contract.file.name, contract.file.description.purpose,
        f"{owner.name} {owner.kind}" if owner else "everyone",
        *(f"{j} {contract.agencies.jurisdictions[j].name}" for j in chain),
        *(f"{row.name} {row.sensitivity}" for row in rows(contract)),
        *(words.concerns_of(contract) or ()),
    ]  # fmt: skip
    return " ".join(" ".join(parts).casefold().split())
