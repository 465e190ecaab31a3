"""Ten thousand broken bodies straight to a topic: each is accounted for, with its bytes."""

from __future__ import annotations

import random
from collections import Counter

from confluent_kafka import Consumer, TopicPartition
from installation import Installation
from test_hostile_bytes import restarts

from crosstown.avro.codec import encode, frame
from crosstown.backbone import kafka
from crosstown.contracts.repository import Repository
from crosstown.event.envelope import read
from crosstown.registry.client import Registry

AGENCY = "fairhaven-311"
TOPIC = f"events.{AGENCY}.events"
CONTRACT = Repository.load().contracts["any/events"]
COUNT = 10_000
VARINTS = (b"\xff" * 10, b"\x80" * 9 + b"\x01", b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x01")


def body(number: int) -> bytes:
    return encode(CONTRACT.schema, {
        "agency": AGENCY, "record": f"{AGENCY}/request/F-{number}", "type": "request.opened",
        "occurred_at": 1_772_440_200_000_000 + number, "jurisdiction": "us-xx-fairhaven",
        "place": f"address:{number}-elm-st", "payload": "ein l\u00e4ngerer Text \u2603",
        "refs": [f"{AGENCY}/request/F-{number + 1}"],
    })  # fmt: skip


def broken(dice: random.Random, ours: int, number: int) -> bytes:
    """A message that is wrong somewhere, mostly; what comes out may happen to be right."""
    value = bytearray(frame(ours, body(number)))
    match dice.randrange(8):
        case 0:  # cut off
            return bytes(value[: dice.randrange(len(value))])
        case 1:  # a bit the other way
            at = dice.randrange(len(value))
            value[at] ^= 1 << dice.randrange(8)
        case 2:  # some bytes are others
            for _ in range(dice.randrange(1, 20)):
                value[dice.randrange(len(value))] = dice.randrange(256)
        case 3:  # some are missing
            at = dice.randrange(len(value))
            del value[at : at + dice.randrange(1, 10)]
        case 4:  # some too many
            at = dice.randrange(len(value) + 1)
            value[at:at] = dice.randbytes(dice.randrange(1, 30))
        case 5:  # a length that can't be
            at = dice.randrange(5, len(value))
            value[at : at + 1] = dice.choice(VARINTS)
        case 6:  # nothing of ours
            return dice.randbytes(dice.randrange(200))
        case _:  # the same, said twice over
            return bytes(value + value[5:])
    return bytes(value)


def test_a_broken_body_vanishes_or_stops_what_is_good(installation: Installation) -> None:
    with Registry.at(installation.settings, installation.where) as registry:
        ours = registry.register(f"{TOPIC}-value", CONTRACT.schema_text)
    installation.topic(TOPIC)
    lived = restarts(installation)
    dice = random.Random(20_261_128)
    sent = [broken(dice, ours, number) for number in range(COUNT)]
    with installation.producer() as theirs:
        for value in sent:
            theirs.produce(TOPIC, value)
        theirs.produce(TOPIC, frame(ours, body(COUNT)))
    installation.stats()

    letters = {one["offset"]: one for one in installation.dead_letters(TOPIC)}
    closed = {offset for offset, one in letters.items() if one["value"] is None and sent[offset]}
    assert len(closed) < COUNT / 100, "screening closes what holds nothing of anybody's"
    for offset, letter in letters.items():
        if offset not in closed:
            assert (letter["value"] or b"") == sent[offset], f"{offset}: its bytes are others"
        assert letter["reason"]
        assert letter["detail"]
    assert len(letters) + accepted(installation) == COUNT + 1, Counter(
        one["reason"] for one in letters.values()
    )
    assert len(letters) > COUNT * 0.8, "what is broken on purpose is mostly right"
    assert len({one["reason"] for one in letters.values()}) >= 6
    last = f"{AGENCY}/request/F-{COUNT}"
    assert installation.case(last)["records"]
    assert restarts(installation) == lived, "something has died of it"


def _is_ours(value: bytes) -> bool:
    try:
        return read(value, 5)[0].agency == AGENCY
    except (EOFError, ValueError, IndexError, TypeError):  # other tests put garbage there
        return False


def accepted(installation: Installation) -> int:
    """How many events of the agency were accepted."""
    reader = Consumer(
        kafka.consumer(installation.settings, installation.where, enable_partition_eof=True)
    )
    partitions = reader.list_topics("accepted", timeout=10).topics["accepted"].partitions
    reader.assign([TopicPartition("accepted", number, 0) for number in partitions])
    found, ended = 0, 0
    while ended < len(partitions):
        for message in reader.consume(1000, 10):
            if message.error() is not None:
                ended += 1
            else:
                found += _is_ours(message.value())
    reader.close()
    return found
