"""The client as programs and notebooks use it, over a whole installation."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest
from confluent_kafka import Producer
from installation import Installation, line

from crosstown import Client
from crosstown.avro.codec import frame
from crosstown.backbone import kafka
from crosstown.erasure.erasures import ERASED, Key
from crosstown.errors import NotFound, Stop, Unavailable
from crosstown.event.envelope import (
    Envelope,
    accepted_key,
    content_hash,
    prefix_bytes,
    suffix_bytes,
    zigzag,
)
from crosstown.event.identity import event_id
from crosstown.formats import ACCEPTED
from crosstown.home import Home
from crosstown.registry.client import Registry

AT = dt.datetime(2025, 3, 3, 14, 30, tzinfo=dt.UTC)
MICROS = int(AT.timestamp()) * 1_000_000
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def city(installation: Installation) -> Iterator[Client]:
    with Client(installation.home) as one:
        yield one


def body(number: str, at: Any = AT, **more: Any) -> dict[str, Any]:
    return {"agency": "riverton-311", "record": f"riverton-311/client/{number}", "type": "called",
            "step": "REPORTED", "occurred_at": at, "jurisdiction": "us-xx-riverton", **more}  # fmt: skip


def said(city: Client, *bodies: dict[str, Any], **more: Any) -> Any:
    return city.publish("any/events", bodies, agency="riverton-311", **more)


def mine(rows: Any, number: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["record"] == f"riverton-311/client/{number}"]


def test_same_moment_written_otherwise_is_published_again(city: Client) -> None:
    first = said(city, body("W-1"), body("W-1", "2025-03-03T08:30:00-06:00"), body("W-1", MICROS))
    assert (first.published, first.already_known, first.rejected) == (1, 2, [])
    again = said(city, body("W-1"))
    assert (again.published, again.already_known) == (0, 1)


def test_broken_body_keeps_the_good_ones_from_going(city: Client) -> None:
    broken: list[Any] = [
        body("B-1", "yesterday"), body("B-2", AT.replace(tzinfo=None)), body("B-3", AT.date()),
        body("B-4", refs="x"), body("B-5", place="12 Elm"), body("B-6", agency="nobody"), "text", None,
        {**body("B-7"), "note": 1}, body("B-8", step="LATER"), body("B-9", 2**70), {"agency": 1}, {},
    ]  # fmt: skip
    done = said(city, body("G-1"), *broken, body("G-2"))
    assert done.published == 2
    assert [one.index for one in done.rejected] == list(range(1, len(broken) + 1))
    assert [(one.field, one.reason) for one in done.rejected][:3] == [
        ("occurred_at", "broken-date")
    ] * 3
    assert all(one.reason and (one.detail or one.mend) for one in done.rejected), done.rejected


@pytest.mark.parametrize(
    ("contract", "agency", "words"),
    [("any/event", "riverton-311", "any/events"), ("any/events", "", "none was named"),
     ("riverton-water/orders", "riverton-311", "isn't for riverton-311")],
)  # fmt: skip
def test_wrong_contract_is_a_riddle(city: Client, contract: str, agency: str, words: str) -> None:
    with pytest.raises((Stop, NotFound)) as wrong:
        city.publish(contract, [body("R-1")], agency=agency)
    assert words in f"{wrong.value} {wrong.value.mend}"


def test_version_that_does_not_count_is_given(installation: Installation, city: Client) -> None:
    for minutes, area in ((0, "A"), (5, "B"), (10, "A")):
        said(city, body("V-1", area=area), known_at=AT + dt.timedelta(minutes=minutes))
    said(city, body("V-2"), known_at=AT)
    said(city, body("V-2", step="WITHDRAWN"), known_at=AT + DAY)
    installation.stats()
    (counts,) = mine(city.read("accepted"), "V-1")
    assert (counts["area"], counts["known_at"], counts["via"]) == ("A", AT, "event")
    assert counts["payload"]["occurred_at"] == AT
    assert mine(city.read("accepted"), "V-2") == []
    assert len(mine(city.read("accepted", history=True), "V-1")) == 3
    steps = [row["step"] for row in mine(city.read("accepted", history=True), "V-2")]
    assert steps == ["REPORTED", "WITHDRAWN"]
    assert len(mine(city.read("accepted", AT, AT + DAY, "known", history=True), "V-2")) == 1
    (gone,) = mine(city.read("timelines"), "V-2")
    assert gone["case_id"] == ""


def test_client_and_casebook_tell_different_cities(
    installation: Installation, city: Client
) -> None:
    said(city, *(body(f"C-{n}", AT + n * DAY) for n in range(50)))
    installation.stats()
    sql = "select event_id, record, occurred_at, known_at, via, headline from events"
    wanted = {one["event_id"]: one for one in installation("sql", sql, "-o", "json").ok().lines()}
    rows = {row["event_id"]: row for row in city.read("accepted")
            if not row["type"].startswith(("link.", "record."))}  # fmt: skip
    assert rows.keys() == wanted.keys()
    for event, row in rows.items():
        assert (row["record"], row["via"], row["headline"]) == tuple(
            wanted[event][name] for name in ("record", "via", "headline")
        )
        for name in ("occurred_at", "known_at"):
            assert _moment(wanted[event][name]) == row[name].replace(microsecond=0)
    cases = {one["record"]: one["case_id"]
             for one in installation("sql", "select record, case_id from records", "-o", "json").lines()}  # fmt: skip
    assert {row["record"]: row["case_id"] for row in city.read("timelines") if row["case_id"]} == {
        record: case for record, case in cases.items() if case
    }


def _moment(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)


def test_part_that_was_asked_for_is_not_what_is_given(
    installation: Installation, city: Client
) -> None:
    said(city, *(body(f"S-{n}", AT + n * DAY) for n in range(4)), known_at=AT + 9 * DAY)
    installation.stats()

    def numbers(*span: Any, topic: str = "accepted", **more: Any) -> str:
        rows = city.read(topic, *span, **more)
        return "".join(sorted(row["record"][-1] for row in rows if "/client/S-" in row["record"]))

    second = (AT + DAY).date()
    for since in (AT + DAY, "2025-03-04T08:30:00-06:00", second, "2025-03-04"):
        assert numbers(since) == numbers(since, topic="timelines") == "123"
        assert numbers(since, topic="events.riverton-311.events") == "123"
    assert numbers(None, AT + DAY) == "0", "until is not in"
    assert numbers("2025-03-04", "2025-03-06") == "12"
    assert numbers(AT + 9 * DAY, None, "known") == "0123"
    assert (
        numbers(AT + 9 * DAY, AT + 10 * DAY, "known", topic="events.riverton-311.events") == "0123"
    )
    assert numbers(None, AT + 9 * DAY, "known") == ""
    rows = list(city.read("events.riverton-311.events"))
    at = rows[len(rows) // 2]["_offset"]
    assert [
        r["_offset"] for r in city.read("events.riverton-311.events", at, at + 1, "offset")
    ] == [at]
    several = list(city.read("accepted", 1, by="offset"))
    assert min(row["_offset"] for row in several) >= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("accepted", "soon"), "no time"), (("accepted", 1_700_000_000), "by='offset'"),
        (("accepted", AT.replace(tzinfo=None)), "has no zone"), (("accepted", AT, AT - DAY), "before"),
        (("accepted", None, None, "when"), "one of occurred"), (("accepted", "x", None, "offset"), "offset"),
        (("timelines", AT, None, "known"), "one of occurred, offset"), (("acepted",), "is it accepted?"),
        (("events",), "events.riverton-311.events"), (("backbone",), "there is no topic"),
        (("_schemas",), "there is no topic"), (("",), "there is no topic"),
    ],
)  # fmt: skip
def test_wrong_question_is_answered_with_a_riddle(city: Client, words: Any, said: str) -> None:
    with pytest.raises(Stop) as wrong:
        city.read(*words)
    assert said in f"{wrong.value} -> {wrong.value.mend}"


def test_nothing_runs_and_a_stack_trace_of_kafka_comes(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nothing runs") as nothing:
        Client(tmp_path)
    assert "crosstown up" in nothing.value.mend
    code = (
        "from crosstown import Client\n"
        "from crosstown.errors import Unavailable\n"
        "try:\n    Client().read('accepted')\n"
        "except Unavailable as error:\n    print(error, error.mend)\n"
    )
    away = {"CROSSTOWN_BOOTSTRAP": "127.0.0.1:9", "CROSSTOWN_REGISTRY": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, **away})  # fmt: skip
    assert "no Kafka answers at 127.0.0.1:9" in done.stdout
    assert done.stderr == ""


def test_importing_crosstown_takes_kafka_along() -> None:
    heavy = ("confluent_kafka", "pyarrow", "pandas", "httpx")
    code = f"import crosstown, sys; print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_missing_library_is_a_stack_trace(city: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars", "duckdb"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(Stop, match=f"{name} isn't here") as missing:
            getattr(city.read("timelines"), name)()
        assert missing.value.mend == f"pip install {name} pyarrow"


def test_table_after_some_rows_lacks_them(city: Client) -> None:
    said(city, body("T-1"))
    records = city.read("events.riverton-311.events")
    next(records)
    with pytest.raises(Stop, match="one by one"):
        records.arrow()
    table = city.read("events.riverton-311.events")
    assert table.arrow() is table.arrow()
    with pytest.raises(Stop, match="a table already"):
        next(table)


def test_what_comes_later_is_read_too(installation: Installation, city: Client) -> None:
    topic = "events.riverton-311.events"
    before = city.read(topic)
    said(city, body(f"L-{time.time_ns()}"))
    after = city.read(topic)
    how = kafka.producer(installation.settings, installation.where, transactional_id="client-test")
    open_ = Producer(how)
    open_.init_transactions(15)
    open_.begin_transaction()
    open_.produce(topic, b"never committed")
    open_.flush(15)
    during = city.read(topic)
    try:
        counts = [len(list(one)) for one in (before, after, during)]
    finally:
        open_.abort_transaction(15)
    assert counts[1:] == [counts[0] + 1] * 2
    assert len(list(city.read(topic))) == counts[1]


TYPES = {
    "type": "record", "name": "Types", "namespace": "x", "fields": [
        {"name": "n", "type": ["null", "long"]},
        {"name": "small", "type": "int"},
        {"name": "cost", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "clock", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "word", "type": {"type": "enum", "name": "Word", "symbols": ["YES", "NO"]}},
        {"name": "either", "type": ["null", "string", "long"]},
        {"name": "counts", "type": {"type": "map", "values": "int"}},
        {"name": "parts", "type": {"type": "array", "items": {
            "type": "record", "name": "Part", "fields": [
                {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
                {"name": "word", "type": "x.Word"}]}}},
    ],
}  # fmt: skip
ID = "8faea32b-a763-5ed4-a507-24da5388490f"
VALUES = [
    {"n": n, "small": 7, "cost": Decimal("12.30"), "day": AT.date(), "at": AT, "clock": dt.time(8, 30),
     "id": UUID(ID), "word": "YES", "either": n, "counts": {"a": 1}, "parts": [{"id": UUID(ID), "word": "NO"}]}
    for n in (2**53 + 1, None)
]  # fmt: skip


def _produced(installation: Installation, topic: str, schema: Any, *values: Any) -> None:
    installation.topic(topic)
    registry = Registry.at(installation.settings, installation.where)
    schema_id = registry.register(f"{topic}-value", json.dumps(schema))
    registry.close()
    with installation.producer() as producer:
        for value in values:
            raw = value if isinstance(value, bytes) else _encoded(schema, schema_id, value)
            producer.produce(topic, raw)


def _encoded(schema: Any, schema_id: int, value: Any) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return frame(schema_id, stream.getvalue())


def test_type_is_another_than_was_written(installation: Installation, city: Client) -> None:
    topic = "events.riverton-311.types"
    _produced(installation, topic, TYPES, *VALUES)
    rows = [{name: row[name] for name in VALUES[0]} for row in city.read(topic)]
    assert rows == VALUES
    records = city.read(topic)
    table = records.arrow().select(list(VALUES[0]))
    assert [str(one) for one in table.schema.types] == [
        "int64", "int32", "decimal128(9, 2)", "date32[day]", "timestamp[us, tz=UTC]", "time64[us]",
        "string", "string", "string", "map<string, int32>", "list<item: struct<id: string, word: string>>",
    ]  # fmt: skip
    wanted = {**VALUES[0], "id": ID, "either": str(2**53 + 1), "counts": [("a", 1)],
              "parts": [{"id": ID, "word": "NO"}]}  # fmt: skip
    assert table.to_pylist()[0] == wanted
    frame_ = records.pandas()
    assert str(frame_.dtypes["n"]) == "int64[pyarrow]"
    assert frame_.n[0] == 2**53 + 1
    assert frame_.n.isna()[1]
    assert records.polars()["n"].to_list() == [2**53 + 1, None]
    assert records.polars()["at"][0] == AT
    sql = "select n, cost, day, counts['a'], parts[1].word from t"
    assert records.duckdb().query("t", sql).fetchall()[0] == (
        2**53 + 1, Decimal("12.30"), AT.date(), 1, "NO",
    )  # fmt: skip


def test_older_schema_gives_other_columns_and_garbage_ends_all(
    installation: Installation, city: Client
) -> None:
    topic = "events.riverton-311.grown"
    old = {"type": "record", "name": "Grown", "fields": [{"name": "a", "type": "string"}]}
    new = {**old, "fields": [*old["fields"], {"name": "b", "type": "long", "default": 5}]}
    bad = [b"", b"text", b"\0\0", b"\0\xff\xff\xff\xff1", b"\0\0\0\0\1\xff\xff\xff\xff\xff\xff"]
    _produced(installation, topic, old, {"a": "x"}, *bad)
    _produced(installation, topic, new, {"a": "y", "b": 6})
    records = city.read(topic)
    with pytest.warns(UserWarning, match=f"{len(bad)} messages of {topic}"):
        rows = [(row["a"], row["b"]) for row in records]
    assert rows == [("x", 5), ("y", 6)]
    assert sum(records.unreadable.values()) == len(bad)
    with pytest.warns(UserWarning, match=f"{len(bad)} messages"):
        assert city.read(topic).arrow().column("b").to_pylist() == [5, 6]


def test_erased_record_is_read_before_its_tombstones_are_there(
    installation: Installation, city: Client
) -> None:
    """A copy of `accepted` with an order of erasure on its second partition and no tombstone yet."""
    topic = "accepted.77"
    registry = Registry.at(installation.settings, installation.where)
    accepted = registry.register(f"{topic}-value", json.dumps(ACCEPTED))
    one = registry.register("x-value", json.dumps({"type": "record", "name": "X", "fields": [
        {"name": "n", "type": "long"}]}))  # fmt: skip
    registry.close()
    key = Key(Home(installation.home).erasure_key(installation.settings))

    def message(record: str, kind: str = "called", via: str = "event") -> tuple[bytes, bytes]:
        e = Envelope(event_id=event_id(record, kind, ()), agency="riverton-311", record=record, type=kind,
                     step="REPORTED", occurred_at=MICROS, jurisdiction="us-xx-riverton", known_at=MICROS,
                     via=via)  # fmt: skip
        payload = frame(one, b"\x0e")
        whole = prefix_bytes(e) + suffix_bytes(e.known_at, e.via) + zigzag(len(payload)) + payload
        return accepted_key(e, content_hash(prefix_bytes(e), payload)), b"\0" + accepted.to_bytes(4, "big") + whole  # fmt: skip

    from confluent_kafka.admin import AdminClient

    admin = AdminClient(kafka.client(installation.settings, installation.where))
    kafka.ensure_topics(admin, [kafka.Topic(topic, 2, kafka.COMPACT)])
    kept, gone = "riverton-311/client/K-1", "riverton-311/client/E-1"
    order = message(f"riverton-311/erasure/{key.name(gone)}", ERASED)
    with installation.producer() as producer:
        for name, value in (message(kept), message(kept), message(gone), order):
            producer.produce(topic, value, name, 0)
        producer.produce(topic, order[1], order[0], 1)
        producer.produce(topic, b"garbage", b"no key of ours", 1)
    for history in (False, True):
        records = city.read(topic, history=history)
        with pytest.warns(UserWarning, match="1 messages"):
            rows = list(records)
        assert [row["record"] for row in rows if row["type"] == "called"] == [kept], history
        assert sum(row["type"] == ERASED for row in rows) == 1
        assert rows[0]["payload"] == {"n": 7}
    with pytest.warns(UserWarning, match="1 messages"):
        table = city.read(topic).arrow()
    assert table.column("payload").to_pylist()[0] == {"n": 7}, "one schema: a struct"


def test_erased_record_is_still_given(installation: Installation, city: Client) -> None:
    record = "riverton-311/client/E-2"
    installation("publish", "events", "-", stdin=line("x") + json.dumps(
        {**body("E-2"), "occurred_at": "2025-03-03T14:30:00Z"})).ok()  # fmt: skip
    installation.stats()
    assert len(mine(city.read("accepted"), "E-2")) == 1
    installation(
        "erase", record, "--because", "rule 7", "--by", "x", "--yes", "--agency", "riverton-311"
    ).ok()
    for history in (False, True):
        assert mine(city.read("accepted", history=history), "E-2") == []
    deadline = time.monotonic() + 30
    while mine(city.read("timelines", history=True), "E-2") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (
        mine(city.read("timelines"), "E-2")
        == mine(city.read("timelines", history=True), "E-2")
        == []
    )
