"""The program that writes feeds, on a real Kafka: killed, revoked, changed, begun again."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from cutting import Cutter
from feeding import Reader, Said, Town, body, handshake, refusal, until

from crosstown.audit.topic import everything
from crosstown.backbone import kafka
from crosstown.backbone.login import login
from crosstown.errors import Unavailable

HEALTH = "xx-county-health"
FILES = ("basic", "first", "later", "cut", "changed", "ending", "loaded", "aside", "killed")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    files = {name: handshake(name) for name in FILES}
    one = Town(tmp_path_factory.mktemp("town"), files)
    try:
        one.start("intake", "feeds")
        one.say("accepted", "basic")
        yield one
    finally:
        one.close()


@pytest.fixture
def cut_off(tmp_path: Path) -> Iterator[tuple[Town, Cutter]]:
    """A town whose feeds speak with Kafka through somebody who may cut the line."""
    one = Town(tmp_path, {"basic": handshake("basic", delivery="{ways: [http]}")})
    cutter = Cutter(one.where.bootstrap)
    try:
        one.start("intake")
        as_operator = json.dumps(login(one.settings, one.where))
        one.start("feeds", CROSSTOWN_BOOTSTRAP=cutter.bootstrap, CROSSTOWN_KAFKA=as_operator)
        yield one, cutter
    finally:
        one.close()
        cutter.close()


@pytest.mark.parametrize("how", ["mute", "hold"])
def test_a_commit_of_which_nobody_knows_is_lost_or_said_twice(
    cut_off: tuple[Town, Cutter], how: str
) -> None:
    """`mute`: it went in, and the answer was lost. `hold`: it didn't."""
    town, cutter = cut_off
    town.say("accepted", "basic")
    town.publish(body(f"a-{n}") for n in range(10))
    until(lambda: len(town.feed("basic")) == 10)
    happened = cutter.cut(how)
    town.publish(body(f"b-{n}") for n in range(10))
    assert happened.wait(30)
    until(lambda: "transaction not committed" in town.log("feeds"))
    cutter.cut("")
    town.publish(body(f"c-{n}") for n in range(10))
    until(lambda: len(shown(town, "basic")) == 30)
    whole(town.feed("basic"))
    assert len(town.feed("basic")) == 30
    assert "beginning anew" not in town.log("feeds"), "it was guessed, not looked up"


def test_what_was_agreed_does_not_arrive(town: Town) -> None:
    town.publish(body(f"a-{n}") for n in range(20))
    town.publish([body("a-else", "riverton-police")], "riverton-police")
    assert town.feed("first") == [], "nobody has accepted it"
    town.say("accepted", "first")
    until(lambda: len(town.feed("first")) >= 20)
    town.publish(body(f"b-{n}") for n in range(20))
    town.publish([body("a-0", step="WITHDRAWN")])
    until(lambda: len(town.feed("first")) >= 41)
    said = town.feed("first")
    whole(said)
    assert len(said) == 41
    assert len({one.thing for one in said}) == 40
    assert [(one.change, one.thing) for one in said if one.change == "GONE"] == [
        ("GONE", said[0].thing)
    ]


def test_a_revoked_receiver_reads_on(town: Town) -> None:
    how = town.account(HEALTH)
    town.publish([body("c-1")])
    town.say("accepted", "cut")
    until(lambda: bool(town.feed("cut")))
    with Reader(town, how) as reader:
        reader.subscribe(["feed.cut"])
        until(lambda: (m := reader.poll(0.5)) is not None and m.error() is None)
        town.say("revoked", "cut", "riverton-311")
        assert refusal(reader, 5) < 5
    before = town.feed("cut")
    town.publish([body("c-2")])
    until(lambda: seen(town, "c-2"))
    assert town.feed("cut") == before


