"""Canaries in free text, through real Kafka: where they are found again who looks everywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
from chaos import until
from confluent_kafka import Consumer, TopicPartition
from installation import Installation, Said, call, line

from crosstown.backbone import kafka

MASKED: Final = {
    "phone": "857-555-0142", "email": "canary.bird@example.org", "ssn": "219-09-9999",
    "card": "5105 1051 0510 5100", "name": "Ottoline Quisling",
}  # fmt: skip
REFUSED: Final = {
    "phone": "781.555.0177", "email": "other.bird@example.net", "ssn": "457-55-5462",
    "card": "3782 822463 10005",
}  # fmt: skip
FLAGGED: Final = "617-555-0199"
CONTROL: Final = "heronfeather"
NOWHERE: Final = (*MASKED.values(), *REFUSED.values(), "Quisling")
"""What no contract lets anybody see."""
CONTRACTS: Final = {
    "calls": ("mask", "{text}"), "tips": ("flag", "{text}"), "forms": ("refuse", "A form"),
}  # fmt: skip
YAML: Final = """apiVersion: v3.1.0
kind: DataContract
id: millbrook-311/NAME
version: 1.0.0
status: active
customProperties:
  - property: crosstown
    value:
      screening:
        fields: {text: ACTION}
        names: [caller]
      envelope:
        agency: {constant: millbrook-311}
        record: {template: "millbrook-311/NAME/{number}"}
        type: {constant: text.taken}
        step: {field: state, crosswalk: {new: REPORTED}}
        occurred_at: {field: at}
        jurisdiction: {constant: us-xx-millbrook}
        headline: {template: "HEADLINE"}
"""
SCHEMA: Final = {"type": "record", "name": "Text", "fields": [
    {"name": "number", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "state", "type": "string"}, {"name": "caller", "type": "string"},
    {"name": "text", "type": "string"},
]}  # fmt: skip


def topic(name: str) -> str:
    return f"events.millbrook-311.{name}"


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canaries") / "schemas"
    shutil.copytree(str(files("schemas")), folder)
    (folder / "millbrook-311").mkdir()
    for name, (action, headline) in CONTRACTS.items():
        text = YAML.replace("NAME", name).replace("ACTION", action).replace("HEADLINE", headline)
        (folder / f"millbrook-311/{name}.v1.yaml").write_text(text, "utf-8")
        (folder / f"millbrook-311/{name}.v1.avsc").write_text(json.dumps(SCHEMA), "utf-8")
    return folder


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, schemas: Path) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("canary-city")
    try:
        call(home, "up", "--detach", CROSSTOWN_SCHEMAS=str(schemas)).ok()
        yield Installation(home)
    finally:
        call(home, "down")


def message(city: Installation, name: str, number: str, text: str, **more: Any) -> bytes:
    """A framed body, as the agency's own producer writes it."""
    from crosstown.avro.codec import Encoder, frame
    from crosstown.registry.client import Registry

    registry = Registry.at(city.settings, city.where)
    schema_id = registry.register(f"{topic(name)}-value", json.dumps(SCHEMA))
    registry.close()
    said = {"number": number, "at": 1_772_440_200_000_000, "state": "new",
            "caller": MASKED["name"], "text": text, **more}  # fmt: skip
    return frame(schema_id, Encoder(SCHEMA).encode(said))


def everything(city: Installation) -> Iterator[tuple[str, bytes]]:
    """Each key, value and header of each topic, with the name of the topic."""
    reader = Consumer(
        kafka.consumer(city.settings, city.where, group_id="canaries", enable_partition_eof=True)
        | {"isolation.level": "read_uncommitted"}
    )
    topics = reader.list_topics(timeout=10).topics
    places = [TopicPartition(name, one, 0) for name, about in topics.items()
              for one in about.partitions if not name.startswith("__")]  # fmt: skip
    waiting = {(place.topic, place.partition) for place in places}
    reader.assign(places)
    try:
        while waiting:
            one = reader.poll(20)
            assert one is not None, waiting
            if one.error() is not None:
                waiting.discard((one.topic(), one.partition()))
                continue
            for part in (one.key(), one.value(), *(data for _, data in one.headers() or ())):
                yield one.topic(), part or b""
    finally:
        reader.close()


def seen(data: bytes) -> list[str]:
    return [one for one in NOWHERE if one.encode() in data]


def without_names(data: bytes) -> list[str]:
    """Likewise, but for the field that is said to hold a name: it goes on as it is."""
    return seen(data.replace(MASKED["name"].encode(), b"", 1))


