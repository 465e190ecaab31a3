"""Who saw what, on a real Kafka: the log as programs write it and as people ask it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from feeding import Reader, Town, body, handshake, until
from installation import Said, call
from test_cli_commands import check

from crosstown.audit import link as links_of
from crosstown.audit.access import Delivery
from crosstown.audit.export import export, remembered, verified
from crosstown.audit.given import InFeed, given, received
from crosstown.audit.link import Link
from crosstown.audit.log import AccessLog
from crosstown.audit.signing import signer
from crosstown.audit.topic import TOPIC, everything, last_of
from crosstown.backbone import kafka
from crosstown.embedded.broker import Broker
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.home import Endpoints, Home
from crosstown.registry.own_values import own_values
from crosstown.settings import Settings

HEALTH = "xx-county-health"
WRITER = """
import sys
from pathlib import Path
from crosstown.audit.log import AccessLog
from crosstown.home import Endpoints
from crosstown.settings import Settings
home, bootstrap, chain = sys.argv[1:]
log = AccessLog(Settings(home=Path(home), bootstrap=bootstrap), Endpoints(bootstrap, ""), chain, 7, 0.2)
for number in range(1, 100_000):
    log.append(agency="a", agreement="b", purpose="c", way="http", first=number, last=number, count=1)
    print(number, flush=True)
