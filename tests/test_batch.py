"""Batches: what a receiver finds in its folder, and what it must never find."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from agreed_feed import Feed, event, feed_of, gone
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from installation import call
from sftp_server import serving
from test_cli_commands import check

from crosstown.audit.access import Remembered
from crosstown.backbone import kafka
from crosstown.contracts.repository import Repository
from crosstown.embedded.broker import Broker
from crosstown.errors import NotFound, Stop
from crosstown.feeds.form import form
from crosstown.home import Endpoints
from crosstown.outward.batching import batch
from crosstown.outward.feed_log import FeedLog
from crosstown.outward.files import writer
from crosstown.outward.manifest import Manifest
from crosstown.outward.shelf import Folder
from crosstown.registry.server import Server
from crosstown.settings import Settings


@pytest.fixture
def where(broker: Broker, server: Server, home: Path) -> tuple[Settings, Endpoints]:
    return (Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login),
            Endpoints(broker.bootstrap, server.url.replace("//", f"//{':'.join(server.login)}@")))  # fmt: skip


def run(feed: Feed, folder: Path, **more: Any) -> Manifest | None:
    said: dict[str, Any] = {"kind": "ndjson", "since": None, "access": Remembered(), **more}
    return batch(feed.settings, feed.where, said["access"], feed.agreement.id, Folder(folder),
                 said["kind"], said["since"])  # fmt: skip


def lines(folder: Path, made: Manifest | None) -> list[dict[str, Any]]:
    assert made is not None
    content = (folder / made.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == made.sha256
    assert len(content) == made.bytes
    found = [json.loads(line) for line in content.splitlines()]
    assert len(found) == made.count
    return found


def test_batch_repeats_or_misses_what_the_last_one_had(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-goes-on", home, *where)
    feed.accept()
    feed.report(300)
    feed.say(gone(301))
    out, access = tmp_path / "out", Remembered()
    first = run(feed, out, access=access)
    found = lines(out, first)
    assert [one["number"] for one in found] == list(range(1, 302))
    assert found[0] == {"number": 1, "change": "SAID", "event": "e1", "record": "r1", "said": {
        "type": "opened", "step": "REPORTED", "occurred_at": "2023-11-14T22:13:20.000001Z",
        "flags": ["a"], "payload": {"topic_text": "text 1"}}}  # fmt: skip
    assert found[-1]["said"] is None
    assert run(feed, out, access=access) is None, "nothing was said since"
    feed.report(5)
    second = run(feed, out, access=access)
    assert [one["number"] for one in lines(out, second)] == list(range(302, 307))
    again = run(feed, out, since=300, kind="csv", access=access)
    assert again is not None
    assert (again.after, again.first, again.last, again.count) == (300, 301, 306, 6)
    assert [(e["way"], e["first"], e["last"], e["count"]) for e in access.entries] == [
        ("batch", 1, 301, 301), ("batch", 302, 306, 5), ("batch", 301, 306, 6)]  # fmt: skip
    assert {e["agency"] for e in access.entries} == {"riverton-water"}
    assert [one.name for one in out.iterdir() if one.name.startswith(".")] == []
    with pytest.raises(Stop, match="goes up to 306"):
        run(feed, out, since=400)


def test_table_says_other_than_the_message(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-tables", home, *where)
    feed.accept()
    hostile = '=HYPERLINK("https://x")'
    feed.say(event(1), event(2, payload={"topic_text": hostile}), event(3, payload=None), gone(4))
    made = run(feed, tmp_path, kind="csv")
    assert made is not None
    text = (tmp_path / made.file).read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["number", "change", "event", "record", "type", "step", "occurred_at",
                             "flags", "payload.topic_text"]  # fmt: skip
    assert rows[0]["occurred_at"] == "2023-11-14T22:13:20.000001Z"
    assert json.loads(rows[0]["flags"]) == ["a"]
    assert [one["payload.topic_text"] for one in rows] == ["text 1", "'" + hostile, "", ""]
    assert (rows[3]["change"], rows[3]["step"]) == ("GONE", "")
    made = run(feed, tmp_path, kind="parquet", since=0)
    assert made is not None
    table = pq.read_table(tmp_path / made.file)
    assert table.column_names == list(rows[0])
    assert table.column("payload.topic_text").to_pylist() == ["text 1", hostile, None, None]
    assert table.column("number").to_pylist() == [1, 2, 3, 4]
    assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"


@pytest.mark.parametrize("kind", ["ndjson", "csv", "parquet"])
def test_timeline_has_no_place_in_a_table(kind: Any) -> None:
    repository = Repository.load()
    today = form(repository.agreements["tenants-own-cases"], repository.contracts)
    at = dt.datetime(2025, 1, 2, tzinfo=dt.UTC)
    entry = {"event": "e", "record": "r", "agency": "a", "type": "t", "step": "REPORTED",
             "occurred_at": at, "due_at": None, "place": "", "area": "", "concern": "",
             "payload": {"topic_text": "x"}}  # fmt: skip
    said = {"status": "open", "first": at, "last": at, "agencies": ["a"], "record_count": 1,
            "entry_count": 1, "link_count": 0, "digest": "d", "entries": [entry], "links": []}  # fmt: skip
    stream = BytesIO()
    to = writer(kind, stream, today)
    to.write({"number": 1, "change": "SAID", "case": "c", "said": said})
    to.write({"number": 2, "change": "GONE", "case": "c", "said": None})
    to.close()
    stream.seek(0)
    if kind == "parquet":
        rows = pq.read_table(stream).to_pylist()
        assert rows[0]["entries"][0]["payload"] == {"topic_text": "x"}
        assert rows[1]["entries"] is None
    elif kind == "csv":
        lines = list(csv.DictReader(stream.read().decode().splitlines()))
        assert json.loads(lines[0]["entries"])[0]["occurred_at"] == "2025-01-02T00:00:00Z"
        assert (lines[0]["last"], lines[1]["change"]) == ("2025-01-02T00:00:00Z", "GONE")
    else:
        found = [json.loads(line) for line in stream.read().splitlines()]
        assert found[0]["said"]["entries"][0]["payload"] == {"topic_text": "x"}


def test_batch_leaves_without_being_agreed(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-unagreed", home, *where, delete_within_days=7)
    feed.report(3)
    access, out = Remembered(), tmp_path / "out"
    with pytest.raises(Stop, match="waits for riverton-311"):
        run(feed, out, access=access)
    feed.accept()
    assert run(feed, out, access=access) is not None
    feed.report(1)
    feed.word("revoked", "riverton-311", "it's over")
    with pytest.raises(Stop, match="revoked"):
        run(feed, out, access=access)
    assert len(access.entries) == 1
    assert len(list(out.iterdir())) == 3
    end = json.loads((out / "batch-unagreed.ended.json").read_text("utf-8"))
    assert (end["state"], end["number"], end["delete_within_days"]) == ("revoked", 3, 7)
    assert "it's over" in end["why"]
    with pytest.raises(NotFound, match="no agreement nobody"):
        batch(*where, access, "nobody", Folder(out), "ndjson", None)


def test_way_that_isnt_agreed_is_open(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-not-a-way", home, *where, delivery={"ways": ["http"]})
    feed.accept()
    feed.report(1)
    with pytest.raises(Stop, match="doesn't go out as batch"):
        run(feed, tmp_path)


def test_field_that_isnt_agreed_any_more_goes_out_again(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-narrowed", home, *where)
    feed.accept()
    wider = feed.agreement.model_copy(
        update={"envelope": (*feed.agreement.envelope, "headline", "area")}
    )
    feed.schema = form(wider, Repository.load().contracts)
    feed.say(event(1, headline="canary-3390", area="north"))
    feed.schema = {}
    feed.say(event(2), gone(3))
    feed.schema = {
        "type": "record",
        "name": "Foreign",
        "fields": [{"name": "number", "type": "long"}],
    }
    feed.say({"number": 4})
    feed.schema = {}
    feed.say(gone(5))
    made = run(feed, tmp_path)
    found = lines(tmp_path, made)
    assert [one["number"] for one in found] == [1, 2, 3, 5]
    assert "canary-3390" not in json.dumps(found)
    assert set(found[0]["said"]) == set(found[1]["said"])
    assert made is not None
    assert [(one.first, one.last) for one in made.left_out] == [(4, 4)]


def test_what_kafka_has_deleted_is_missing_in_silence(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-too-late", home, *where)
    feed.accept()
    feed.report(10)
    admin = AdminClient(kafka.client(*where))
    (future,) = admin.delete_records([TopicPartition(feed.agreement.topic, 0, 4)]).values()
    future.result(timeout=30)
    made = run(feed, tmp_path)
    assert made is not None
    assert (made.first, made.last, made.count) == (5, 10, 6)
    assert [(one.first, one.last) for one in made.missing] == [(1, 4)]
    said = call(home, "feed", feed.agreement.id, "--to", str(tmp_path), "--since", "0", **feed.env)
    assert said.code == 3, said
    assert "missing: numbers 1 to 4" in said.err


def test_manifest_that_isnt_ours_is_believed(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-foreign", home, *where)
    feed.accept()
    feed.report(3)
    made = run(feed, tmp_path)
    assert made is not None
    (file,) = tmp_path.glob("*.manifest.json")
    good = file.read_text("utf-8")
    for bad in ("", "[]", good[:-40], good.replace("batch-foreign", "another"),
                good.replace('"last": 3', '"last": 2'), "\ud800".encode("utf-8", "surrogatepass")):  # fmt: skip
        file.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
        with pytest.raises(Stop, match="manifest"):
            run(feed, tmp_path)
    file.write_text(good, "utf-8")
    (tmp_path / "batch-foreign.000000000001-000000000009.csv").write_text("no manifest names me")
    assert run(feed, tmp_path) is None


def test_number_is_not_found_among_many(where: tuple[Settings, Endpoints], home: Path) -> None:
    feed = feed_of("batch-many", home, *where)
    for _ in range(7):  # markers of transactions lie between them
        feed.report(150)
    log = FeedLog(*where, feed.agreement.topic)
    assert log.numbers() == (1, 1050)
    for number in (0, 1, 149, 150, 151, 512, 1049):
        log.go_behind(number)
        found = log.next(10)
        assert found is not None
        assert found.number == number + 1
    log.go_behind(1050)
    assert log.next(0.5) is None
    log.close()
    empty = feed_of("batch-none", home / "other", *where)
    assert FeedLog(*where, empty.agreement.topic).numbers() == (0, 0)
    with pytest.raises(NotFound):
        FeedLog(*where, "feed.batch-nowhere").numbers()


def test_batch_doesnt_reach_a_receivers_server(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-sent", home, *where)
    feed.accept()
    config = tmp_path / "config"
    with serving(tmp_path / "there", config) as url:
        env = {**feed.env, "CROSSTOWN_SFTP_CONFIG": str(config)}
        for last in (3, 5):
            feed.report(last - feed.last)
            said = (
                call(home, "feed", feed.agreement.id, "--to", url, "-o", "json", **env).ok().json()
            )
            assert said["last"] == last
            assert (
                hashlib.sha256((tmp_path / "there" / said["file"]).read_bytes()).hexdigest()
                == said["sha256"]
            )
        assert (said["after"], said["first"]) == (3, 4)
        assert len(list((tmp_path / "there").iterdir())) == 4


def test_killed_run_leaves_half_a_file(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    feed = feed_of("batch-killed", home, *where)
    feed.accept()
    for _ in range(10):
        feed.report(3_000)
    words = ["feed", feed.agreement.id, "--to", str(tmp_path / "out"), "--home", str(home)]
    process = subprocess.Popen([sys.executable, "-m", "crosstown.cli", *words], env=_env(feed))
    while not list(tmp_path.glob("out/.*.part")):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert list(tmp_path.glob("out/*.ndjson")) == []
    assert list(tmp_path.glob("out/.*.part")) != []
    said = call(home, *words[:-2], "-o", "json", **feed.env).ok().json()
    check("feed", said)
    check("feed", call(home, *words[:-2], "-o", "json", **feed.env).ok().json())
    assert (said["first"], said["last"], said["count"]) == (1, 30_000, 30_000)
    assert sorted(one.suffix for one in (tmp_path / "out").iterdir()) == [".json", ".ndjson"]


def _env(feed: Feed) -> dict[str, str]:
    import os

    return {**os.environ, **feed.env}


def test_a_feed_that_was_quiet_for_a_month_fails_each_night(
    where: tuple[Settings, Endpoints], home: Path, tmp_path: Path
) -> None:
    """Kafka holds none of it any more; where nothing is new nothing is written."""
    feed = feed_of("batch-quiet", home, *where)
    feed.accept()
    feed.report(3)
    assert run(feed, tmp_path) is not None
    admin = AdminClient(kafka.client(*where))
    (future,) = admin.delete_records([TopicPartition(feed.agreement.topic, 0, -1)]).values()
    future.result(30)
    assert run(feed, tmp_path) is None
    feed.report(1)
    again = run(feed, tmp_path)
    assert again is not None
    assert (again.after, again.first, again.last) == (3, 4, 4)
