"""The catalogue's pages: each file's name and text, the same bytes for the same contents.

Whatever a contract says is escaped by the templates; control characters and what turns the
direction of writing come out as U+FFFD.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.plain import sentences
from crosstown.catalogue import asyncapi, topics, views, words
from crosstown.catalogue.access import access
from crosstown.catalogue.contents import Contents, Listed
from crosstown.contracts.agencies import Agency, Jurisdiction
from crosstown.contracts.contract import ANY
from crosstown.contracts.repository import Repository

ASYNCAPI: Final = "asyncapi.json"
_ASSETS: Final = ("catalogue.css", "catalogue.js")
_SINGLE: Final = ("index", "agreements", "jurisdictions", "concerns", "codelists", "topics")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def pages(contents: Contents) -> dict[str, str]:
    """Every file of the site by its path from the site's folder, with `/`."""
    env = _environment(contents)
    made = {
        f"{name}.html": env.get_template(f"{name}.html").render(root="", page=name)
        for name in _SINGLE
    }
    agency, contract = env.get_template("agency.html"), env.get_template("contract.html")
    for who in contents.agencies:
        made[f"agencies/{who.id}.html"] = agency.render(root="../", page="", agency=who)
    for one in contents.contracts.values():
        made[f"contracts/{file_name(one)}"] = contract.render(root="../", page="", one=one)
    assets = {name: files(__package__).joinpath(name).read_text("utf-8") for name in _ASSETS}
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
        "ANY": ANY, "ASYNCAPI": ASYNCAPI, "HEADERS": words.HEADERS, "MODE": words.MODE,
        "RECORD_KEY": topics.RECORD_KEY, "ROLE": words.ROLE, "SENSITIVITY": words.SENSITIVITY,
        "contents": contents, "own_topics": topics.own_topics(),
        "listed": sorted(contents.contracts.values(), key=lambda one: one.newest.owner == ANY),
        "tree": list(_tree(contents, "")),
        "access": access, "concerns_of": words.concerns_of, "contacts": views.contacts,
        "contacts_of": partial(views.contacts_of, contents), "days": words.days,
        "file_name": file_name, "findable": views.findable, "hubs": partial(views.hubs, contents),
        "made": views.made, "promise": words.promise, "rows": views.rows, "said": words.said,
        "schema_rows": views.schema_rows, "sentences": partial(_sentences, contents.ground),
        "given_under": views.given_under, "sensitive": views.sensitive, "steps": views.steps, "time": moment,
        "users": partial(views.users, contents),
    }  # fmt: skip
    return env


def _sentences(ground: Repository, one: Agreement) -> list[tuple[str, str]]:
    return sentences(one, ground)


def _seen(value: Any) -> Any:
    """Text as a page may hold it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNSEEN.sub("\ufffd", value)


def moment(micros: int | None) -> str:
    """A time for people; empty where there is none."""
    if micros is None:
        return ""
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _tree(
    contents: Contents, within: str, depth: int = 0
) -> Iterator[tuple[int, Jurisdiction, list[Agency]]]:
    """Jurisdictions from the outside in, each with its depth and its agencies."""
    for one in contents.agencies.jurisdictions.values():
        if one.within == within:
            there = [agency for agency in contents.agencies if agency.jurisdiction == one.id]
            yield depth, one, sorted(there, key=lambda agency: agency.id)
            yield from _tree(contents, one.id, depth + 1)