"""


def append(log: AccessLog, number: int = 1, **more: Any) -> None:
    said: dict[str, Any] = {"agency": HEALTH, "agreement": "health", "purpose": "Nurses know.", "way": "http",
            "first": number, "last": number, "count": 1}  # fmt: skip
    log.append(**said | more)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Endpoints]]:
    """A broker of one's own: the topic's name is always the same."""
    home = tmp_path_factory.mktemp("audit")
    broker = Broker(Settings(home=home)).start()
    where = Endpoints(broker.bootstrap, "")
    settings = Settings(home=home, bootstrap=broker.bootstrap)
    kafka.ensure_topics(kafka.wait_for_broker(settings, where, 20),
                        [one for one in kafka.own_topics(1) if one.name == TOPIC])  # fmt: skip
    yield settings, where
    broker.stop()


def chain(own: tuple[Settings, Endpoints], name: str) -> list[Link]:
    links = [one.link for one in everything(*own) if one.link]
    return [one for one in links if one.said.chain == name]


def whole(own: tuple[Settings, Endpoints], file: Path) -> bool:
    who = signer(own[0])
    known = remembered(Home(own[0].home))
    export(everything(*own), file, who)
    bad = verified(file, [who.public], known).bad
    assert bad is None, bad
    return True


def test_many_at_once_get_a_broken_chain(own: tuple[Settings, Endpoints], tmp_path: Path) -> None:
    with closing(AccessLog(*own, "many", seal_every=50)) as log, ThreadPoolExecutor(40) as threads:
        list(threads.map(lambda number: append(log, number), range(400)))
        log.append_all(Delivery("a", "b", "c", "kafka", n, n, 1) for n in range(400, 410))
        log.append_all([])
    links = chain(own, "many")
    said = Counter(one.said.what for one in links)
    assert said["delivery"] == 410
    assert 1 < said["checkpoint"] <= 10
    assert sorted(one.said.first for one in links if one.said.what == "delivery") == list(
        range(410)
    )
    assert links[-1].said.what == "checkpoint", "closing signs what isn't signed yet"
    assert whole(own, tmp_path / "log")


def test_restarted_writer_begins_another_chain(
    own: tuple[Settings, Endpoints], tmp_path: Path
) -> None:
    for number in (1, 2):
        with closing(AccessLog(*own, "again")) as log:
            append(log, number)
    assert [one.said.number for one in chain(own, "again")] == [1, 2, 3, 4]
    with closing(AccessLog(*own, "other")) as log:
        append(log)
    assert last_of(*own, "again") == chain(own, "again")[-1]
    assert last_of(*own, "nobody") is None
    assert whole(own, tmp_path / "log")


def test_two_writers_fork_a_chain(own: tuple[Settings, Endpoints], tmp_path: Path) -> None:
    """A second one shuts out the first, which is told so, and takes the pen back in order."""
    first, second = AccessLog(*own, "two"), AccessLog(*own, "two")
    append(first, 1)
    append(second, 2)
    with pytest.raises(Unavailable, match="can't be written"):
        append(first, 3)
    append(first, 4)
    with pytest.raises(Unavailable):
        append(second, 5)
    append(second, 6)
    second.close()
    numbers = [one.said.first for one in chain(own, "two") if one.said.what == "delivery"]
    assert [one for one in numbers if one not in (3, 5)] == [1, 2, 4, 6]
    assert whole(own, tmp_path / "log")


def test_killed_writer_leaves_a_fork_or_loses_what_it_confirmed(
    own: tuple[Settings, Endpoints], tmp_path: Path
) -> None:
    settings, where = own
    confirmed = 0
    for _ in range(3):
        done = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(settings.home), where.bootstrap, "killed"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert done.stdout is not None
        for _ in range(12):
            assert done.stdout.readline()
        done.send_signal(signal.SIGKILL)
        confirmed += 12 + len(done.stdout.read().splitlines())
        done.wait(10)
        done.stdout.close()
    with closing(AccessLog(*own, "killed")) as log:
        append(log)
    links = chain(own, "killed")
    said = [one for one in links if one.said.what == "delivery"]
    assert confirmed + 1 <= len(said) <= confirmed + 1 + 3, (
        "at most what was under way is there, too"
    )
    assert [one.said.number for one in links] == list(range(1, len(links) + 1))
    assert whole(own, tmp_path / "log")


def test_chain_goes_on_behind_what_another_writer_holds_up(
    own: tuple[Settings, Endpoints], tmp_path: Path
) -> None:
    """Behind a killed writer's open transaction nothing can be read: the end read then is no end."""
    with closing(AccessLog(*own, "behind")) as log:
        append(log)
    stuck = Producer(kafka.producer(*own, transactional_id="stuck", transaction_timeout_ms=4_000))
    stuck.init_transactions(10)
    stuck.begin_transaction()
    stuck.produce(TOPIC, b"stuck", b"stuck", 0)
    assert stuck.flush(10) == 0
    log = AccessLog(*own, "behind")
    append(log, 2)  # waited for
    log._producer = None  # as after a fault: the end is read again
    append(log, 3)
    log.close()
    assert [one.said.number for one in chain(own, "behind")] == [1, 2, 3, 4, 5]
    assert whole(own, tmp_path / "log")


def test_silent_chain_stays_unsigned(own: tuple[Settings, Endpoints]) -> None:
    log = AccessLog(*own, "silent", seal_seconds=0.3)
    append(log)
    until(lambda: chain(own, "silent")[-1].said.what == "checkpoint", 20)
    time.sleep(1)
    assert len(chain(own, "silent")) == 2, "and nothing is signed twice"
    assert remembered(Home(own[0].home))["silent"] == (2, chain(own, "silent")[-1].hash)
    log.close()


def test_delivery_goes_out_though_it_is_not_written(
    own: tuple[Settings, Endpoints], tmp_path: Path
) -> None:
    nobody = Endpoints("127.0.0.1:1", "")
    log = AccessLog(Settings(home=tmp_path, kafka={"log_level": "0"}), nobody, "gateway-0")
    with ThreadPoolExecutor(2) as two:
        for one in [two.submit(append, log) for _ in range(2)]:
            with pytest.raises(Unavailable):
                one.result(60)
    log.close()
    with closing(AccessLog(*own, "refused")) as fine:
        for wrong in ({"first": 2, "last": 1}, {"purpose": "\ud800"}, {"count": -1}):
            with pytest.raises(Refused):
                append(fine, **wrong)
        append(fine)
    assert len(chain(own, "refused")) == 2
    with pytest.raises(Stop, match="chain"):
        AccessLog(*own, "../../etc")


