"""A feed's messages as rows of one level, for tables: what `said` holds beside the number.

The columns of an events feed: number, change, event, record, the envelope's fields, then the body's as
`payload.<field>`, whichever of the covered contracts a row is of. Where nothing is said (GONE) they're
absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Row = dict[str, Any]
SAID: Final = "said"
PAYLOAD: Final = "payload"


def flat_form(form: Any) -> Any:
    """The record schema of the flat rows, of a feed's schema as JSON. Pure."""
    own = [one for one in form["fields"] if one["name"] != SAID]
    said = [one for one in form["fields"] if one["name"] == SAID]
    inner = (
        [one for branch in _records(said[0]["type"]) for one in branch["fields"]] if said else []
    )
    fields = own + [_absent(one["name"], [one["type"]]) for one in inner if one["name"] != PAYLOAD]
    for one in inner:
        if one["name"] == PAYLOAD:
            fields += _payload(one["type"])
    return {**form, "fields": fields}


def flat_row(row: Row, form: Any) -> Row:
    """A message's fields in the flat form `form`; what isn't said is None."""
    said: Mapping[str, Any] = row.get(SAID) or {}
    found = {**said, **{name: value for name, value in row.items() if name != SAID}}
    for name, value in (said.get(PAYLOAD) or {}).items():
        found[f"{PAYLOAD}.{name}"] = value
    return {one["name"]: found.get(one["name"]) for one in form["fields"]}


def _payload(kind: Any) -> list[Any]:
    """The fields of the covered bodies, by name; one that two contracts have is of either's type."""
    types: dict[str, list[Any]] = {}
    for branch in _records(kind):
        for one in branch["fields"]:
            known = types.setdefault(one["name"], [])
            if one["type"] not in known:
                known.append(one["type"])
    return [_absent(f"{PAYLOAD}.{name}", kinds) for name, kinds in types.items()]


def _records(kind: Any) -> list[Any]:
    branches = kind if isinstance(kind, list) else [kind]
    return [one for one in branches if isinstance(one, dict) and one.get("type") == "record"]


def _absent(name: str, kinds: list[Any]) -> Any:
    """A field that may be absent; of several types where there are several."""
    branches = ["null"]
    for kind in kinds:
        for one in kind if isinstance(kind, list) else [kind]:
            if one not in branches:
                branches.append(one)
    return {"name": name, "type": branches}
