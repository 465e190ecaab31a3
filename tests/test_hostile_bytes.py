"""Whatever somebody produces straight to a topic: a dead letter with its bytes, and life goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from installation import Installation

from crosstown.avro.codec import encode, frame
from crosstown.contracts.repository import Repository
from crosstown.registry.client import Registry

TOPIC = "events.millbrook-311.events"
CONTRACT = Repository.load().contracts["any/events"]
OTHER = {"type": "record", "name": "Other", "fields": [{"name": "n", "type": "long"}]}
NULLS = {
    "type": "record", "name": "Nulls",
    "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}],
}  # fmt: skip
NESTED = {
    "type": "record", "name": "Nested",
    "fields": [{"name": "in", "type": ["null", "Nested"]}],
}  # fmt: skip
TWO_BILLION = b"\x80\xa8\xd6\xb9\x0e\x00"
NOISE = random.Random(0).randbytes(1_048_400)
"""In one of twelve such megabytes something seems to be an e-mail address, and they'd stay closed."""
MARCH = 1_772_440_200_000_000


@dataclass(frozen=True)
class Bytes:
    """One message, and the reason why it can't be accepted."""

    name: str
    reason: str
    value: bytes | None
    headers: tuple[tuple[str, str | bytes], ...] = ()
    topic: str = TOPIC
    detail: str = ""


def body(number: str, **more: Any) -> bytes:
    """An event of Millbrook's, as Avro."""
    return encode(CONTRACT.schema, {
        "agency": "millbrook-311", "record": f"millbrook-311/request/{number}",
        "type": "request.opened", "occurred_at": MARCH, "jurisdiction": "us-xx-millbrook", **more,
    })  # fmt: skip


