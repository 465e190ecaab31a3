"""What a foreign schema must not be, before any Avro library sees it.

fastavro 1.13.1 ends the process on deep recursion, and unrolls two billion nulls from six bytes;
a schema comes from whoever can produce to a topic. Rules: docs/decisions/0005.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import fastavro

from crosstown.errors import Refused
from crosstown.formats import plain

MAX_SCHEMA_BYTES: Final = 256_000
MAX_NESTING: Final = 32
MAX_FIELDS: Final = 500
MAX_BRANCHES: Final = 200
_MAX_JSON_DEPTH: Final = 4 * MAX_NESTING
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FULL_NAME = re.compile(rf"{_NAME.pattern}(\.{_NAME.pattern})*")
PRIMITIVES: Final = frozenset(
    ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the rules ask of one type; what it names counts each time that it's used.

    Otherwise a record that holds twice what holds twice ... is a billion values of no bytes.
    """

    nesting: int
    fields: int
    empty: bool  # a value takes no byte of a body
    padded: bool = False  # something inside takes none


_PRIMITIVE = _Shape(1, 0, empty=False)
_NOTHING = _Shape(1, 0, empty=True)


def guard(schema_text: str) -> Any:
    """The schema as JSON (a dict; text or a list for a bare type), safe to hand to an Avro library.

    Raises `Refused`: not-avro-schema, schema-too-large, schema-recursive, schema-too-deep,
    schema-empty-items, schema-too-many-fields, schema-too-many-branches, schema-has-references.
    """
    if len(schema_text) > MAX_SCHEMA_BYTES or len(_utf8(schema_text)) > MAX_SCHEMA_BYTES:
        raise Refused("schema-too-large", f"over {MAX_SCHEMA_BYTES:,} bytes",
                      mend="split it into several contracts")  # fmt: skip
    schema = _json(schema_text)
    _check_depth(schema)
    shape = _Walk().shape(schema, "", "schema")
    if shape.nesting > MAX_NESTING:
        raise Refused("schema-too-deep", f"types nest {shape.nesting} deep; at most {MAX_NESTING}",
                      mend="flatten it")  # fmt: skip
    if shape.fields > MAX_FIELDS:
        raise Refused("schema-too-many-fields",
                      f"{shape.fields:,} fields, each use counted; at most {MAX_FIELDS}",
                      mend="split it into several contracts")  # fmt: skip
    try:
        fastavro.parse_schema(plain(schema))
    except Exception as error:  # noqa: BLE001 - whatever it is, it came out of this schema
        _not_avro(f"{error}"[:300])
    return schema


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        _not_avro("it holds half a surrogate pair, which is no character")


def _not_avro(detail: str) -> NoReturn:
    raise Refused("not-avro-schema", detail, mend="see the Avro specification, Schema Declaration")


def _no_number(word: str) -> NoReturn:
    _not_avro(f"{word} is no number in JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _not_avro("a key stands twice in one JSON object")
    for key in found:
        # fastavro takes __fastavro_parsed for its own word and looks no further
        if key.startswith("__"):
            _not_avro(f"the key {key[:40]!r} begins with two underscores")
    return found


def _json(text: str) -> Any:
    try:
        schema = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_number)
        _utf8(json.dumps(schema, ensure_ascii=False))
    except RecursionError:
        raise Refused("schema-too-deep", "its JSON nests too deep", mend="flatten it") from None
    except ValueError as error:
        _not_avro(f"not JSON: {error}")
    return schema


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _MAX_JSON_DEPTH:
            raise Refused("schema-too-deep", "its JSON nests too deep", mend="flatten it")
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]


