"""Hostile schemas and bodies: each is refused with a reason, quickly, and nothing dies of it."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstown.avro.codec import MAX_BODY_BYTES, Decoder, Encoder, encode, frame, unframe
from crosstown.avro.guards import guard
from crosstown.errors import Refused
from crosstown.event.envelope import zigzag


def record(name: str = "R", **fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
    }


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def decoder(schema: Any, reader: Any = None) -> Decoder:
    return Decoder(guard(json.dumps(schema)), guard(json.dumps(reader or schema)))


def laughs() -> Any:
    """Each record holds the one before twice: a million values that take no byte."""
    found: Any = record("L0", a="null")
    for n in range(1, 20):
        found = record(f"L{n}", a=found, b=f"L{n - 1}")
    return found


def wide(branches: int) -> Any:
    return [{"type": "fixed", "name": f"F{n}", "size": 1} for n in range(branches)]


def nested(depth: int) -> Any:
    found: Any = "int"
    for _ in range(depth):
        found = array(found)
    return found


HOSTILE_SCHEMAS = {
    "recursive": (record(next=["null", "R"]), "schema-recursive"),
    "recursive by way of another": (record(a=record("B", b=array("R"))), "schema-recursive"),
    "array of null": (record(a=array("null")), "schema-empty-items"),
    "array of wordy null": (record(a=array({"type": "null"})), "schema-empty-items"),
    "array of union of null": (record(a=array(["null"])), "schema-empty-items"),
    "array of empty records": (record(a=array(record("B"))), "schema-empty-items"),
    "array of records of null": (record(a=array(record("B", n="null"))), "schema-empty-items"),
    "array of padded records": (
        record(a=array(record("B", b="boolean", **{f"n{i}": "null" for i in range(400)}))),
        "schema-empty-items",
    ),
    "map of fixed 0": (
        record(a={"type": "map", "values": {"type": "fixed", "name": "F", "size": 0}}),
        "schema-empty-items",
    ),
    "array of records with empty records": (
        record(a=array(record("B", b="int", c=record("E"), **{f"e{i}": "E" for i in range(400)}))),
        "schema-empty-items",
    ),
    "array of a union with nulls in it": (
        record(a=array(["int", record("B", **{f"n{i}": "null" for i in range(400)})])),
        "schema-empty-items",
    ),
    "201 branches": (record(a=wide(201)), "schema-too-many-branches"),
    "a billion laughs": (laughs(), "schema-too-many-fields"),
    "501 fields": (record(**{f"f{i}": "int" for i in range(501)}), "schema-too-many-fields"),
    "too deep": (record(a=nested(32)), "schema-too-deep"),
    "far too deep": (record(a=nested(700)), "schema-too-deep"),
    "a reference": (record(a="elsewhere.Address"), "schema-has-references"),
    "fastavro's own mark": (
        {**record(a="int"), "__fastavro_parsed": True, "__named_schemas": {}},
        "not-avro-schema",
    ),
    "a field twice": (
        {**record(), "fields": [{"name": "a", "type": "int"}] * 2},
        "not-avro-schema",
    ),
    "a huge fixed": (record(a={"type": "fixed", "name": "F", "size": 2**62}), "not-avro-schema"),
    "a default of another type": (
        {**record(), "fields": [{"name": "a", "type": "int", "default": "x"}]},
        "not-avro-schema",
    ),
}


@pytest.mark.parametrize("name", HOSTILE_SCHEMAS)
def test_a_hostile_schema_reaches_fastavro(name: str) -> None:
    schema, reason = HOSTILE_SCHEMAS[name]
    with pytest.raises(Refused) as refused:
        guard(json.dumps(schema))
    assert refused.value.reason == reason
    assert refused.value.mend


def test_a_schema_is_compared_with_itself_branch_by_branch() -> None:
    again: Any = [f"F{n}" for n in range(200)]
    schema = guard(json.dumps(record(a=wide(200), **{f"f{n}": again for n in range(40)})))
    at = time.process_time()
    Decoder(schema, schema)
    assert time.process_time() - at < 1


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "1", "null", "true", "[]", "{}", "NaN", "[[", '"\\ud800"', '"Unknown"', '[["int"]]',
        "[" * 100_000, '{"a":' * 40_000, "9" * 10_000, '{"type": {"type": "int"}}', "\ud800",
        '{"type": "array"}', '{"type": "map"}', '{"type": "int", "type": "int"}', '["int", "int"]',
        '{"type": "enum", "name": "E", "symbols": [{}]}', '{"type": "enum", "name": "E"}',
        '{"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}',
        '{"type": "fixed", "name": "F", "size": 1e9}', '{"type": "fixed", "name": "F", "size": -1}',
        '{"type": "record", "name": {}, "fields": []}', '{"type": "record", "name": "A B", "fields": []}',
        '{"type": "record", "name": "A", "fields": {}}', '{"type": "record", "name": "A"}',
        '{"type": "record", "name": "A", "fields": [5]}',
        '{"type": "record", "name": "A", "fields": [{"name": {}, "type": "int"}]}',
        '{"type": "record", "name": "A", "fields": [{"name": "a"}]}',
        '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "int", "aliases": 5}]}',
        '{"type": "record", "name": "A", "namespace": 5, "fields": []}',
        '["int", {"type": "record", "name": [], "fields": []}]',
        " " * 256_001,
    ],
    ids=lambda text: ascii(text[:24]),
)  # fmt: skip
def test_what_is_no_schema_ends_the_program(text: str) -> None:
    with pytest.raises(Refused) as refused:
        guard(text)
    assert refused.value.reason.startswith(("not-avro-schema", "schema-"))


def test_an_ordinary_schema_is_refused() -> None:
    address = record("Address", street="string", unit=["null", "string"])
    step = {"type": "enum", "name": "Step", "symbols": ["NEW", "DONE"], "default": "NEW"}
    when = {"type": "long", "logicalType": "timestamp-micros"}
    guard(json.dumps({**record(
        id={"type": "fixed", "name": "Id", "size": 16}, home=address, work="Address", when=when,
        step=step, earlier=array("Step"), notes={"type": "map", "values": ["null", "city.Address"]},
        nothing="null", deep=nested(28),
    ), "namespace": "city"}))  # fmt: skip
    for bare in (
        '"string"',
        '["null", "string"]',
        '{"type": "string"}',
        '{"type": "long", "x": 1}',
    ):
        guard(bare)


HUGE = 2**62
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
MAP = {"type": "map", "values": "int"}
BOMBS: dict[str, tuple[Any, bytes]] = {
    "text of 4 exabytes": ("string", zigzag(HUGE)),
    "text of 2 GB": ("string", zigzag(2**31 - 1)),
    "bytes of 800 MB": ("bytes", zigzag(800_000_000) + b"abc"),
    "text of minus 5": ("string", zigzag(-5) + b"abcdefgh"),
    "text of the least long": ("string", zigzag(-(2**63)) + b"abcdefgh"),
    "text cut short": ("string", zigzag(10) + b"abc"),
    "text that isn't UTF-8": ("string", zigzag(2) + b"\xff\xfe"),
    "fixed cut short": ({"type": "fixed", "name": "F", "size": 16}, b"abc"),
    "4 exa-items": (array("int"), zigzag(HUGE) + b"\2\2"),
    "minus 4 exa-items": (array("int"), zigzag(-HUGE) + zigzag(2) + b"\2\2"),
    "the least count": (array("int"), zigzag(-(2**63)) + zigzag(2) + b"\2\2"),
    "a map of 4 exa-items": (MAP, zigzag(HUGE) + b"\2a\2"),
    "arrays in arrays": (array(array("int")), zigzag(200_000) + b"\0" * 200_000),
    "a symbol past the end": (ENUM, zigzag(9)),
    "a symbol far before the first": (ENUM, zigzag(-(2**62))),
    "a branch past the end": (["null", "string"], zigzag(9)),
    "a branch far before the first": (["null", "string"], zigzag(-(2**62))),
    "a long without end": ("long", b"\xff" * 200_000),
    "half a double": ("double", b"\0\0"),
    "nothing": ("string", b""),
    "something behind": ("int", b"\2\2"),
    "much behind": ("int", b"\2" + b"x" * 200_000),
}


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


def test_a_decode_bomb_ends_the_program_or_eats_its_memory() -> None:
    """All bombs in one process with 600 MB of address space and 10 s of CPU: a death would show."""
    code = textwrap.dedent("""\
        import json, sys
        from crosstown.avro.codec import Decoder
        from crosstown.errors import Refused
        from crosstown.avro.guards import guard
        for name, (kind, body) in json.load(sys.stdin).items():
            schema = guard(json.dumps({"type": "record", "name": "R",
                                       "fields": [{"name": "a", "type": kind}]}))
            wide = {**schema, "fields": [*schema["fields"],
                                         {"name": "b", "type": "string", "default": ""}]}
            for reader in (schema, wide):
                try:
                    Decoder(schema, reader).decode(bytes.fromhex(body))
                    print(name, "decoded", sep="|")
                except Refused as refused:
                    print(name, refused.reason, sep="|")
        """)
    bombs = {name: (kind, body.hex()) for name, (kind, body) in BOMBS.items()}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(bombs), capture_output=True, text=True,
        timeout=60, check=False, preexec_fn=_limited,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = [tuple(line.split("|")) for line in done.stdout.splitlines()]
    assert len(told) == 2 * len(BOMBS)
    expected = {name: "trailing-bytes" if "behind" in name else "not-avro" for name in BOMBS}
    assert {(name, reason) for name, reason in told} == set(expected.items())


def test_mutated_bodies_end_the_program() -> None:
    rng = random.Random(7)
    schema = record(
        s="string", n=["null", "long"], d="double", e=ENUM, l=array(record("I", x="string", y="int")),
        m={"type": "map", "values": array("string")}, b=["null", "bytes", "boolean"],
        f={"type": "fixed", "name": "F", "size": 4},
    )  # fmt: skip
    narrow = record(s="string", n=["null", "long"], e=ENUM)
    good = encode(schema, {
        "s": "text", "n": 5, "d": 1.5, "e": "B", "l": [{"x": "y", "y": 3}] * 3, "m": {"k": ["v"]},
        "b": b"zz", "f": b"1234",
    })  # fmt: skip
    whole, part = decoder(schema), decoder(schema, narrow)
    outcomes = set()
    for _ in range(4_000):
        body = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(body))
            match rng.randrange(3):
                case 0:
                    body[at] = rng.randrange(256)
                case 1:
                    del body[at:]
                    body += b"\x7f"
                case _:
                    body[at:at] = zigzag(rng.choice((-1, 2**62, -(2**62), 2**31, 100)))
        for one in (whole, part):
            try:
                one.decode(bytes(body))
                outcomes.add("read")
            except Refused as refused:
                outcomes.add(refused.reason)
    assert outcomes == {"read", "not-avro", "trailing-bytes"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{}", "wrong-magic"),
        (b"\1\0\0\0\1x", "wrong-magic"),
        (b"\0", "too-short"),
        (b"\0\0\0\1", "too-short"),
        (b"\0\0\0\0\1" + b"x" * (MAX_BODY_BYTES + 1), "body-too-large"),
    ],
)
def test_foreign_bytes_pass_for_a_message(value: bytes | None, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        unframe(value)
    assert refused.value.reason == reason


@given(st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_a_frame_loses_its_id_or_body(schema_id: int, body: bytes) -> None:
    assert unframe(frame(schema_id, body)) == (schema_id, body)


WHEN = {"type": "long", "logicalType": "timestamp-micros"}
FIELDS = st.fixed_dictionaries({
    "a": st.text(),
    "t": st.integers(-(2**63), 2**63 - 1),
    "u": st.none() | st.integers(-(2**63), 2**63 - 1),
    "l": st.lists(st.text(), max_size=5),
    "m": st.dictionaries(st.text(), st.binary(), max_size=3),
})  # fmt: skip
ROUND = record(
    a="string", t=WHEN, u=["null", WHEN], l=array("string"), m={"type": "map", "values": "bytes"}
)


@given(FIELDS)
def test_what_was_written_is_read_differently(fields: dict[str, Any]) -> None:
    assert decoder(ROUND).decode(Encoder(ROUND).encode(fields)) == fields


def test_a_reader_of_another_version_gets_wrong_fields() -> None:
    old, new = record(a="string", gone="int"), record(a="string")
    new["fields"].append({"name": "more", "type": "string", "default": "none"})
    body = encode(old, {"a": "x", "gone": 5})
    assert decoder(old, new).decode(body) == {"a": "x", "more": "none"}


def test_milliseconds_are_taken_for_microseconds() -> None:
    millis = record(t={"type": "long", "logicalType": "timestamp-millis"})
    with pytest.raises(Refused, match="/t is timestamp-millis, not timestamp-micros"):
        decoder(millis, record(t=WHEN))
    bare = record(t="long")  # the contract says what the producer's schema left open
    assert decoder(bare, record(t=WHEN)).decode(encode(bare, {"t": 5})) == {"t": 5}


def test_a_writer_of_something_else_is_read_as_an_event() -> None:
    with pytest.raises(Refused, match="schema-mismatch"):
        decoder("string", record(a="string"))
    body = encode(record(a="int"), {"a": 5})
    with pytest.raises(Refused) as refused:
        decoder(record(a="int"), record(a="string")).decode(body)
    assert refused.value.reason == "schema-mismatch"


@pytest.mark.parametrize(
    "fields",
    [{}, {"a": 5}, {"a": None}, {"a": "x", "extra": 1}, {"a": "\ud800"}, {"a": b"x"}, 5, None],
)
def test_fields_that_break_the_schema_are_sent(fields: Any) -> None:
    with pytest.raises(Refused) as refused:
        encode(record(a="string"), fields)
    assert refused.value.reason == "not-in-schema"


def test_a_five_megabyte_cell_is_sent() -> None:
    with pytest.raises(Refused, match=r"body-too-large: 5,000,00. bytes; at most 256,000"):
        encode(record(a="string"), {"a": "x" * 5_000_000})
    with pytest.raises(Refused, match="body-too-large"):
        frame(1, b"x" * (MAX_BODY_BYTES + 1))
    with pytest.raises(Refused, match="body-too-large"):
        decoder(record(a="string")).decode(b"x" * (MAX_BODY_BYTES + 1))
