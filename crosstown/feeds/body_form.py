"""The form of what goes out of a contract's body: the named fields, with the types that the contract has.

Named types get names in the agreement's own namespace, so those of two contracts can't clash. A field
without a default may be null, so that what was written under earlier terms can be read. Pure.
"""

from __future__ import annotations

from typing import Any

from crosstown.agreements.agreement import Agreement
from crosstown.contracts.contract import Contract

Schema = dict[str, Any]


def payload_form(agreement: Agreement, contract: Contract) -> Schema | None:
    """The record with the fields of one contract's body that go out; None where none do."""
    named = next(one.payload for one in agreement.contracts if one.contract == contract.id)
    if not named:
        return None
    name = _word(contract.id.replace("/", "__"))
    types = _Renamed(f"{space(agreement.id)}.{name}")
    own = {one["name"]: one for one in inlined(contract.schema)["fields"]}
    fields = [_with_default(own[name], types) for name in own if name in named]
    return {"type": "record", "name": name, "namespace": space(agreement.id),
            "doc": f"of {contract.id}", "fields": fields}  # fmt: skip


def inlined(schema: Any, space: str = "", known: dict[str, Any] | None = None) -> Any:
    """A schema in which each use of a named type is its definition, under its full name."""
    known = {} if known is None else known
    match schema:
        case str():
            full = schema if "." in schema or not space else f"{space}.{schema}"
            return known.get(full, known.get(schema, schema))
        case list():
            return [inlined(one, space, known) for one in schema]
        case {"type": "record" | "error" | "enum" | "fixed", "name": str(name)}:
            space = name.rpartition(".")[0] or schema.get("namespace", space)
            full = name if "." in name or not space else f"{space}.{name}"
            whole = {k: v for k, v in schema.items() if k != "namespace"} | {"name": full}
            if "fields" in whole:
                whole["fields"] = [
                    {**one, "type": inlined(one["type"], space, known)} for one in whole["fields"]
                ]
            known[full] = whole
            return whole
        case dict():
            return {k: inlined(v, space, known) if k in ("type", "items", "values") else v
                    for k, v in schema.items()}  # fmt: skip
        case _:
            return schema


class _Renamed:
    """Gives the named types of one contract names of the feed's own: each defined once, then named."""

    def __init__(self, space: str) -> None:
        self._space = space
        self._names: dict[str, str] = {}

    def type(self, schema: Any) -> Any:
        """An inlined type under its new names."""
        match schema:
            case list():
                return [self.type(one) for one in schema]
            case {"name": str(old)}:
                return self._named(old, schema)
            case dict():
                return {k: self.type(v) if k in ("type", "items", "values") else v
                        for k, v in schema.items()}  # fmt: skip
            case _:
                return schema

    def _named(self, old: str, schema: Schema) -> Any:
        if old in self._names:
            return f"{self._space}.{self._names[old]}"
        name = old.rpartition(".")[2]
        if name in self._names.values():
            name = old.replace(".", "_")
        self._names[old] = name
        whole = {k: v for k, v in schema.items() if k not in ("name", "aliases")}
        whole |= {"name": name, "namespace": self._space}
        if "fields" in whole:
            whole["fields"] = [{**one, "type": self.type(one["type"])} for one in whole["fields"]]
        return whole


def _with_default(field: Schema, types: _Renamed) -> Schema:
    """A field of a body as it goes out: one without a default may be null."""
    found = {"name": field["name"], "type": types.type(field["type"]), "doc": field.get("doc", "")}
    if "default" in field:
        return found | {"default": field["default"]}
    declared = field["type"] if isinstance(field["type"], list) else [field["type"]]
    rest = found["type"] if isinstance(found["type"], list) else [found["type"]]
    if declared != ["null"]:
        found["type"] = ["null", *(one for one in rest if one != "null")]
    return found | {"default": None}


def space(agreement: str) -> str:
    """The Avro namespace of an agreement's types."""
    return f"crosstown.feed.{_word(agreement)}"


def _word(text: str) -> str:
    """An id as one part of an Avro name, which can't begin with a digit."""
    word = text.replace("-", "_")
    return f"_{word}" if word[:1].isdigit() else word
