"""The topic `access`, read: never compacted, no time limit, one partition, so that its order is one.

Read are committed links only, and all of them up to the end: a writer that was killed a moment ago
holds up what lies behind its open transaction until that times out (10 s), and is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple, cast

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from crosstown.audit.link import Link, checked
from crosstown.backbone import kafka
from crosstown.errors import Refused, Unavailable
from crosstown.formats import ACCESS, plain
from crosstown.home import Endpoints
from crosstown.registry.own_values import body_of
from crosstown.settings import Settings

TOPIC: Final = "access"
PATIENCE: Final = 20.0
"""Seconds for which reading may stand still."""
BACK: Final = 2_000
"""How many messages are looked at first, from the end, for a chain's last link."""
_SCHEMA: Final = fastavro.parse_schema(plain(ACCESS))


class Found(NamedTuple):
    """One message of the topic: a link, or None where it can't be one; `value` are its bytes."""

    offset: int
    link: Link | None
    value: bytes


def link_of(value: bytes | None) -> Link:
    """The link in a message's value; `Refused` where it holds none."""
    body = body_of(value)
    stream = BytesIO(body)
    try:
        row = fastavro.schemaless_reader(stream, _SCHEMA, None)
        link = Link.of(cast("dict[str, Any]", row))
        checked(link.said)
    except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
        raise Refused("not-avro", f"{type(error).__name__}: {error}"[:200]) from None
    if stream.tell() != len(body):
        raise Refused("trailing-bytes", "something follows the link")
    return link


def everything(settings: Settings, endpoints: Endpoints) -> Iterator[Found]:
    """All that lies in the topic now, in order; nothing where there is no topic yet.

    Raises `Unavailable` where Kafka doesn't answer.
    """
    ends = _ends(settings, endpoints)
    if ends is not None:
        yield from _between(settings, endpoints, *ends)


def last_of(settings: Settings, endpoints: Endpoints, chain: str) -> Link | None:
    """A chain's last link; None where it has none. Looked for from the end backwards."""
    ends = _ends(settings, endpoints)
    if ends is None:
        return None
    low, high = ends
    reach, below = BACK, high
    while below > low:
        start = max(low, high - reach)
        last = None
        for found in _between(settings, endpoints, start, below):
            if found.link is not None and found.link.said.chain == chain:
                last = found.link
        if last is not None:
            return last
        below, reach = start, reach * 8
    return None


def _ends(settings: Settings, endpoints: Endpoints) -> tuple[int, int] | None:
    """The first offset and the one behind the last, of uncommitted messages too."""
    admin = kafka.wait_for_broker(settings, endpoints, PATIENCE)
    place = TopicPartition(TOPIC, 0)
    try:
        if TOPIC not in admin.list_topics(timeout=PATIENCE).topics:
            return None
        low, high = (
            admin.list_offsets({place: spec})[place].result(PATIENCE).offset
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        )
    except (KafkaException, TimeoutError) as error:
        raise _unavailable(str(error)) from None
    return low, high


def _between(settings: Settings, endpoints: Endpoints, start: int, end: int) -> Iterator[Found]:
    """The committed messages of [start, end)."""
    if start >= end:
        return
    reader = Consumer(kafka.consumer(settings, endpoints, group_id="access", enable_partition_eof=True,
                                     fetch_wait_max_ms=20))  # fmt: skip
    try:
        reader.assign([TopicPartition(TOPIC, 0, start)])
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for message in reader.consume(1_000, 0.5):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    if message.offset() >= end:
                        return
                elif error is not None:
                    if not error.retriable():
                        raise _unavailable(error.str())
                elif message.offset() >= end:
                    return
                else:
                    until = time.monotonic() + PATIENCE
                    yield _found(message)
                    if message.offset() == end - 1:
                        return
        raise _unavailable(f"reading has stood still for {PATIENCE:.0f} s")
    finally:
        reader.close()


def _found(message: Any) -> Found:
    value = message.value() or b""
    try:
        return Found(message.offset(), link_of(value), value)
    except Refused:
        return Found(message.offset(), None, value)


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"the access log can't be read: {why}", mend="see crosstown status")