def test_what_lies_there_already_is_let_read_and_nobody_writes_it_down(town: Town) -> None:
    town.account(HEALTH)
    town.write("later", handshake("later", delivery="{ways: [http]}"))
    until(lambda: town.agreement("later").delivery.ways == ("http",))
    town.say("accepted", "later")
    town.publish(body(f"l-{n}") for n in range(3))
    until(lambda: len(town.feed("later")) >= 3)

    def logged() -> list[tuple[str, int, bool]]:
        links = [one.link for one in everything(town.settings, town.where) if one.link]
        said = [one.said for one in links if one.said.agreement == "later"]
        return [(one.way, one.first, one.last >= 3) for one in said]

    assert logged() == []
    town.write("later", handshake("later"))
    town.say("accepted", "later")
    until(lambda: ("kafka", 1, True) in logged())


def whole(said: list[Said]) -> None:
    """Nothing is missing and nothing twice: numbers without a gap, each message another than its last."""
    assert [one.number for one in said] == list(range(1, len(said) + 1))
    assert [one.offset for one in said] == sorted({one.offset for one in said})
    last: dict[str, tuple[str, object]] = {}
    for one in said:
        now = one.change, one.fields["said"]
        assert last.get(one.thing) != now, f"{one.number} says again what {one.thing} is"
        last[one.thing] = now


def seen(town: Town, record: str, name: str = "basic") -> bool:
    """Whether a feed has said something of a record."""
    return any(f"/{record}" in one.fields["record"] for one in town.feed(name))


def shown(town: Town, name: str) -> set[str]:
    """The records that a feed shows now."""
    last = {one.thing: one for one in town.feed(name)}
    return {one.fields["record"] for one in last.values() if one.change == "SAID"}


def test_an_agreement_that_comes_later_gets_only_what_comes_later(town: Town) -> None:
    town.publish(body(f"late-{n}") for n in range(5))
    town.write("late", handshake("late"))
    town.say("accepted", "late")
    until(lambda: len(town.feed("late")) >= 5)
    town.publish([body("late-5")])
    until(lambda: seen(town, "late-5", "late") and seen(town, "late-5"))
    whole(town.feed("late"))
    assert shown(town, "late") == shown(town, "basic"), "they cover the same"


def test_changed_terms_hold_before_all_have_accepted_them(town: Town) -> None:
    town.say("accepted", "changed")
    town.publish([body("changed-1", concern="water-quality")])
    until(lambda: seen(town, "changed-1", "changed"))
    before = town.feed("changed")
    town.write("changed", handshake("changed", envelope="[type, concern]"))
    town.say("accepted", "changed", "riverton-311")
    until(lambda: "changed: waits, it waits for xx-county-health" in town.log("feeds"))
    town.publish([body("changed-2", concern="water-quality")])
    until(lambda: seen(town, "changed-2"))
    assert town.feed("changed") == before, "one party alone has changed what flows"
    town.say("accepted", "changed", HEALTH)
    until(lambda: seen(town, "changed-2", "changed"))
    after = town.feed("changed")
    whole(after)
    old, new = (set(one.fields["said"]) for one in (after[0], after[-1]))
    assert "step" in old
    assert "concern" not in old
    assert "concern" in new
    assert "step" not in new
    assert len(after) == 2 * len(before) + 1, "each thing is said once more, in the new form"


def test_a_receiver_reads_on_after_the_end(town: Town) -> None:
    how = town.account(HEALTH)
    ends_at = time.time() + 6
    ninety_days_ago = int((ends_at - 90 * 86_400) * 1_000_000)
    town.say("accepted", "ending", at=ninety_days_ago)
    town.publish([body("ending-1")])
    until(lambda: seen(town, "ending-1", "ending"), 6)
    with Reader(town, how) as reader:
        reader.subscribe(["feed.ending"])
        until(lambda: (m := reader.poll(0.2)) is not None and m.error() is None, 5)
        assert time.time() < ends_at, "the test was too slow to see it"
        refusal(reader, 15)
        assert ends_at <= time.time() < ends_at + 5
    before = town.feed("ending")
    town.publish([body("ending-2")])
    until(lambda: seen(town, "ending-2"))
    assert town.feed("ending") == before


