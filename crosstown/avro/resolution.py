"""Two Avro schemas side by side: which of their values stand for one another.

Source: the Avro specification, Schema Resolution; both schemas have passed `guards.guard`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

WIDENS: Final = {
    "int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"},
    "string": {"bytes"}, "bytes": {"string"},
}  # fmt: skip
_NAMED: Final = ("record", "error", "enum", "fixed")
_BUILT_IN: Final = frozenset((
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map", *_NAMED,
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """A type, the names that it may use, and the namespace that it stands in."""

    type: Any
    names: Names
    space: str

    def inner(self, schema: Any) -> Placed:
        """A type inside this one, written out where it stands by name."""
        return self.names.placed(schema, self.space)


class Names:
    """The named types of a schema, by full name."""

    def __init__(self, schema: Any) -> None:
        self._types: dict[str, Any] = {}
        self._collect(schema, "")

    def _collect(self, schema: Any, space: str) -> None:
        if isinstance(schema, list):
            for branch in schema:
                self._collect(branch, space)
        if not isinstance(schema, dict):
            return
        word = schema["type"]  # other types may carry keys of these names that mean nothing
        if word in _NAMED:
            full = _full(schema, space)
            self._types[full] = schema
            space = full.rpartition(".")[0]
        if word in ("array", "map"):
            self._collect(schema["items" if word == "array" else "values"], space)
        if word in ("record", "error"):
            for one in schema["fields"]:
                self._collect(one["type"], space)

    def placed(self, schema: Any, space: str) -> Placed:
        """A type written out, and the namespace inside it."""
        if isinstance(schema, dict) and schema["type"] not in _BUILT_IN:
            schema = schema["type"]
        if isinstance(schema, str) and schema not in _BUILT_IN:
            full = schema if "." in schema or not space else f"{space}.{schema}"
            return Placed(self._types[full], self, full.rpartition(".")[0])
        if isinstance(schema, dict) and schema["type"] in _NAMED:
            return Placed(schema, self, _full(schema, space).rpartition(".")[0])
        return Placed(schema, self, space)


def whole(schema: Any) -> Placed:
    """A schema as the place where a walk begins."""
    return Names(schema).placed(schema, "")


def _full(schema: dict[str, Any], space: str) -> str:
    name, space = str(schema["name"]), str(schema.get("namespace", space))
    return name if "." in name or not space else f"{space}.{name}"


def full_aliases(schema: Any, space: str = "") -> Any:
    """A schema whose named types' aliases are full names: a bare one is of its type's namespace."""
    if isinstance(schema, list):
        return [full_aliases(branch, space) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    if made["type"] in _NAMED:
        space = _full(made, space).rpartition(".")[0]
        if "aliases" in made:
            made["aliases"] = [_full({"name": one}, space) for one in made["aliases"]]
    match made["type"]:
        case "array":
            made["items"] = full_aliases(made["items"], space)
        case "map":
            made["values"] = full_aliases(made["values"], space)
        case "record" | "error":
            made["fields"] = [
                {**one, "type": full_aliases(one["type"], space)} for one in made["fields"]
            ]
        case _:
            pass
    return made


def kind(schema: Any) -> str:
    """The Avro word for a type; `union` for a list."""
    if isinstance(schema, list):
        return "union"
    word = str(schema["type"] if isinstance(schema, dict) else schema)
    return "record" if word == "error" else word


def branches(one: Placed) -> list[Placed]:
    """A union's types; a type that is no union is its only branch."""
    return [one.inner(branch) for branch in one.type] if isinstance(one.type, list) else [one]


def same_name(reader: Any, writer: Any) -> bool:
    """Whether two types may stand for one another by name: equal, or the reader's alias."""
    if kind(reader) not in _NAMED:
        return True
    names = [reader["name"], *reader.get("aliases", ())]
    return _short(writer["name"]) in {_short(name) for name in names}


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def twin(one: dict[str, Any], writer: dict[str, Any]) -> dict[str, Any] | None:
    """The writer's field that the reader's field `one` takes its value from; None: no such."""
    by_name = {field["name"]: field for field in writer["fields"]}
    names = [one["name"], *one.get("aliases", ())]
    return next((by_name[name] for name in names if name in by_name), None)


def pairs(writer: Placed, reader: Placed, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The values at the same place of both, outermost first; union branches as resolution takes them."""
    a, b = writer.type, reader.type
    if isinstance(a, list) or isinstance(b, list):
        readers = branches(reader)
        for x in branches(writer):
            for y in _takers(x, readers):
                yield from pairs(x, y, path)
        return
    yield path or "/", a, b
    if kind(a) == kind(b):
        for step, there, here in _inside(writer, reader):
            yield from pairs(there, here, f"{path}/{step}")


def _takers(x: Placed, readers: list[Placed]) -> Iterator[Placed]:
    """The branches that a writer's may be read as: of its kind and name; wider, where that comes first."""
    found = False
    for y in readers:
        if kind(y.type) == kind(x.type):
            takes = same_name(y.type, x.type)
        else:
            takes = not found and kind(y.type) in WIDENS.get(kind(x.type), ())
        if takes:
            found = True
            yield y


def _inside(writer: Placed, reader: Placed) -> Iterator[tuple[str, Placed, Placed]]:
    a, b = writer.type, reader.type
    many = {"array": "items", "map": "values"}.get(kind(a))
    if many:
        yield many, writer.inner(a[many]), reader.inner(b[many])
    elif kind(a) == "record":
        for one in b["fields"]:
            other = twin(one, a)
            if other is not None:
                yield one["name"], writer.inner(other["type"]), reader.inner(one["type"])