@dataclass(slots=True)
class _Walk:
    """One walk over a schema: the named types met so far, None while a type is still open."""

    known: dict[str, _Shape | None] = field(default_factory=dict)

    def shape(self, schema: Any, space: str, where: str) -> _Shape:
        """The shape of one type; `space` is the enclosing namespace, `where` says it to people."""
        if isinstance(schema, str):
            return self._by_name(schema, space, where)
        if isinstance(schema, list):
            return self._union(schema, space, where)
        kind = schema.get("type") if isinstance(schema, dict) else None
        if isinstance(kind, dict | list):
            _not_avro(f"{where}: a type inside a type; write the inner one alone")
        if not isinstance(kind, str):
            _not_avro(f"{where}: no type")
        made = {"record": self._record, "error": self._record, "enum": self._enum,
                "fixed": self._fixed, "array": self._many, "map": self._many}.get(kind)  # fmt: skip
        return made(schema, space, where) if made else self._by_name(kind, space, where)

    def _by_name(self, name: str, space: str, where: str) -> _Shape:
        if name in PRIMITIVES:
            return _NOTHING if name == "null" else _PRIMITIVE
        full = name if "." in name or not space else f"{space}.{name}"
        if full not in self.known:
            raise Refused("schema-has-references", f"{where}: type {name[:80]!r} isn't there",
                          mend="write the type out where it is first used; references to other "
                               "subjects aren't supported")  # fmt: skip
        shape = self.known[full]
        if shape is None:
            raise Refused("schema-recursive", f"{where}: {name[:80]} contains itself",
                          mend="name the other by its id instead of containing it")  # fmt: skip
        return shape

    def _union(self, branches: list[Any], space: str, where: str) -> _Shape:
        if not branches:
            _not_avro(f"{where}: a union of nothing")
        if len(branches) > MAX_BRANCHES:
            raise Refused("schema-too-many-branches",
                          f"{where}: a union of {len(branches):,} types; at most {MAX_BRANCHES}",
                          mend="put what differs into fields")  # fmt: skip
        if any(isinstance(branch, list) for branch in branches):
            _not_avro(f"{where}: a union directly in a union")
        kinds = [_kind(branch) for branch in branches]
        if len(set(kinds)) != len(kinds):
            _not_avro(f"{where}: a union with the same type twice")
        shapes = [self.shape(branch, space, where) for branch in branches]
        empty = all(shape.empty for shape in shapes)
        return _joined(shapes, empty=empty, padded=any(shape.padded for shape in shapes))

    def _many(self, schema: dict[str, Any], space: str, where: str) -> _Shape:
        key = "items" if schema["type"] == "array" else "values"
        if key not in schema:
            _not_avro(f"{where}: an {schema['type']} without its {key}")
        inner = self.shape(schema[key], space, f"{where}, {key}")
        if inner.empty or inner.padded:
            raise Refused("schema-empty-items", f"{where}: an item, or a field in it, takes no "
                          "bytes, so a few bytes can claim billions of them", mend="leave out what is "
                          "always null; for a number of things send a long")  # fmt: skip
        return _joined([inner], empty=False)

    def _record(self, schema: dict[str, Any], space: str, where: str) -> _Shape:
        full, inner_space = self._open(schema, space, where)
        fields = schema.get("fields")
        if not isinstance(fields, list) or not all(isinstance(one, dict) for one in fields):
            _not_avro(f"{where}: record {full} without a list of fields")
        names = [one.get("name") for one in fields]
        for name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                _not_avro(f"{where}: {str(name)[:80]!r} is no name for a field")
        if len(set(names)) != len(names):
            _not_avro(f"{where}: record {full} has a field twice")
        shapes = [
            self.shape(one.get("type"), inner_space, f"{full}.{one['name']}") for one in fields
        ]
        for one in fields:
            _check_aliases(one, f"{full}.{one['name']}")
        joined = _joined(
            shapes,
            own=len(fields),
            empty=all(shape.empty for shape in shapes),
            padded=any(shape.padded or shape.empty for shape in shapes),
        )
        return self._close(full, joined)

    def _enum(self, schema: dict[str, Any], space: str, where: str) -> _Shape:
        full, _ = self._open(schema, space, where)
        symbols = schema.get("symbols")
        if (
            not isinstance(symbols, list)
            or not symbols
            or len(symbols) != len({str(s) for s in symbols})
        ):
            _not_avro(f"{where}: enum {full} without a list of different symbols")
        if not all(isinstance(symbol, str) and _NAME.fullmatch(symbol) for symbol in symbols):
            _not_avro(f"{where}: enum {full} has a symbol that is no name")
        if schema.get("default", symbols[0]) not in symbols:
            _not_avro(f"{where}: the default of enum {full} is none of its symbols")
        return self._close(full, _PRIMITIVE)

    def _fixed(self, schema: dict[str, Any], space: str, where: str) -> _Shape:
        full, _ = self._open(schema, space, where)
        size = schema.get("size")
        if type(size) is not int or not 0 <= size <= MAX_SCHEMA_BYTES:
            _not_avro(f"{where}: fixed {full} needs a size from 0 to {MAX_SCHEMA_BYTES:,}")
        return self._close(full, _PRIMITIVE if size else _NOTHING)

    def _open(self, schema: dict[str, Any], space: str, where: str) -> tuple[str, str]:
        name, own_space = schema.get("name"), schema.get("namespace", space)
        if not isinstance(name, str) or not _FULL_NAME.fullmatch(name) or name in PRIMITIVES:
            _not_avro(f"{where}: {str(name)[:80]!r} is no name for a type")
        if not isinstance(own_space, str) or (own_space and not _FULL_NAME.fullmatch(own_space)):
            _not_avro(f"{where}: {str(own_space)[:80]!r} is no namespace")
        full = name if "." in name or not own_space else f"{own_space}.{name}"
        if full in self.known:
            _not_avro(f"{where}: the type {full} is defined twice")
        _check_aliases(schema, full)
        self.known[full] = None
        return full, full.rpartition(".")[0]

    def _close(self, full: str, shape: _Shape) -> _Shape:
        self.known[full] = shape
        return shape


def _kind(branch: Any) -> str:
    if isinstance(branch, dict):
        kind = branch.get("type")
        return (
            str(branch.get("name", kind))
            if kind in ("record", "error", "enum", "fixed")
            else str(kind)
        )
    return str(branch)


def _check_aliases(one: dict[str, Any], where: str) -> None:
    aliases = one.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        _not_avro(f"{where}: aliases must be a list of names")


def _joined(shapes: list[_Shape], *, empty: bool, padded: bool = False, own: int = 0) -> _Shape:
    return _Shape(
        1 + max((shape.nesting for shape in shapes), default=0),
        own + sum(shape.fields for shape in shapes),
        empty,
        padded,
    )
