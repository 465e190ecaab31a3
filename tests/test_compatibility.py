"""What a changed schema breaks: each rule with a change that breaks it, and one that doesn't."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crosstown.avro.codec import Decoder, encode
from crosstown.avro.compatibility import MODES, breaks, breaks_any
from crosstown.avro.guards import guard
from crosstown.errors import Refused
from crosstown.registry.subjects import canonical


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> Any:
    return guard(json.dumps({"type": "record", "name": name, "fields": list(fields), **more}))


def field(kind: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def fixed(size: int, name: str = "F") -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def time(unit: str) -> dict[str, Any]:
    return {"type": "long", "logicalType": unit}


DATE = {"type": "int", "logicalType": "date"}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


B = field("string", "b")
B_DEFAULT = field("string", "b", default="")
A = field("string")
ADDRESS = {"type": "record", "name": "Address", "fields": [field("string", "street")]}
ADDRESS_2 = {"type": "record", "name": "Address", "fields": [field("string", "street"), B]}

# old, new, rules broken for BACKWARD (new reads old), rules broken for FORWARD (old reads new)
CHANGES: dict[str, tuple[Any, Any, set[str], set[str]]] = {
    "nothing": (record(A), record(A), set(), set()),
    "only words": (record(A), record({**A, "doc": "what"}, doc="all"), set(), set()),
    "a field without default": (record(A), record(A, B), {"/b no-default"}, set()),
    "a field with default": (record(A), record(A, B_DEFAULT), set(), set()),
    "a field goes": (record(A, B), record(A), set(), {"/b no-default"}),
    "a field with default goes": (record(A, B_DEFAULT), record(A), set(), set()),
    "a field renamed": (record(A), record(B), {"/b no-default"}, {"/a no-default"}),
    "a field renamed with alias": (
        record(A), record({**B, "aliases": ["a"]}), set(), {"/a no-default"}),
    "int to long": (record(field("int")), record(field("long")), set(), {"/a type"}),
    "long to double": (record(field("long")), record(field("double")), set(), {"/a type"}),
    "string to bytes": (record(A), record(field("bytes")), set(), set()),
    "string to int": (record(A), record(field("int")), {"/a type"}, {"/a type"}),
    "string to array": (record(A), record(field(array("string"))), {"/a type"}, {"/a type"}),
    "array items": (
        record(field(array("int"))), record(field(array("string"))), {"/a/items type"}, {"/a/items type"}),
    "map values": (
        record(field({"type": "map", "values": "int"})), record(field({"type": "map", "values": "long"})),
        set(), {"/a/values type"}),
    "becomes optional": (record(A), record(field(["null", "string"])), set(), {"/a type"}),
    "becomes required": (record(field(["null", "string"])), record(A), {"/a type"}, set()),
    "a branch more": (
        record(field(["null", "int"])), record(field(["null", "int", "string"])), set(), {"/a union-branch"}),
    "another symbol": (
        record(field(enum("X"))), record(field(enum("X", "Y"))), set(), {"/a enum-symbols"}),
    "another symbol, default": (
        record(field(enum("X", default="X"))), record(field(enum("X", "Y", default="X"))), set(), set()),
    "a symbol goes": (
        record(field(enum("X", "Y"))), record(field(enum("X"))), {"/a enum-symbols"}, set()),
    "fixed of another size": (
        record(field(fixed(4))), record(field(fixed(8))), {"/a fixed-size"}, {"/a fixed-size"}),
    "fixed of another name": (
        record(field(fixed(4))), record(field(fixed(4, "G"))), {"/a name"}, {"/a name"}),
    "the record's name": (record(A), record(A, name="Q"), {"/ name"}, {"/ name"}),
    "only the namespace": (record(A), record(A, namespace="city"), set(), set()),
    "renamed with an alias of its namespace": (
        record(A, namespace="x"), record(A, name="Q", namespace="x", aliases=["R"]),
        set(), {"/ name"}),
    "deep inside": (
        record(field(array(ADDRESS))), record(field(array(ADDRESS_2))), {"/a/items/b no-default"}, set()),
    "inside an optional record": (
        record(field(["null", ADDRESS])), record(field(["null", ADDRESS_2])), {"/a/b no-default"}, set()),
    "by a name used again": (
        record(field(ADDRESS), field("Address", "z")), record(field(ADDRESS_2), field("Address", "z")),
        {"/a/b no-default", "/z/b no-default"}, set()),
    "milliseconds to microseconds": (
        record(field(time("timestamp-millis"))), record(field(time("timestamp-micros"))),
        {"/a logical-type"}, {"/a logical-type"}),
    "a time becomes a number": (
        record(field(time("timestamp-micros"))), record(field("long")),
        {"/a logical-type"}, {"/a logical-type"}),
    "a unit inside an optional": (
        record(field(["null", time("timestamp-millis")])), record(field(["null", time("timestamp-micros")])),
        {"/a logical-type"}, {"/a logical-type"}),
    "a unit inside an optional that widens": (
        record(field(["null", DATE])), record(field(["null", time("timestamp-micros")])),
        {"/a logical-type"}, {"/a union-branch"}),
    "a unit that widens and becomes optional": (
        record(field(DATE)), record(field(["null", time("timestamp-micros")])),
        {"/a logical-type"}, {"/a type"}),
    "a unit of an optional that narrows": (
        record(field(["null", time("timestamp-micros")])), record(field(["null", DATE])),
        {"/a union-branch"}, {"/a logical-type"}),
    "a wider branch of another unit before it": (
        record(field(["null", DATE])), record(field(["null", time("timestamp-micros"), DATE])),
        {"/a logical-type"}, {"/a union-branch"}),
    "a wider branch of another unit behind it": (
        record(field(["null", DATE])), record(field(["null", DATE, time("timestamp-micros")])),
        set(), {"/a union-branch"}),
    "a text becomes a uuid": (
        record(A), record(field({"type": "string", "logicalType": "uuid"})), set(), set()),
    "decimal scale": (
        record(field(decimal(9, 2))), record(field(decimal(9, 3))), {"/a decimal-scale"}, {"/a decimal-scale"}),
    "decimal wider": (
        record(field(decimal(9, 2))), record(field(decimal(12, 2))), set(), {"/a decimal-precision"}),
    "decimal narrower": (
        record(field(decimal(12, 2))), record(field(decimal(9, 2))), {"/a decimal-precision"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_judged_wrongly(name: str) -> None:
    old, new, backward, forward = CHANGES[name]

    def told(mode: str) -> set[str]:
        found = breaks(old, new, mode)
        assert all(one.detail and one.mend for one in found)
        return {f"{one.path} {one.rule}" for one in found}

    assert told("BACKWARD") == told("BACKWARD_TRANSITIVE") == backward
    assert told("FORWARD") == told("FORWARD_TRANSITIVE") == forward
    assert told("FULL") == told("FULL_TRANSITIVE") == backward | forward
    assert told("NONE") == set()


@pytest.mark.parametrize("name", [name for name in CHANGES if "unit" in name and "widens" in name])
def test_a_date_is_opened_as_microseconds(name: str) -> None:
    old, new, _, _ = CHANGES[name]
    with pytest.raises(Refused, match="date, not timestamp-micros"):
        Decoder(old, new)


STREET = {"street": "x"}
VALUES: dict[str, Any] = {
    "null": None, "map": {"k": 1}, "record": STREET, "Address": STREET,
    "int": 1, "long": 1, "double": 1.5, "string": "x", "bytes": b"x", "fixed": b"1234", "enum": "X",
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_called_compatible_cant_be_read(name: str) -> None:
    """Old bodies, one for each branch, through the codec: what breaks nothing must be readable."""
    old, new, backward, _ = CHANGES[name]
    refused = []
    for last in (False, True):
        body = encode(old, {one["name"]: _value(one["type"], last=last) for one in old["fields"]})
        try:
            Decoder(old, new).decode(body)
        except Refused as error:
            refused.append(error.reason)
    if not backward:
        assert refused == []
    elif not any(word in str(backward) for word in ("decimal", "logical", "/ name", "a name")):
        assert "schema-mismatch" in refused


def _value(kind: Any, *, last: bool) -> Any:
    if isinstance(kind, list):
        return _value(kind[-1 if last else 0], last=last)
    word = kind["type"] if isinstance(kind, dict) else kind
    if word == "array":
        return [_value(kind["items"], last=last)]
    if word == "enum":
        return kind["symbols"][-1 if last else 0]
    return VALUES[word]


def test_only_the_last_version_counts_when_all_should() -> None:
    first, second = record(A, B), record(A)
    third = record(A, field("int", "b", default=0))
    assert breaks_any([first, second], third, "BACKWARD") == []
    found = breaks_any([first, second], third, "BACKWARD_TRANSITIVE")
    assert {(one.path, one.rule) for one in found} == {("/b", "type")}
    assert breaks_any([], third, "FULL_TRANSITIVE") == []


def test_a_mode_is_unknown() -> None:
    assert len(MODES) == 7
    assert all(breaks_any([record(A)], record(A), mode) == [] for mode in MODES)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "string", "fields": ["x"], "items": 5, "symbols": {}},
        {"type": "long", "logicalType": {"a": 1}},
        {"type": "bytes", "logicalType": "decimal", "scale": {}, "precision": "many"},
        {"type": "enum", "name": "E", "symbols": ["X"], "fields": 5, "values": [[]]},
        {"type": "array", "items": "int", "fields": 5, "name": {}},
    ],
)
def test_keys_that_mean_nothing_end_the_program(odd: Any) -> None:
    old, new = record(field(odd), field("string", "z")), record(field("string", "z"), field(odd))
    assert breaks(old, new, "FULL_TRANSITIVE") == []
    assert canonical(old) != canonical(new)
    Decoder(old, new)
