"""Somebody is forgotten, on real Kafka: a canary is found everywhere before, and nowhere after."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from chaos import until
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from installation import Installation, call, line

from crosstown.avro.codec import frame
from crosstown.backbone import kafka
from crosstown.contracts.repository import Repository
from crosstown.erasure.elsewhere import _RECORD, names_in
from crosstown.erasure.forgetting import is_of
from crosstown.errors import Refused
from crosstown.formats import plain
from crosstown.home import Endpoints, Home
from crosstown.registry.own_values import own_values
from crosstown.registry.read_back import Reading
from crosstown.settings import Settings

CANARY = "Quillfeather7Q9"
RECORD = f"xx-county-health/visit/{CANARY}"
OTHER = "riverton-311/request/ERS-1"
PLACE = {"place": "address:5-erasure-st", "concern": "housing-condition"}
WHY = ("--because", "records rule 7", "--by", "records officer", "--yes")
SOON = {"CROSSTOWN_ERASURE_HOURS": "0.001", "CROSSTOWN_WATCH_SECONDS": "1",
        "CROSSTOWN_KEEP_SECONDS": "0.5"}  # fmt: skip


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("erasure")
    try:
        call(home, "up", "--detach", "--partitions", "3", **SOON).ok()
        yield Installation(home)
    finally:
        call(home, "down")


def places(installation: Installation) -> set[str]:
    """Every topic and file in which the canary is: keys, values and headers, uncommitted ones too."""
    found = {topic for topic, data in everything(installation) if CANARY.encode() in data}
    home = installation.home
    found |= {
        "state" if file.parent.name == "state" else file.name
        for file in [*home.glob("*.sqlite*"), *home.glob("state/*.sqlite*"), *home.glob("*.csv"), *home.glob("logs/*.log"),
                     *home.glob("run/*.json")]
        if CANARY.encode() in file.read_bytes()
    }  # fmt: skip
    return found


def everything(installation: Installation) -> Iterator[tuple[str, bytes]]:
    settings, where = installation.settings, installation.where
    reader = Consumer(
        kafka.consumer(
            settings, where, group_id="canary", enable_partition_eof=True,
            isolation_level="read_uncommitted", fetch_wait_max_ms=20,
        )
    )  # fmt: skip
    topics = AdminClient(kafka.client(settings, where)).list_topics(timeout=10).topics
    for topic, about in topics.items():
        for partition in about.partitions:
            reader.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = reader.poll(10)
                assert message is not None, f"{topic} can't be read"
                if message.error() is not None:
                    break
                headers = b"".join(
                    name.encode() + (value or b"") for name, value in message.headers() or ()
                )
                yield topic, (message.key() or b"") + b"|" + (message.value() or b"") + headers
    reader.close()


def gone(installation: Installation) -> None:
    """Until the canary is nowhere."""
    deadline = time.monotonic() + 120
    while left := places(installation):
        assert time.monotonic() < deadline, left
        time.sleep(1)


def visit(**more: object) -> str:
    now = dt.datetime.now(dt.UTC)
    return line("x", "xx-county-health", record=RECORD, **{
        **PLACE, "occurred_at": (now - dt.timedelta(days=1)).isoformat(),
        "due_at": (now + dt.timedelta(seconds=2)).isoformat(), **more,
    })  # fmt: skip


@pytest.mark.long
def test_somebody_who_must_be_forgotten_is_still_there(
    installation: Installation,
) -> None:
    home = installation.home
    rows = home / "visits.csv"
    at = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat()
    broken = visit(occurred_at="yesterday")
    lines = home / "in.ndjson"
    lines.write_text(
        visit(secret=f"{CANARY} lives there") + broken + line("ERS-1", occurred_at=at, **PLACE)
    )
    assert installation("publish", "events", str(lines)).code == 3
    with installation.producer() as theirs:
        theirs.produce("events.xx-county-health.events", b"\1nonsense " + RECORD.encode(), key=b"k")
    installation.stats()
    assert not rows.exists()
    assert installation.case(OTHER)["records"] == [OTHER, RECORD]
    head = installation.case(OTHER)["case_id"]
    everywhere = {
        "events.xx-county-health.events", "accepted", "timelines", "dead-letters",
        "watch-watched-changelog", "alerts.deadline", "casebook.sqlite", "in.ndjson.rejects.csv",
        "state",
    }  # fmt: skip
    until(lambda: everywhere - {"casebook.sqlite"} <= places(installation), 30)

    said = installation("erase", RECORD, *WHY, "-o", "json").ok().json()
    assert said["seen"] is True
    assert said["known"] is True
    assert CANARY not in str(said["places"])
    assert installation("case", RECORD).code == 2
    assert installation.case(OTHER)["records"] == [OTHER]
    asked = f"select * from versions where record = '{RECORD}'"  # noqa: S608 - a test's
    assert installation("sql", asked, "-o", "csv").ok().out.count("\n") == 1
    gone(installation)
    assert installation("case", head, "-o", "json").code in (0, 2), (
        "its old id may lead on or be unknown"
    )

    # what comes of it later doesn't count either, and goes too
    installation("publish", "events", "-", stdin=visit(note="again", type="visit.again")).ok()
    installation.stats()
    assert installation("case", RECORD).code == 2
    assert installation.case(OTHER)["records"] == [OTHER]
    gone(installation)
    installation("down").ok()
    call(home, "up", "--detach", "--partitions", "3", **SOON).ok()
    assert installation("case", RECORD).code == 2
    assert Home(home).casebook.stat().st_mode & 0o077 == 0


def test_a_legal_hold_is_overrun(installation: Installation) -> None:
    record = "xx-county-health/visit/HELD-4711"
    order = ("--because", "court order 12", "--by", "attorney")
    installation("publish", "events", "-", stdin=line("x", "xx-county-health", record=record)).ok()
    installation.stats()
    assert installation("release", record, *order).code == 2, "there is no hold"
    installation("hold", record, *order).ok()
    said = installation("erase", record, *WHY, "-o", "json").ok().json()
    assert said["held_by"] == ["xx-county-health"]
    time.sleep(3)
    assert installation.case(record)["records"] == [record]
    assert "erased now" in installation("release", record, *order).ok().out
    until(lambda: installation("case", record).code == 2)


def test_an_erasure_is_taken_lightly(installation: Installation) -> None:
    record = "riverton-police/incident/LIGHT-1"
    for words in (
        ("erase", "LIGHT-1", *WHY),
        ("erase", record, *WHY[:-1]),
        ("erase", record, "--because", "LIGHT-1 asked", "--by", "x", "--yes"),
        ("erase", record, "--because", "x", "--yes"),
        ("erase", record, *WHY, "--agency", "riverton-water"),
        ("hold", record, *WHY[:-1], "--agency", "riverton-tenants"),
    ):
        refused = installation(*words)
        assert (refused.code, refused.out) == (2, ""), refused
        assert "->" in refused.err


def test_a_megabyte_of_one_letter_holds_the_eraser_up_for_hours() -> None:
    record = "riverton-311/request/F-1"
    for hostile in ("x", "a-", "a/", "0123456789", "\N{SNOWMAN}"):
        long = hostile * (1_000_000 // len(hostile))
        assert record in _RECORD.findall(f'{long} {{"record": "{record}"}}')
    assert _RECORD.findall("x" * 1_000_000) == []


EXAMPLES = Path(__file__).parents[1] / "schemas" / "examples" / "any"


def avro(schema: str, fields: Mapping[str, Any]) -> bytes:
    """A message in the wire format, times as plain longs."""
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(plain(json.loads(schema))), fields)
    return frame(1, body.getvalue())


@pytest.mark.parametrize("kind", ["apart", "asserted"])
def test_what_people_said_of_an_erased_record_stays_in_their_topic(kind: str) -> None:
    repository = Repository.load()
    schema = repository.contracts["any/links"].schema_text
    said = json.loads((EXAMPLES / f"links.v1.{kind}.json").read_text("utf-8"))
    topic = f"events.{said['agency']}.links"
    found = names_in(topic, b"k", avro(schema, said), repository, Reading(lambda _id: schema))
    assert found == {said["record"], *said["records"]}


def test_a_record_goes_because_another_that_stays_names_it() -> None:
    repository = Repository.load()
    schema = repository.contracts["any/events"].schema_text
    said = json.loads((EXAMPLES / "events.v1.visit.json").read_text("utf-8"))
    said["refs"] = [OTHER]
    topic = f"events.{said['agency']}.events"
    found = names_in(topic, b"k", avro(schema, said), repository, Reading(lambda _id: schema))
    assert found == {said["record"]}


TEXTS = json.dumps({"type": "record", "name": "Row", "fields": [
    {"name": name, "type": "string"} for name in "abc"
]})  # fmt: skip
"""Three texts, each between bytes that are lengths: 24 to 28 characters are a digit, 33 or more a letter."""


def nothing_opens(_id: int) -> str:
    raise Refused("unknown-schema", "there is none")


def letter(value: bytes | None, key: bytes | None = None) -> bytes:
    return own_values("dead-letters", Settings(), Endpoints("", "")).encode({
        "reason": "schema", "detail": "", "topic": "events.x", "partition": 0, "offset": 7,
        "produced_at": 1, "key": key, "value": value, "headers": [],
    })  # fmt: skip


@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize(
    "record", ["riverton-311/request/SR-1017", "a/b/SR-1017", f"a/b/{'N' * 33}", f"a/b/{'N' * 70}"]
)
def test_an_avro_dead_letter_of_an_erased_record_stays(record: str, *, opens: bool) -> None:
    reading = Reading(lambda _id: TEXTS if opens else nothing_opens(_id))
    for name in (record, record.split("/", 2)[2]):
        for last in ("x" * 26, "y" * 40, ""):
            value = avro(TEXTS, {"a": "z" * 40, "b": name, "c": last})
            assert is_of(letter(value), record, reading)
            assert is_of(letter(b"garbage", name.encode()), record, reading)
            assert is_of(letter(f"{name},1\n".encode()), record, reading)
        if opens:
            whole = avro(TEXTS, {"a": "x", "b": f"as {name}", "c": "y" * 40})
            assert is_of(letter(whole), record, reading)


@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize(
    "record", ["a/b/SR-14", "a/b/SR-101", f"riverton/b/{'7' * 16}", f"a/b/{'7' * 24}"]
)
def test_an_erasure_takes_the_letter_of_a_longer_number(record: str, *, opens: bool) -> None:
    reading = Reading(lambda _id: TEXTS if opens else nothing_opens(_id))
    number = record.split("/", 2)[2]
    for other in (f"{record}7", f"{number}7", f"7{number}", f"{number}x"):
        for text in (other, f'{{"no": "{other}"}}', f"1,\n{other},2", f"a {other} b"):
            assert not is_of(letter(text.encode(), other.encode()), record, reading), text
        value = avro(TEXTS, {"a": "x" * 26, "b": other, "c": "y" * 26})
        assert not is_of(letter(value), record, reading), other
    assert not is_of(b"what others wrote", record, reading)
    assert not is_of(letter(None), record, reading)
