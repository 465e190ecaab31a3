"""Schema pairs and the verdicts on them: whether the second may follow the first, level by level.

Each pair has ours (BACKWARD, FORWARD, FULL; `+` it may, `-` it may not). `VERDICTS` has those of a
real Apicurio, which uses Apache Avro's own checker for Java, where they differ, and why.
"""

from __future__ import annotations

from typing import Any

MODES = ("BACKWARD", "FORWARD", "FULL")


def record(*fields: Any, name: str = "R", **more: Any) -> Any:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def a(kind: Any, name: str = "a", **more: Any) -> Any:
    return {"name": name, "type": kind, **more}


def one(kind: Any, **more: Any) -> Any:
    return record(a(kind, **more))


def enum(*symbols: str, name: str = "E", **more: Any) -> Any:
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def fixed(size: int, name: str = "F", **more: Any) -> Any:
    return {"type": "fixed", "name": name, "size": size, **more}


def array(items: Any) -> Any:
    return {"type": "array", "items": items}


def mapped(values: Any) -> Any:
    return {"type": "map", "values": values}


def decimal(precision: int, scale: int) -> Any:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def logical(kind: str, word: str) -> Any:
    return {"type": kind, "logicalType": word}


A, B, B0 = a("string"), a("string", "b"), a("string", "b", default="")
INNER, INNER_B, INNER_B0 = (record(*fields, name="I") for fields in ((A,), (A, B), (A, B0)))
X, XY = enum("X"), enum("X", "Y")