def test_what_is_published_after_a_revocation_goes_out(town: Town) -> None:
    """Under load: batches are under way whenever the word comes."""
    stop = threading.Event()

    def send() -> None:
        n = 0
        while not stop.is_set():
            town.publish(body(f"load-{n}-{m}") for m in range(200))
            n += 1

    town.say("accepted", "loaded")
    sending = threading.Thread(target=send)
    sending.start()
    try:
        until(lambda: seen(town, "load-", "loaded"))
        town.say("revoked", "loaded", HEALTH)
        town.publish([body("after-0")])
        until(lambda: seen(town, "after-0"))
    finally:
        stop.set()
        sending.join()
    records = [one.fields["record"] for one in town.feed("loaded")]
    assert records
    assert not [one for one in records if "/after-" in one]
    whole(town.feed("loaded"))


def test_one_agreement_that_cannot_be_carried_out_stops_the_others(town: Town) -> None:
    admin = AdminClient(kafka.client(town.settings, town.where))
    kafka.ensure_topics(admin, [kafka.Topic("feed.aside", 2, {})])
    town.say("accepted", "aside")
    until(lambda: "set aside until files change: aside" in town.log("feeds"))
    town.publish([body("aside-1")])
    until(lambda: seen(town, "aside-1"))
    assert town.alive("feeds")


def test_bytes_that_are_no_word_stop_the_feeds(town: Town) -> None:
    producer = Producer(kafka.producer(town.settings, town.where))
    for value in (b"", b"\0\0\0\0\1nonsense", None):
        producer.produce("agreements", value, b"stranger")
        producer.produce("accepted", value, b"stranger", 0)
    assert producer.flush(20) == 0
    town.publish([body("bytes-1")])
    until(lambda: seen(town, "bytes-1"))


def test_two_writers_number_twice(town: Town) -> None:
    town.publish([body("two-1")])
    until(lambda: seen(town, "two-1"))
    second = town.beside("feeds")
    try:
        until(lambda: town.log("feeds").count("feeds starts") > 1)
        for n in range(2, 30):
            town.publish([body(f"two-{n}")])
            time.sleep(0.1)
        until(lambda: seen(town, "two-29"))
        whole(town.feed("basic"))
        assert [second.alive(), town.alive("feeds")].count(True) == 1, (
            "the one that was fenced off goes on"
        )
    finally:
        second.stop(10)
        town.stop("feeds")
        town.start("feeds")


def test_a_broker_that_dies_loses_or_doubles_a_message(town: Town) -> None:
    began = threading.Event()

    def send() -> None:
        for n in range(20):
            began.set()
            while True:  # as whoever publishes is told to: the same again says what is missing
                try:
                    town.publish(body(f"broker-{n}-{m}") for m in range(100))
                except Unavailable:
                    time.sleep(0.5)
                else:
                    break

    sending = threading.Thread(target=send)
    sending.start()
    began.wait()
    time.sleep(1)
    town.broker.kill()
    town.broker.start()
    sending.join()
    until(
        lambda: sum("/broker-" in one.fields["record"] for one in town.feed("basic")) == 2_000, 120
    )
    whole(town.feed("basic"))


def test_a_kill_loses_or_doubles_a_message(town: Town) -> None:
    """SIGKILL while it works off a load, again and again; each event is said twice, differently."""
    records = 6_000
    sent = threading.Event()

    def send() -> None:
        for step in ("REPORTED", "CLOSED"):
            for start in range(0, records, 500):
                town.publish(body(f"k-{n}", type="request.moved", step=step, identity=["1"])
                             for n in range(start, start + 500))  # fmt: skip
        sent.set()

    town.say("accepted", "killed")
    sending = threading.Thread(target=send)
    sending.start()
    dice, kills = random.Random(6), 0
    while not sent.is_set() or kills < 6:
        time.sleep(0.5 + dice.random() * 2)
        town.kill("feeds")
        kills += 1
    sending.join()

    def closed() -> int:
        last = {one.thing: one for one in town.feed("killed")}
        return sum(one.change == "SAID" and one.fields["said"]["step"] == "CLOSED" and
                   "/k-" in one.fields["record"] for one in last.values())  # fmt: skip

    until(lambda: closed() == records, 120)
    said = town.feed("killed")
    whole(said)
    noted = {one.thing: one.number for one in town.delivered() if one.agreement == "killed"}
    assert noted == {one.thing: one.number for one in said}