def test_log_that_was_cut_or_changed_in_kafka_is_whole(tmp_path: Path) -> None:
    """Whoever runs Kafka can do this; then the log says so."""
    home = tmp_path / "home"
    broker = Broker(Settings(home=home)).start()
    try:
        where, settings = (
            Endpoints(broker.bootstrap, ""),
            Settings(home=home, bootstrap=broker.bootstrap),
        )
        admin = kafka.wait_for_broker(settings, where, 20)
        topic = [one for one in kafka.own_topics(1) if one.name == TOPIC]
        kafka.ensure_topics(admin, topic)

        def ours(*words: str) -> Said:
            return call(home, "audit", *words, "-o", "json",
                        CROSSTOWN_BOOTSTRAP=where.bootstrap, CROSSTOWN_REGISTRY="http://127.0.0.1:1")  # fmt: skip

        with closing(AccessLog(settings, where, "gateway-0")) as log:
            for number in range(5):
                append(log, number)
        links = [one.link for one in everything(settings, where) if one.link]
        fine = ours("verify").ok().json()
        check("audit", fine)
        assert (fine["links"], fine["whole"]) == (6, True)

        def again(rows: list[bytes]) -> Said:
            admin.delete_topics([TOPIC])[TOPIC].result(20)
            until(lambda: TOPIC not in admin.list_topics(timeout=5).topics)
            kafka.ensure_topics(admin, topic)
            writer = Producer(kafka.producer(settings, where))
            for row in rows:
                writer.produce(TOPIC, row, b"gateway-0", 0)
            assert writer.flush(20) == 0
            return ours("verify")

        values = own_values(TOPIC, settings, where)
        rows = [values.encode(one.row) for one in links]
        assert again(rows).code == 0
        for wrong, number in (
            (rows[:4], 5),  # cut at its end: this home remembers that it was longer
            (rows[1:], 1),
            ([], 1),
            ([*rows[:2], rows[3], rows[2], *rows[4:]], 3),
            ([*rows[:2], values.encode(replace(links[2], said=replace(links[2].said, agency="x")).row),
              *rows[3:]], 3),
        ):  # fmt: skip
            said = again(list(wrong))
            assert said.code == 3, said
            check("audit", said.json())
            assert (said.json()["bad"]["chain"], said.json()["bad"]["number"]) == (
                "gateway-0",
                number,
            )
            assert f"link {number}" in said.err
        said = again([*rows, b"\0\0\0\0\0garbage"])
        assert (said.code, said.json()["bad"]["chain"]) == (3, "")
        assert "no link" in said.err
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Two agreements over what 311 reports: health's by all ways, water's for another register."""
    files = {
        "health": handshake("health"),
        "water": handshake("water", "riverton-water", identifiers="pseudonyms",
                           filter='concern == "water-quality"'),
    }  # fmt: skip
    one = Town(tmp_path_factory.mktemp("town"), files)
    try:
        one.start("intake", "cases", "casebook", "feeds")
        yield one
    finally:
        one.close()


def ask(town: Town, *words: str) -> Said:
    return call(town.settings.home, "audit", *words, CROSSTOWN_BOOTSTRAP=town.where.bootstrap,
                CROSSTOWN_REGISTRY=town.where.registry, CROSSTOWN_SCHEMAS=str(town.city))  # fmt: skip


@pytest.fixture(scope="module")
def told(town: Town) -> Town:
    """Forty reports, one of them of brown water; health has fetched 10 to 20, and reads by Kafka."""
    for name in ("health", "water"):
        town.say("accepted", name)
    until(lambda: call(town.settings.home, "sql", "select 1 from cases limit 1").code == 0)
    town.publish(body(f"r-{n}") for n in range(30))
    until(lambda: len(town.feed("health")) >= 30)
    town.publish([body("brown", concern="water-quality")])
    until(lambda: len(town.feed("water")) >= 1)
    with closing(AccessLog(town.settings, town.where, "gateway-0")) as log:
        append(log, first=10, last=20, count=11)
        append(log, first=10, last=20, count=11, way="sse")
        append(log, first=1, last=1, agency="riverton-water", agreement="water", way="webhook")
    own_place = {"enable.auto.commit": False}  # else closing would say that it has read all
    with Reader(town, town.account(HEALTH) | own_place) as reader:
        reader.subscribe(["feed.health"])
        seen = 0
        while seen < 15:
            message = reader.poll(10)
            assert message is not None
            seen += message.error() is None
        reader.commit(offsets=[TopicPartition("feed.health", 0, message.offset() + 1)],
                      asynchronous=False)  # fmt: skip
    return town


def record_of(town: Town, number: int) -> str:
    said = next(one for one in town.feed("health") if one.number == number)
    return str(said.fields["record"])


def test_party_that_received_a_record_is_not_named(told: Town) -> None:
    said = ask(told, "record", record_of(told, 15), "-o", "json").ok().json()
    check("audit", said)
    assert said["feeds"] == [{"agreement": "health", "numbers": [15], "reaches": 1, "gone": False}]
    ways = [(one["agency"], one["way"], one["sure"]) for one in said["received"]]
    assert ways == [(HEALTH, "http", True), (HEALTH, "kafka", True), (HEALTH, "sse", True)]
    assert [one["deliveries"] for one in said["received"]] == [1, 1, 1]
    (kafka_reader,) = said["kafka"]
    assert kafka_reader["granted"]
    assert kafka_reader["groups"] == {f"{HEALTH}.test": 15}
    assert kafka_reader["last"] >= 31
    people = ask(told, "record", record_of(told, 15)).ok().out
    assert "at most" in people
    assert f"{HEALTH}.test has read up to 15" in people


def test_party_that_did_not_receive_it_is_named(told: Town) -> None:
    said = ask(told, "record", record_of(told, 25), "-o", "json").ok().json()
    assert [one["numbers"] for one in said["feeds"]] == [[25]]
    assert [one["way"] for one in said["received"]] == ["kafka"], (
        "what a Kafka reader may have read"
    )
    brown = ask(told, "record", "riverton-311/request/brown", "-o", "json").ok().json()
    assert {one["agreement"] for one in brown["feeds"]} == {"health", "water"}, "under two names"
    assert {(one["agency"], one["way"]) for one in brown["received"]} == {
        (HEALTH, "kafka"), ("riverton-water", "kafka"), ("riverton-water", "webhook"),
    }  # fmt: skip
    nothing = ask(told, "record", "riverton-311/request/unheard-of")
    assert (nothing.code, nothing.out) == (2, "")
    assert "erased" in nothing.err


def test_party_cannot_see_what_others_read_of_its_own(told: Town) -> None:
    for of, agencies in (
        ("riverton-311", {HEALTH, "riverton-water"}), ("riverton-housing", set()), ("", {HEALTH, "riverton-water"}),
    ):  # fmt: skip
        rows = ask(told, "show", *(("--of", of) if of else ()), "-o", "json").ok().lines()
        if rows:
            check("audit", *rows)
        assert {one["agency"] for one in rows} == agencies
    http = next(one for one in rows if one["way"] == "http")
    assert (http["deliveries"], http["messages"], http["first"], http["last"]) == (1, 11, 10, 20)
    assert http["purpose"] == "Nurses know."
    assert "Nurses know." in ask(told, "show").ok().out
    assert ask(told, "show", "--of", "atlantis").code == 2


def test_export_cannot_be_checked_elsewhere(told: Town, tmp_path: Path) -> None:
    """In an empty home, without anything that runs; a party's own shows nothing of others."""
    file, party = tmp_path / "log.ndjson", tmp_path / "party.ndjson"
    check("audit", ask(told, "export", str(file), "-o", "json").ok().json())
    ask(told, "export", str(party), "--of", "riverton-water").ok()
    key = ask(told, "key", "-o", "json").ok().json()
    check("audit", key)
    (tmp_path / "away").mkdir()

    def away(*words: str) -> Said:
        return call(tmp_path / "away", "audit", "verify", *words, "-o", "json")

    for one in (file, party):
        said = away(str(one), "--key", key["key"]).ok().json()
        assert said["key"] == key["key"]
    closed = {one["chain"]: one["closed"] for one in said["chains"]}
    assert closed["gateway-0"] == 2
    assert closed["feeds-0"] > 0
    assert HEALTH not in party.read_text("utf-8")
    assert "riverton-water" in party.read_text("utf-8")
    assert away(str(file), "--key", "0" * 64).code == 3
    assert away(str(file), "--against", str(party)).code == 0
    assert away(str(tmp_path / "none")).code == 2
    with closing(AccessLog(told.settings, told.where, "gateway-0")) as log:
        append(log, first=1, last=1)
    later = tmp_path / "later.ndjson"
    ask(told, "export", str(later)).ok()
    assert away(str(later), "--against", str(file)).code == 0
    back = away(str(file), "--against", str(later))
    assert back.code == 3
    check("audit", back.json())
    lines = file.read_bytes().splitlines(keepends=True)
    at = next(i for i, one in enumerate(lines) if HEALTH.encode() in one)
    lines[at] = lines[at].replace(HEALTH.encode(), b"x")
    file.write_bytes(b"".join(lines))
    bad = away(str(file), "--key", key["key"])
    assert (bad.code, bad.json()["bad"]["line"]) == (3, at + 1)
    assert away(str(later), "--against", str(file)).code == 2, "that is no witness"