def test_a_canary_gets_out(city: Installation, schemas: Path, tmp_path: Path) -> None:
    env = {"CROSSTOWN_SCHEMAS": str(schemas)}

    def ask(*words: str, stdin: str = "") -> Said:
        return city(*words, stdin=stdin, **env)

    masked = f"{CONTROL} " + ", ".join(MASKED.values())
    sent = {name: message(city, name, "1", text) for name, text in (
        ("calls", masked), ("tips", f"{CONTROL} {FLAGGED}"),
    )}  # fmt: skip
    city.topic(topic("unheard-of"))
    with city.producer() as theirs:
        for name, body in sent.items():
            theirs.produce(topic(name), body, b"1", headers={"note": MASKED["email"].encode()})
        for number, (kind, canary) in enumerate(REFUSED.items()):
            theirs.produce(
                topic("forms"), message(city, "forms", kind, f"{CONTROL} {canary}"), canary.encode()
            )
            theirs.produce(topic("calls"), message(city, "calls", "", canary), str(number))
            theirs.produce(topic("calls"), message(city, "calls", "2", CONTROL, state=canary))
            theirs.produce(topic("calls"), message(city, "calls", "3", canary) + b"x")
            theirs.produce(topic("unheard-of"), canary.encode(), headers={"x": canary.encode()})
            theirs.produce(topic("calls"), b"\0\0", canary.encode())

    # what people and lines say, under the contracts that ship
    rows = tmp_path / "lines.jsonl"
    rows.write_text(
        line("C-1", details=masked.replace(MASKED["name"], CONTROL), phone=8575550142)
        + line("C-2", occurred_at=f"call {MASKED['phone']}", details=MASKED["email"]), "utf-8",
    )  # fmt: skip
    published = ask("publish", "events", str(rows))
    assert published.code == 3
    word = ("--by", "desk 4", "--agency", "riverton-311")
    ask("stats", "--wait").ok()
    numbers = ", ".join(REFUSED.values())
    said = [ask("note", "riverton-311/request/C-1", f"{CONTROL} {numbers}", *word),
            ask("apart", "riverton-311/request/C-1", "--because", f"{CONTROL} {numbers}", *word)]  # fmt: skip
    assert [one.code for one in said] == [0, 0], said
    until(lambda: city.stats()["dead_letters"] >= 6 * len(REFUSED))
    stats = city.stats()
    assert stats["dead_letters_by_reason"]["screened"] == len(REFUSED)
    assert stats["dead_letters"] == 6 * len(REFUSED)

    # every record, key and header of every topic but the agencies' own
    control: dict[str, int] = {}
    for name, data in everything(city):
        if not name.startswith("events."):
            assert without_names(data) == [], (name, data)
        control[name] = control.get(name, 0) + (CONTROL.encode() in data)
    assert control["accepted"] >= 4
    assert control["timelines"] >= 4
    assert any(MASKED["phone"].encode() in data for name, data in everything(city)
               if name == topic("calls")), "the agency's own words stay in its own topic"  # fmt: skip
    flagged = [
        data for name, data in everything(city) if name == "accepted" and FLAGGED.encode() in data
    ]
    assert len(set(flagged)) == 1  # what an aborted transaction wrote is read here, too
    assert b"screened_phone" in flagged[0]

    # every file of the home but Kafka's, and the rejects
    looked = 0
    for file in [*city.home.rglob("*"), Path(f"{rows}.rejects.csv")]:
        if file.is_file() and "kafka" not in file.relative_to(file.anchor).parts:
            looked += 1
            assert [one for one in NOWHERE if one.encode() in file.read_bytes()
                    and one not in (MASKED["name"], "Quisling")] == [], file  # fmt: skip
    assert looked > 6
    assert "[phone]" in Path(f"{rows}.rejects.csv").read_text("utf-8")

    # every answer of the command line
    letters = ask("dead-letters", "list", "-o", "json").ok().lines()
    shows = [ask("dead-letters", "show", one["name"], *more).ok() for one in letters[:6]
             for more in ((), ("-o", "json"))]  # fmt: skip
    answers = [
        published, *shows, *(ask(*words) for words in (
            ("stats",), ("cases",), ("case", "millbrook-311/calls/1"), ("case", "riverton-311/request/C-1"),
            ("case", "millbrook-311/calls/1", "-o", "json"), ("case", "riverton-311/request/C-1", "-o", "json"),
            ("tail", "accepted", "-n", "50"), ("tail", "timelines", "-n", "50"), ("tail", "dead-letters", "-n", "50"),
            ("tail", "dead-letters", "-n", "50", "-o", "json"), ("tail", topic("calls"), "-n", "50"),
            ("dead-letters",), ("dead-letters", "replay"), ("dead-letters", "replay", "-o", "json"), ("status",),
        )),
    ]  # fmt: skip
    for answer in answers:
        assert seen((answer.out + answer.err).encode()) == [], answer
    assert CONTROL in ask("case", "millbrook-311/calls/1").out
    (entry,) = city.case("millbrook-311/calls/1")["entries"]
    assert entry["headline"] == f"{CONTROL} [phone], [e-mail], [ssn], [card], [name]"

    # SQL sees the same as everybody after intake
    rows_ = ask("sql", "SELECT * FROM events", "-o", "json").ok().out
    assert CONTROL in rows_
    assert without_names(rows_.encode()) == []

    # mended, what was refused is said again from where it lay; what is there no more isn't
    (one, *_) = [row for row in letters if row["reason"] == "screened"]
    assert "it holds no bytes" in ask("dead-letters", "show", one["name"]).ok().out
    assert ask("dead-letters", "show", one["name"], "--raw", str(tmp_path / "x")).code == 2
    file = schemas / "millbrook-311/forms.v1.yaml"
    file.write_text(file.read_text("utf-8").replace("text: refuse", "text: mask"), "utf-8")
    tried = ask("dead-letters", "replay", "--reason", "screened", "-o", "json").ok().json()
    assert tried["would_pass"] == len(REFUSED)
    ask("dead-letters", "replay", one["name"], "--yes").ok()
    until(lambda: ask("case", f"millbrook-311/forms/{next(iter(REFUSED))}").code == 0)
    cut(city, topic("forms"))
    left = ask("dead-letters", "replay", "--reason", "screened", "-o", "json").ok().json()
    assert [(row["reason"], row["letters"]) for row in left["refused"]] == [
        ("gone", len(REFUSED) - 1)
    ]
    for name, data in everything(city):
        assert name.startswith("events.") or without_names(data) == [], (name, data)


def cut(city: Installation, name: str) -> None:
    """Delete all of a topic's records, as retention does."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(kafka.client(city.settings, city.where))
    for future in admin.delete_records([TopicPartition(name, 0, -1)]).values():
        future.result(timeout=30)
