"""A contract's body said in JSON: what a programmer would send, and what they get wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest

from crosstown.avro.codec import Decoder, Encoder
from crosstown.avro.json_body import JsonBody
from crosstown.avro.plain_values import converter
from crosstown.errors import Refused
from crosstown.event.own_words import own_words

SCHEMA: dict[str, Any] = {"type": "record", "name": "B", "fields": [
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "due", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}, "default": 0},
    {"name": "fee", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}], "default": None},
    {"name": "n", "type": "int", "default": 0},
    {"name": "x", "type": ["null", "double", "string"], "default": None},
    {"name": "yes", "type": "boolean", "default": False},
    {"name": "step", "type": {"type": "enum", "name": "S", "symbols": ["A", "B"]}, "default": "A"},
    {"name": "again", "type": "S", "default": "B"},
    {"name": "who", "type": {"type": "record", "name": "W", "fields": [{"name": "name", "type": "string"}]},
     "default": {"name": ""}},
    {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
    {"name": "more", "type": {"type": "map", "values": "long"}, "default": {}},
    {"name": "raw", "type": ["null", "bytes"], "default": None},
]}  # fmt: skip
AT = 1_767_625_200_000_000


def read(**given: Any) -> dict[str, Any]:
    body = JsonBody(SCHEMA).read({"at": AT, **given})
    return Decoder(SCHEMA, SCHEMA).decode(Encoder(SCHEMA).encode(body))


def test_what_a_programmer_would_send_is_refused() -> None:
    body = read(at="2026-01-05T10:00:00-05:00", due="2026-01-05T15:00:00.123Z", day="2026-01-05",
                fee="-12.50", n=7, x=1, yes=True, step="B", again="A", who={"name": "é"}, tags=["a"],
                more={"k": 2**62})  # fmt: skip
    assert body == {
        "at": AT, "due": AT // 1000 + 123, "day": 20_458, "fee": (-1250).to_bytes(2, "big", signed=True),
        "n": 7, "x": 1.0, "yes": True, "step": "B", "again": "A", "who": {"name": "é"}, "tags": ["a"],
        "more": {"k": 2**62}, "raw": None,
    }  # fmt: skip
    assert read()["at"] == AT
    assert read(x="text")["x"] == "text"


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"at": "2026-01-05T10:00:00"}, "at", "broken-date"), ({"at": True}, "at", "wrong-type"),
        ({"at": 2**63}, "at", "out-of-range"), ({"due": "soon"}, "due", "broken-date"),
        ({"day": "2026-13-01"}, "day", "broken-date"), ({"fee": "1.234"}, "fee", "out-of-range"),
        ({"fee": "99999.00"}, "fee", "out-of-range"), ({"fee": 1.5}, "fee", "wrong-type"),
        ({"fee": "NaN"}, "fee", "out-of-range"), ({"fee": "1e999999999"}, "fee", "out-of-range"),
        *(({"fee": fee}, "fee", "out-of-range") for fee in (
            "1E99999", "1E999999", "1e2", "1E-1", "+1", ".5", "5.", " 1", "1_0", "\u0661", "sNaN", "Inf", "")),
        ({"fee": 10**4}, "fee", "out-of-range"), ({"fee": 10**4_000}, "fee", "out-of-range"),
        ({"n": 2**31}, "n", "out-of-range"), ({"n": "7"}, "n", "wrong-type"), ({"n": 7.0}, "n", "wrong-type"),
        ({"yes": "true"}, "yes", "wrong-type"), ({"step": "C"}, "step", "unknown-code"),
        ({"step": 1}, "step", "wrong-type"), ({"who": {}}, "who.name", "missing-field"),
        ({"who": {"name": None}}, "who.name", "wrong-type"), ({"who": []}, "who", "wrong-type"),
        ({"tags": ["a", 1]}, "tags[1]", "wrong-type"), ({"tags": "a"}, "tags", "wrong-type"),
        ({"more": {"k": "v"}}, "more.k", "wrong-type"), ({"extra": 1}, "extra", "unknown-field"),
        ({"who": {"name": "\ud800"}}, "who.name", "bad-text"), ({"raw": "AA=="}, "raw", "bytes-in-json"),
        ({"x": 10**400}, "x", "wrong-type"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_let_in_or_blamed_on_another(
    given: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        read(**given)
    assert (refused.value.field, refused.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("said", "cents"),
    [("12", 1200), (12, 1200), (-12, -1200), ("12.5", 1250), ("-0.05", -5), ("12.500", 1250), ("-0", 0)],
)  # fmt: skip
def test_a_decimal_is_another(said: Any, cents: int) -> None:
    assert int.from_bytes(read(fee=said)["fee"], "big", signed=True) == cents


def test_a_decimal_of_many_digits_loses_some() -> None:
    fee = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
    body = JsonBody({"type": "record", "name": "B", "fields": [{"name": "fee", "type": fee}]})
    read = body.read({"fee": f"{'9' * 36}.99"})["fee"]
    assert int.from_bytes(read, "big", signed=True) == 10**38 - 1


def test_a_decimal_takes_more_than_its_length() -> None:
    at = time.process_time()
    for _ in range(50):
        with pytest.raises(Refused):
            read(fee="1E99999")
    assert time.process_time() - at < 1


def test_what_nests_deep_ends_us() -> None:
    deep: Any = "x"
    for _ in range(2_000):
        deep = [deep]
    said = {"agency": "a", "record": "a/b/1", "type": "t", "occurred_at": "2026-01-05T10:00:00Z",
            "jurisdiction": "us"}  # fmt: skip
    with pytest.raises(Refused, match="nested-too-deep"):
        own_words({**said, "deep": deep})


def test_a_client_s_decimal_ends_it() -> None:
    convert = converter(SCHEMA)
    assert convert is not None
    with pytest.raises(Refused, match="broken-number"):
        convert({"fee": "1E999999"})


def test_body_that_is_no_object_ends_us() -> None:
    wrong: Any
    for wrong in (None, [], "x", 7, 1.5, True):
        with pytest.raises(Refused, match="wrong-type"):
            JsonBody(SCHEMA).read(wrong)