def hostile(ours: int, other: int) -> list[Bytes]:
    """What goes wrong in messages; `ours` and `other` are ids of schemas that are registered."""
    good = body("H-0")

    def said(**more: Any) -> bytes:
        return frame(ours, body("H-1", **more))

    hour = 3_600_000_000
    huge_count = good[: -len(b"\0\0\0\0")] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    return [
        Bytes("a picture", "wrong-magic", b"\x89PNG\r\n\x1a\n" + os.urandom(64)),
        Bytes("plain JSON", "wrong-magic", b'{"agency": "millbrook-311"}'),
        Bytes("another magic byte", "wrong-magic", b"\x01" + frame(ours, good)[1:]),
        Bytes("an id that nobody registered", "unknown-schema", frame(2_000_000, good)),
        Bytes("too short for an id", "too-short", b"\0\0\0"),
        Bytes("no body", "not-avro", frame(ours, b"")),
        Bytes("a tombstone", "empty", None),
        Bytes("no bytes", "empty", b""),
        Bytes("two billion items", "not-avro", frame(ours, huge_count)),
        Bytes("cut off", "not-avro", frame(ours, good[:-20])),
        Bytes("random", "not-avro", frame(ours, b"\xff" * 200)),
        Bytes("more behind it", "trailing-bytes", frame(ours, good + b"\0")),
        Bytes("300 kB", "body-too-large", b"\0" + ours.to_bytes(4) + b"x" * 300_000),
        Bytes("900 kB", "body-too-large", b"\0" + ours.to_bytes(4) + b"x" * 900_000),
        Bytes("as large as Kafka takes", "body-too-large",
              b"\0" + ours.to_bytes(4) + NOISE),
        Bytes("another schema", "schema-mismatch", frame(other, b"\x02")),
        Bytes("said tomorrow", "known-in-the-future", said(),
              (("known_at", str(time.time_ns() // 1000 + 2 * hour)),)),
        Bytes("no time", "bad-header", said(), (("known_at", b"\xff\xfe"),), detail="known_at"),
        Bytes("no such way", "bad-header", said(), (("via", "pigeon"),), detail="pigeon"),
        Bytes("a stranger's", "agency-of-another", said(agency="eastvale-311"), detail="eastvale"),
        Bytes("nobody's", "unknown-agency", said(agency="atlantis-311"), detail="atlantis"),
        Bytes("nowhere", "unknown-jurisdiction", said(jurisdiction="us-xx-atlantis")),
        Bytes("another's record", "record-of-another", said(record="eastvale-311/request/1")),
        Bytes("a bare number", "bad-record", said(record="4711")),
        Bytes("a long number", "record-too-long", said(record=f"millbrook-311/r/{'9' * 200}")),
        Bytes("many refs", "too-many-refs", said(refs=["eastvale-311/request/1"] * 17)),
        Bytes("the year 9999", "time-out-of-range", said(occurred_at=253_370_764_800_000_000)),
        Bytes("no contract", "no-contract", frame(ours, good), topic="events.millbrook-311.dreams"),
        Bytes("no agency", "agency-of-another", frame(ours, good), topic="events.atlantis.events"),
    ]  # fmt: skip


def test_garbage_in_timelines_stops_casebook(installation: Installation) -> None:
    before, lived = installation.stats(), restarts(installation)
    ours, _ = ids(installation)
    installation.topic(TOPIC)
    garbage = [b"garbage", b"", b"\0\0\0\0\1" + b"\xff" * 500]
    with installation.producer() as theirs:
        for value in garbage:
            theirs.produce("timelines", value, key=b"no key of ours", partition=3)
            theirs.produce("dead-letters", value, key=b"no key of ours")
        theirs.produce(TOPIC, frame(ours, body("T-1")))
    installation.stats()
    assert installation.case("millbrook-311/request/T-1")["events"] == 1
    wanted = before["dead_letters"] + 2 * len(garbage)
    for _ in range(20):  # the watcher tells of those in timelines in its own time
        after = installation("stats", "-o", "json").ok().json()
        if after["dead_letters"] == wanted:
            break
        time.sleep(0.5)
    assert after["dead_letters"] == wanted, after["dead_letters_by_reason"]
    assert restarts(installation) == lived


def restarts(installation: Installation) -> dict[str, int]:
    """How often each process was started again."""
    status = installation("status", "-o", "json").ok().json()
    return {one["name"]: one["restarts"] for one in status["processes"]}


def ids(installation: Installation) -> tuple[int, int]:
    """The ids of Millbrook's schema, and of another that isn't a contract's."""
    with Registry.at(installation.settings, installation.where) as registry:
        return (registry.register(f"{TOPIC}-value", CONTRACT.schema_text),
                registry.register("other-value", json.dumps(OTHER)))  # fmt: skip


def test_hostile_bytes_stop_intake_or_vanish(installation: Installation) -> None:
    ours, other = ids(installation)
    bad = hostile(ours, other)
    for topic in {TOPIC, *(one.topic for one in bad)}:
        installation.topic(topic)
    before, lived = installation.stats(), restarts(installation)
    refs = ["millbrook-311/request/H-before"]
    with installation.producer(message_max_bytes=2_000_000) as theirs:
        theirs.produce(TOPIC, frame(ours, body("H-before")), key=b"\xff\0 no partitioner of ours")
        for one in bad:
            theirs.produce(one.topic, one.value, headers=list(one.headers), key=one.name)
        theirs.produce(TOPIC, frame(ours, body("H-after", refs=refs)))
    after = installation.stats()

    assert after["dead_letters"] - before["dead_letters"] == len(bad)
    letters = [
        letter
        for topic in {one.topic for one in bad}
        for letter in installation.dead_letters(topic)
    ]
    assert not [letter for letter in letters if letter["key"] is None], "closed"
    found = {letter["key"].decode(): letter for letter in letters}
    for one in bad:
        letter = found[one.name]
        assert letter["reason"] == one.reason, (one.name, letter["detail"])
        assert letter["value"] == one.value, f"{one.name}: its bytes are others"
        assert one.detail in letter["detail"]
        told = [(header["name"], header["value"]) for header in letter["headers"]]
        assert told == [
            (name, value if isinstance(value, bytes) else value.encode())
            for name, value in one.headers
        ]
        assert (letter["partition"], letter["topic"]) == (0, one.topic)
    assert len({(one["topic"], one["offset"]) for one in found.values()}) == len(bad)

    assert installation.case("millbrook-311/request/H-after")["records"] == [
        "millbrook-311/request/H-after", "millbrook-311/request/H-before",
    ], "what was good before and after them is joined"  # fmt: skip
    assert restarts(installation) == lived, "something has died of it"


@pytest.mark.parametrize(
    ("schema", "reason"), [(NULLS, "schema-empty-items"), (NESTED, "schema-recursive")],
    ids=["nulls", "nested"],
)  # fmt: skip
def test_bomb_is_registered(
    installation: Installation, schema: dict[str, Any], reason: str
) -> None:
    answer = httpx.post(
        f"{installation.where.registry}/subjects/bomb-value/versions",
        json={"schema": json.dumps(schema)},
    )
    assert answer.status_code == 422
    assert reason in answer.json()["message"]


def test_bomb_in_registrys_own_topic_kills_intake(installation: Installation) -> None:
    """Whoever may write the registry's topic gets past its door, not past intake's."""
    bombs = {31_001: (NULLS, TWO_BILLION), 31_002: (NESTED, b"\x02" * 200_000)}
    with installation.producer() as theirs:
        for schema_id, (schema, _) in bombs.items():
            subject = f"bomb-{schema_id}-value"
            key = {"keytype": "SCHEMA", "subject": subject, "version": 1, "magic": 1}
            value = {"subject": subject, "version": 1, "id": schema_id, "deleted": False,
                     "schema": json.dumps(schema)}  # fmt: skip
            theirs.produce(
                "_schemas", json.dumps(value), key=json.dumps(key, separators=(",", ":"))
            )
    ended = next(one for one in installation("status", "-o", "json").json()["processes"]
                 if one["name"] == "registry")  # fmt: skip
    os.kill(ended["pid"], signal.SIGKILL)
    served = wait_for_schema(installation, 31_002)
    assert served, "the registry reads its topic when it starts"
    installation.topic(TOPIC)
    lived = restarts(installation)["intake"]
    with installation.producer() as theirs:
        for schema_id, (_, bomb) in bombs.items():
            theirs.produce(TOPIC, frame(schema_id, bomb), key=f"bomb {schema_id}")
    began = time.monotonic()
    installation.stats()
    assert time.monotonic() - began < 20
    letters = {one["key"]: one for one in installation.dead_letters(TOPIC)}
    assert letters[b"bomb 31001"]["reason"] == "schema-empty-items"
    assert letters[b"bomb 31002"]["reason"] == "schema-recursive"
    assert letters[b"bomb 31002"]["value"] == frame(31_002, bombs[31_002][1])
    assert restarts(installation)["intake"] == lived


def wait_for_schema(installation: Installation, schema_id: int) -> bool:
    """Whether the registry, started again, serves a schema within ten seconds."""
    for _ in range(100):
        try:
            url = f"{installation.where.registry}/schemas/ids/{schema_id}"
            if httpx.get(url).status_code == 200:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    return False


def test_garbage_in_accepted_stops_cases(installation: Installation) -> None:
    """Only intake writes `accepted`; an operator's mistake must not be everybody's."""
    before, lived = installation.stats(), restarts(installation)
    ours, _ = ids(installation)
    installation.topic(TOPIC)
    garbage: list[bytes | None] = [
        b"garbage", b"", None, b"\0\0\0\0\1" + b"\xff" * 500, b"\0\0\0\0\1" + b"\x02a" * 16,
        b"\0\0\0\0\1" + body("G-0"), b"\0" * 3, b"\0\0\0\0\1" + TWO_BILLION * 20,
    ]  # fmt: skip
    with installation.producer() as theirs:
        for partition in range(5):
            for value in garbage:
                theirs.produce("accepted", value, key=b"no key of intake's", partition=partition)
    with installation.producer() as theirs:
        theirs.produce(TOPIC, frame(ours, body("G-1")))
    after = installation.stats()
    assert after["dead_letters"] - before["dead_letters"] == 5 * len(garbage)
    assert after["events"] - before["events"] == 1
    letters = installation.dead_letters("accepted")
    assert {one["reason"] for one in letters} == {"not-from-intake"}
    assert [one["value"] for one in letters if one["partition"] == 4] == garbage
    assert restarts(installation) == lived