PAIRS: dict[str, tuple[Any, Any, str]] = {
    "nothing": (one("string"), one("string"), "+++"),
    "int to long": (one("int"), one("long"), "+--"),
    "int to float": (one("int"), one("float"), "+--"),
    "int to double": (one("int"), one("double"), "+--"),
    "long to float": (one("long"), one("float"), "+--"),
    "long to double": (one("long"), one("double"), "+--"),
    "float to double": (one("float"), one("double"), "+--"),
    "long to int": (one("long"), one("int"), "-+-"),
    "double to float": (one("double"), one("float"), "-+-"),
    "string to bytes": (one("string"), one("bytes"), "+++"),
    "bytes to string": (one("bytes"), one("string"), "+++"),
    "int to string": (one("int"), one("string"), "---"),
    "boolean to int": (one("boolean"), one("int"), "---"),
    "null to string": (one("null"), one("string"), "---"),
    "string to array": (one("string"), one(array("string")), "---"),
    "array to map": (one(array("int")), one(mapped("int")), "---"),
    "a bare int to a bare long": ("int", "long", "+--"),
    "a record to a bare string": (one("string"), "string", "---"),
    "a field more": (record(A), record(A, B), "-+-"),
    "a field with default more": (record(A), record(A, B0), "+++"),
    "a field goes": (record(A, B), record(A), "+--"),
    "a field with default goes": (record(A, B0), record(A), "+++"),
    "a field with null as default more": (
        record(A), record(A, a(["null", "string"], "b", default=None)), "+++"),
    "an optional field without default more": (
        record(A), record(A, a(["null", "string"], "b")), "-+-"),
    "a default more": (record(B), record(B0), "+++"),
    "a default goes": (record(B0), record(B), "+++"),
    "another default": (record(B0), record(a("string", "b", default="x")), "+++"),
    "fields in another order": (record(A, B), record(B, A), "+++"),
    "a field renamed": (record(A), record(B), "---"),
    "a field renamed, with alias": (record(A), record({**B, "aliases": ["a"]}), "+--"),
    "a field renamed, alias and defaults": (
        record(a("string", default="")), record({**B0, "aliases": ["a"]}), "+++"),
    "an alias more": (record(A), record({**A, "aliases": ["z"]}), "+++"),
    "docs": (record(A), record({**A, "doc": "what"}, doc="all"), "+++"),
    "sort order of a field": (record(A), record({**A, "order": "descending"}), "+++"),
    "a property nobody knows": (record(A), record({**A, "unit": "m"}, owner="us"), "+++"),
    "string as an object": (one("string"), one({"type": "string"}), "+++"),
    "avro.java.string": (one("string"), one({"type": "string", "avro.java.string": "String"}), "+++"),
    "the record renamed": (record(A), record(A, name="Q"), "---"),
    "the record renamed, with alias": (record(A), record(A, name="Q", aliases=["R"]), "+--"),
    "the record's namespace": (record(A), record(A, namespace="city"), "+++"),
    "from one namespace to another": (
        record(A, namespace="old"), record(A, namespace="new"), "+++"),
    "a full name for name and namespace": (
        record(A, namespace="city"), record(A, name="city.R"), "+++"),
    "an inner record's namespace": (
        one(record(A, name="I", namespace="x")), one(record(A, name="I", namespace="y")), "+++"),
    "renamed, its alias in the same namespace": (
        record(A, namespace="x"), record(A, name="Q", namespace="x", aliases=["R"]), "+--"),
    "renamed, its alias a full name": (
        record(A, namespace="x"), record(A, name="Q", namespace="y", aliases=["x.R"]), "+--"),
    "renamed, its alias in another namespace": (
        record(A, namespace="x"), record(A, name="Q", namespace="x", aliases=["y.R"]), "---"),
    "an alias that is another field's name": (
        record(A, B), record(A, {**a("string", "c"), "aliases": ["b"]}), "+--"),
    "two fields take one alias": (
        record(A), record({**B, "aliases": ["a"]}, {**a("string", "c"), "aliases": ["a"]}), "+--"),
    "a field and another with its name as alias": (
        record(A), record(A, {**B, "aliases": ["a"]}), "+++"),
    "an enum inside a union grows": (one(["null", X]), one(["null", XY]), "+--"),
    "int to a union of long and double": (one("int"), one(["long", "double"]), "+--"),
    "bytes to a union with string": (one("bytes"), one(["null", "string"]), "+--"),
    "a fixed inside a union grows": (one(["null", fixed(4)]), one(["null", fixed(8)]), "---"),
    "two optional records become one": (
        one(["null", INNER, record(A, name="J")]), one(["null", INNER]), "-+-"),
    "null alone to optional": (one("null"), one(["null", "string"]), "+--"),
    "arrays in a union widen": (
        one(["null", array("int")]), one(["null", array("long")]), "+--"),
    "an enum with default reads a stranger": (
        one(enum("X", "Y")), one(enum("Z", default="Z")), "+--"),
    "a default in a union's second branch goes": (
        record(a(["string", "null"], "b", default="")), record(a(["string", "null"], "b")), "+++"),
    "decimal in fixed to decimal in bytes": (
        one({**fixed(8), "logicalType": "decimal", "precision": 9, "scale": 2}), one(decimal(9, 2)), "---"),
    "becomes optional": (one("string"), one(["null", "string"]), "+--"),
    "becomes required": (one(["null", "string"]), one("string"), "-+-"),
    "branches in another order": (one(["null", "string"]), one(["string", "null"]), "+++"),
    "a branch more": (one(["null", "int"]), one(["null", "int", "string"]), "+--"),
    "a branch goes": (one(["null", "int", "string"]), one(["null", "int"]), "-+-"),
    "a branch widens": (one(["null", "int"]), one(["null", "long"]), "+--"),
    "a union of one": (one("string"), one(["string"]), "+++"),
    "a union of what widens to one": (one(["int", "long"]), one("long"), "+++"),
    "int to a union of float and string": (one("int"), one(["float", "string"]), "+--"),
    "a bare union grows": (["null", "int"], ["null", "int", "string"], "+--"),
    "a union's record gets a field": (one(["null", INNER]), one(["null", INNER_B]), "-+-"),
    "a union's record is renamed": (
        one(["null", INNER]), one(["null", record(A, name="J")]), "---"),
    "a union's record changes its namespace": (
        one(["null", record(A, name="I", namespace="x")]),
        one(["null", record(A, name="I", namespace="y")]), "+++"),
    "two records in a union change places": (
        one([INNER, record(B, name="J")]), one([record(B, name="J"), INNER]), "+++"),
    "a symbol more": (one(X), one(XY), "+--"),
    "a symbol goes": (one(XY), one(X), "-+-"),
    "a symbol more, with default": (one(enum("X", default="X")), one(enum("X", "Y", default="X")), "+++"),
    "a symbol goes, with default": (one(enum("X", "Y", default="X")), one(enum("X", default="X")), "+++"),
    "a symbol more, the new one has a default": (one(X), one(enum("X", "Y", default="X")), "+--"),
    "symbols in another order": (one(XY), one(enum("Y", "X")), "+++"),
    "the enum renamed": (one(X), one(enum("X", name="G")), "---"),
    "the enum renamed, with alias": (one(X), one(enum("X", name="G", aliases=["E"])), "+--"),
    "enum to string": (one(X), one("string"), "---"),
    "fixed of another size": (one(fixed(4)), one(fixed(8)), "---"),
    "fixed renamed": (one(fixed(4)), one(fixed(4, "G")), "---"),
    "fixed renamed, with alias": (one(fixed(4)), one(fixed(4, "G", aliases=["F"])), "+--"),
    "fixed to bytes": (one(fixed(4)), one("bytes"), "---"),
    "array items widen": (one(array("int")), one(array("long")), "+--"),
    "array items change": (one(array("int")), one(array("string")), "---"),
    "map values widen": (one(mapped("int")), one(mapped("double")), "+--"),
    "map values become optional": (one(mapped("int")), one(mapped(["null", "int"])), "+--"),
    "a field more in an array's record": (one(array(INNER)), one(array(INNER_B)), "-+-"),
    "a field with default more in a map's record": (one(mapped(INNER)), one(mapped(INNER_B0)), "+++"),
    "an inner record gets a field": (one(INNER), one(INNER_B), "-+-"),
    "an inner record gets a field with default": (one(INNER), one(INNER_B0), "+++"),
    "an inner record renamed": (one(INNER), one(record(A, name="J")), "---"),
    "a record used twice changes": (
        record(a(INNER), a("I", "z")), record(a(INNER_B), a("I", "z")), "-+-"),
    "decimal scale": (one(decimal(9, 2)), one(decimal(9, 3)), "---"),
    "decimal gets wider": (one(decimal(9, 2)), one(decimal(12, 2)), "+--"),
    "decimal gets narrower": (one(decimal(12, 2)), one(decimal(9, 2)), "-+-"),
    "decimal to bytes": (one(decimal(9, 2)), one("bytes"), "---"),
    "milliseconds to microseconds": (
        one(logical("long", "timestamp-millis")), one(logical("long", "timestamp-micros")), "---"),
    "a time to a bare long": (one(logical("long", "timestamp-micros")), one("long"), "---"),
    "a bare int to a date": (one("int"), one(logical("int", "date")), "---"),
    "date to a time in milliseconds": (
        one(logical("int", "date")), one(logical("long", "timestamp-millis")), "---"),
    "an optional date to a time in milliseconds": (
        one(["null", logical("int", "date")]), one(["null", logical("long", "timestamp-millis")]), "---"),
    "a date to an optional time in milliseconds": (
        one(logical("int", "date")), one(["null", logical("long", "timestamp-millis")]), "---"),
    "instants to local times": (
        one(logical("long", "timestamp-micros")), one(logical("long", "local-timestamp-micros")), "---"),
    "string to uuid": (one("string"), one(logical("string", "uuid")), "+++"),
    "a logical type nobody knows": (one("long"), one(logical("long", "beats")), "+++"),
}  # fmt: skip

_UNIT = "the bytes can be read, their meaning is lost: Avro's checker ignores logical types"
_PRECISION = "Avro's checker ignores it; a value with too many digits can't be held"

VERDICTS: dict[str, tuple[str, str]] = {
    "decimal scale": ("+++", "Avro's checker ignores it; 12.50 becomes 1.250"),
    "decimal gets wider": ("+++", _PRECISION),
    "decimal gets narrower": ("+++", _PRECISION),
    "decimal to bytes": ("+++", _UNIT),
    "milliseconds to microseconds": ("+++", _UNIT),
    "a time to a bare long": ("+++", _UNIT),
    "a bare int to a date": ("+++", _UNIT),
    "date to a time in milliseconds": ("+--", _UNIT),
    "an optional date to a time in milliseconds": ("+--", _UNIT),
    "a date to an optional time in milliseconds": ("+--", _UNIT),
    "instants to local times": ("+++", _UNIT),
}
