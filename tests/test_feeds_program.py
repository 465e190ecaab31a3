"""The program that writes feeds, on a real Kafka: killed, revoked, changed, begun again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from feeding import Reader, Town, body, handshake, refusal, until

HEALTH = "xx-county-health"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    files = {name: handshake(name) for name in ("basic", "cut")}
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