def test_party_that_received_what_was_erased_is_not_named(told: Town) -> None:
    """The casebook has forgotten it; what still lies in feeds has not."""
    record = record_of(told, 12)
    before = ask(told, "record", record, "-o", "json").ok().json()
    told.start("eraser")
    erased = call(told.settings.home, "erase", record, "--because", "a rule", "--by", "an officer", "--yes",
                  CROSSTOWN_BOOTSTRAP=told.where.bootstrap, CROSSTOWN_REGISTRY=told.where.registry,
                  CROSSTOWN_SCHEMAS=str(told.city))  # fmt: skip
    assert erased.code == 0, erased
    where = ("sql", f"select 1 as one from versions where record = '{record}'", "-o", "json")  # noqa: S608
    until(lambda: not call(told.settings.home, *where).out)
    after = ask(told, "record", record, "-o", "json").ok().json()
    assert before["feeds"][0]["numbers"][0] in after["feeds"][0]["numbers"]
    for one in ("http", "sse"):
        was, now = (
            [row for row in said["received"] if row["way"] == one] for said in (before, after)
        )
        assert was == now != []


def test_delivery_older_than_the_feed_is_forgotten() -> None:
    """What the feed no longer holds may have been said before: then it's "perhaps", never "no"."""
    said = links_of.Said(chain="a", number=1, at=100, what="delivery", agency=HEALTH, agreement="h",
                    purpose="p", way="http", first=1, last=5, count=5)  # fmt: skip
    other = replace(said, first=40, last=50, at=300)
    feeds = {"h": InFeed((45,), 30, gone=True)}
    got = list(received([said, other, replace(said, agreement="else")], feeds, since=50))
    assert [(one.sure, one.given.first) for one in got] == [(True, 40), (False, 1)]
    assert [one.sure for one in received([said], feeds, since=200)] == [], "it wasn't known then"
    within = {"h": InFeed((45,), 1, gone=False)}
    assert list(received([said], within, since=50)) == [], "the feed reaches back: it wasn't there"
    both = given([said, other])
    assert [(one.deliveries, one.first, one.last, one.messages, one.since, one.until) for one in both] == [
        (2, 1, 50, 10, 100, 300)
    ]  # fmt: skip
