"""The catalogue's pages: each file's name and text, the same bytes for the same contents.

Whatever a contract says is escaped by the templates; control characters and what turns the
direction of writing come out as U+FFFD; only links that are no script become links.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crosstown.agencies import Agency, Jurisdiction
from crosstown.catalogue import asyncapi, topics, words
from crosstown.catalogue.access import access
from crosstown.catalogue.contents import Contents, Listed
from crosstown.catalogue.differences import Difference, differences
from crosstown.compatibility import Break, breaks_any
from crosstown.contract import ANY, Contract
from crosstown.formats import ACCEPTED
from crosstown.mapping import EnvelopeMap, Expression, TimeField
from crosstown.resolution import whole

ASSETS: Final = ("catalogue.css", "catalogue.js")
ASYNCAPI: Final = "asyncapi.json"
_LINKS: Final = ("https://", "http://", "mailto:", "tel:")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
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
    """One way in which an envelope's field comes about."""

    name: str
    about: str
    how: Expression | TimeField | None


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


def pages(contents: Contents) -> dict[str, str]:
    """Every file of the site by its path from the site's folder, with `/`."""
    env = _environment(contents)
    made = {
        f"{name}.html": env.get_template(f"{name}.html").render(root="", page=name)
        for name in ("index", "jurisdictions", "concerns", "codelists", "topics")
    }
    for agency in contents.agencies:
        made[f"agencies/{agency.id}.html"] = env.get_template("agency.html").render(
            root="../", page="agency", agency=agency
        )
    for one in contents.contracts.values():
        made[f"contracts/{file_name(one)}"] = env.get_template("contract.html").render(
            root="../", page="contract", one=one
        )
    assets = {n: files(__package__).joinpath(n).read_text("utf-8") for n in ASSETS}
    return {**made, **assets, ASYNCAPI: asyncapi.text(contents)}


def file_name(one: Listed) -> str:
    """A contract's page within `contracts/`; owners and names hold no dots."""
    return f"{one.newest.owner}.{one.newest.name}.html"


def _environment(contents: Contents) -> Environment:
    env = Environment(
        loader=PackageLoader("crosstown.catalogue"), autoescape=True, undefined=StrictUndefined,
        finalize=_seen, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    env.globals |= {
        "contents": contents, "ANY": ANY, "SENSITIVITY": words.SENSITIVITY, "MODE": words.MODE,
        "ROLE": words.ROLE, "access": access, "file_name": file_name, "rows": rows, "made": made_of,
        "steps": steps, "contacts": contacts, "promise": words.promise, "said": words.said,
        "concerns_of": words.concerns_of, "tree": lambda: list(_tree(contents, "")),
        "own_topics": topics.own_topics(), "RECORD_KEY": topics.RECORD_KEY, "time": moment,
        "users": lambda concern: _users(contents, concern), "hubs": lambda a: hubs(contents, a),
        "own_rows": lambda topic: _schema_rows(topic.schema), "ASYNCAPI": ASYNCAPI,
        "days": lambda n: f"{n:g} day{'s' * (n != 1)}", "findable": findable,
        "asked_of": lambda a: list(dict.fromkeys(
            ask for one in contents.of(a.id) for ask in contacts(one.newest))),
    }  # fmt: skip
    return env


def _seen(value: Any) -> Any:
    """Text as a page may hold it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNSEEN.sub("\ufffd", value)


def rows(contract: Contract) -> list[Row]:
    """A contract's fields, as the schema has them and the contract describes them."""
    described = {one.name: one for part in contract.file.schema_ for one in part.properties}
    out = []
    for row in _schema_rows(contract.schema):
        one = described.get(row.name)
        required = (one.model_extra or {}).get("required") if one else None
        out.append(Row(
            row.name, row.type, row.avro, required if isinstance(required, bool) else row.required,
            row.default, one.classification if one else "", words.said(one, "description") or row.about,
        ))  # fmt: skip
    return out


def _schema_rows(schema: Any) -> list[Row]:
    place = whole(schema)
    out = []
    for field in schema["fields"]:
        inner = place.inner(field["type"])
        default = repr_default(field["default"]) if "default" in field else ""
        out.append(Row(field["name"], words.type_words(inner), words.avro_words(inner),
                       "default" not in field, default, "", str(field.get("doc") or "")))  # fmt: skip
    return out


def repr_default(value: Any) -> str:
    """What stands for a field that isn't said, for people."""
    match value:
        case None | "" | [] | {}:
            return "empty"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def made_of(contract: Contract) -> list[Made]:
    """How each field of the envelope comes about; two for a field with two sources."""
    ours = contract.file.crosstown.envelope
    out = []
    for name in EnvelopeMap.model_fields:
        value = getattr(ours, name)
        for how in value if isinstance(value, tuple) else (value,):
            out.append(Made(name, _ABOUT[name], how))
    return out


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


def hubs(contents: Contents, agency: Agency) -> list[Listed]:
    """Others' contracts under which an agency may be spoken for."""
    return [
        one for one in contents.contracts.values()
        if one.newest.for_others and one.owner and one.owner.id != agency.id
        and one.owner.jurisdiction in contents.agencies.chain(agency.jurisdiction)
    ]  # fmt: skip


def findable(one: Listed) -> str:
    """What the index finds a contract by."""
    contract, owner = one.newest, one.owner
    chain = contract.agencies.chain(owner.jurisdiction) if owner else ()
    places = [f"{j} {contract.agencies.jurisdictions[j].name}" for j in chain]
    parts = [
        contract.id, contract.file.name, contract.file.description.purpose,
        f"{owner.name} {owner.kind}" if owner else "everyone", *places,
        *(f"{row.name} {row.sensitivity}" for row in rows(contract)),
        *(words.concerns_of(contract) or ()),
    ]  # fmt: skip
    return " ".join(" ".join(parts).casefold().split())


def moment(micros: int | None) -> str:
    """A time for people; empty where there is none."""
    if micros is None:
        return ""
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _tree(contents: Contents, within: str, depth: int = 0) -> Iterator[tuple[int, Jurisdiction, list[Agency]]]:
    """Jurisdictions from the outside in, each with its depth and its agencies."""
    for one in contents.agencies.jurisdictions.values():
        if one.within == within:
            there = [a for a in contents.agencies if a.jurisdiction == one.id]
            yield depth, one, sorted(there, key=lambda a: a.id)
            yield from _tree(contents, one.id, depth + 1)


def _users(contents: Contents, concern: str) -> list[Listed]:
    return [
        one for one in contents.contracts.values()
        if concern in (words.concerns_of(one.newest) or ())
    ]  # fmt: skip
