"""The program that writes feeds, on a real Kafka: killed, revoked, changed, begun again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from feeding import Reader, Said, Town, body, handshake, refusal, until

HEALTH = "xx-county-health"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    files = {name: handshake(name) for name in ("basic", "cut", "killed")}
    one = Town(tmp_path_factory.mktemp("town"), files)
    one.start("intake", "feeds")
    yield one
    one.close()


def test_what_was_agreed_does_not_arrive(town: Town) -> None:
    town.publish(body(f"a-{n}") for n in range(20))
    town.publish([body("a-else", "riverton-police")], "riverton-police")
    assert town.feed("basic") == [], "nobody has accepted it"
    town.say("accepted", "basic")
    until(lambda: len(town.feed("basic")) >= 20)
    town.publish(body(f"b-{n}") for n in range(20))
    until(lambda: len(town.feed("basic")) >= 40)
    said = town.feed("basic")
    assert [one.number for one in said] == list(range(1, 41))
    assert {one.change for one in said} == {"SAID"}
    assert len({one.thing for one in said}) == 40


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
    until(lambda: any(one.thing for one in town.feed("basic")[-1:]))
    assert town.feed("cut") == before


def whole(said: list[Said]) -> None:
    """Nothing is missing and nothing twice: numbers without a gap, each message another than its last."""
    assert [one.number for one in said] == list(range(1, len(said) + 1))
    assert [one.offset for one in said] == sorted({one.offset for one in said})
    last: dict[str, tuple[str, object]] = {}
    for one in said:
        now = one.change, one.fields["said"]
        assert last.get(one.thing) != now, f"{one.number} says again what {one.thing} is"
        last[one.thing] = now


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
