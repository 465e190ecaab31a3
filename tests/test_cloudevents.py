"""CloudEvents out of requests: what the official SDK sends, and what nobody should."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent as TheirEvent

from crosstown.errors import Refused
from crosstown.event.cloudevents import BATCH, STRUCTURED, Broken, CloudEvent, events

DATA = {"record": "a/b/1", "note": "Größe \u20ac"}
LEAST: dict[str, Any] = {
    "specversion": "1.0", "id": "1", "source": "/s", "type": "events", "data": DATA,
}  # fmt: skip
HEADERS = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "events",
           "Content-Type": "application/json"}  # fmt: skip


def theirs(**more: Any) -> TheirEvent:
    about = {"id": 'a "b" 100% €', "source": "/city/ü", "type": "events",
             "time": dt.datetime(2026, 1, 5, tzinfo=dt.UTC), "datacontenttype": "application/json"}  # fmt: skip
    return TheirEvent(about | more, DATA)


def one(headers: dict[str, str], body: Any) -> CloudEvent | Broken:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    (found,) = events(list(headers.items()), data)
    return found


def structured(**more: Any) -> CloudEvent | Broken:
    return one({"Content-Type": STRUCTURED}, {**LEAST, **more})


@pytest.mark.parametrize(
    "made", [to_binary_event, to_structured_event], ids=["binary", "structured"]
)
def test_sdk_is_not_understood(made: Any) -> None:
    message = made(theirs())
    found = one(message.headers, message.body)
    assert found == CloudEvent('a "b" 100% €', "/city/ü", "events", DATA)


def test_batch_of_the_sdk_is_not_understood() -> None:
    bodies = [to_structured_event(theirs(id=str(n))).body for n in range(3)]
    batch = b"[" + b",".join(bodies) + b"]"
    found = events([("content-type", f"{BATCH}; charset=UTF-8")], batch)
    assert [one.id for one in found] == ["0", "1", "2"]
    assert events([("Content-Type", BATCH)], b"[]") == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"), ('"with \\"quotes\\" and %41"', 'with "quotes" and A'),
     ("%e2%82%ac", "€"), ("100%25", "100%"), ("%2525", "%25"), ("a+b", "a+b")],
)  # fmt: skip
def test_header_is_decoded_wrongly(said: str, meant: str) -> None:
    found = one({**HEADERS, "ce-id": said}, DATA)
    assert found.id == meant


@pytest.mark.parametrize("said", ["%C0%A0", "%ff", "é"])
def test_header_that_is_no_text_gets_in(said: str) -> None:
    with pytest.raises(Refused, match="bad-header"):
        one({**HEADERS, "ce-id": said}, DATA)


def test_header_twice_means_either() -> None:
    with pytest.raises(Refused, match="stands-twice"):
        events([*HEADERS.items(), ("CE-ID", "2")], b"{}")


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"Content-Type": "text/csv"}, b"a,b", "content-type"),
        ({"Content-Type": "application/cloudevents+avro"}, b"", "content-type"),
        ({"Content-Type": f"{STRUCTURED}; charset=latin-1"}, b"{}", "content-type"),
        ({"Content-Type": "application/json"}, b"{}", "no-event"),
        ({"Content-Type": STRUCTURED}, b"", "not-json"),
        ({"Content-Type": STRUCTURED}, b"{\xff}", "not-utf-8"),
        ({"Content-Type": STRUCTURED}, b'{"id": "1", "id": "2"}', "not-json"),
        ({"Content-Type": STRUCTURED}, b'{"data": NaN}', "not-json"),
        ({"Content-Type": STRUCTURED}, b'{"data": 1e999}', "not-json"),
        ({"Content-Type": STRUCTURED}, b'{"data": ' + b"[" * 100_000, "not-json"),
        ({"Content-Type": STRUCTURED}, b'{"data": ' + b"9" * 10_000 + b"}", "not-json"),
        ({"Content-Type": BATCH}, b"{}", "not-json"),
        ({"Content-Type": BATCH}, b"[" + b"{}," * 1_000 + b"{}]", "too-many-events"),
        (HEADERS, b"{", "not-json"),
    ],
    ids=range(14),
)  # fmt: skip
def test_unreadable_request_is_guessed_at(
    headers: dict[str, str], body: bytes, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        events(list(headers.items()), body)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("more", "field", "reason"),
    [
        *(({name: None}, name, "missing-attribute") for name in ("specversion", "id", "source", "type")),
        *(({name: ""}, name, "missing-attribute") for name in ("id", "source", "type")),
        ({"id": 7}, "id", "bad-attribute"), ({"specversion": "0.3"}, "specversion", "bad-attribute"),
        ({"time": "yesterday"}, "time", "bad-attribute"), ({"time": "2026-01-05T10:00:00"}, "time", "bad-attribute"),
        ({"id": "x" * 1025}, "id", "bad-attribute"), ({"id": "a\x00"}, "id", "bad-attribute"),
        ({"id": "\ud800"}, "id", "bad-attribute"), ({"Upper": "x"}, "Upper", "bad-attribute"),
        ({"ext": {}}, "ext", "bad-attribute"), ({"datacontenttype": "text/xml"}, "datacontenttype", "bad-attribute"),
        ({"data": None}, "data", "no-data"), ({"data_base64": "e30="}, "data_base64", "bad-attribute"),
    ],
)  # fmt: skip
def test_event_that_is_none_gets_in_or_stops_the_batch(
    more: dict[str, Any], field: str, reason: str
) -> None:
    found = structured(**more)
    assert isinstance(found, Broken), found
    assert (found.why.field, found.why.reason) == (field, reason)
    batch = json.dumps([LEAST, {**LEAST, **more}, 7]).encode()
    first, second, third = events([("Content-Type", BATCH)], batch)
    assert isinstance(first, CloudEvent)
    assert isinstance(second, Broken)
    assert isinstance(third, Broken)


def test_what_the_spec_allows_is_refused() -> None:
    for more in ({"ext": 1}, {"ext": True}, {"subject": "x"}, {"dataschema": "urn:x"}, {"time": None},
                 {"datacontenttype": "application/vnd.x+json"}):  # fmt: skip
        assert isinstance(structured(**more), CloudEvent), more
    coded = {k: v for k, v in LEAST.items() if k != "data"} | {"data_base64": "eyJhIjogMX0="}
    found = one({"Content-Type": STRUCTURED}, coded)
    assert isinstance(found, CloudEvent)
    assert found.data == {"a": 1}
