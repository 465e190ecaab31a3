"""The topic `reciprocity`: each agency's balance as it was last found, all of one moment in one transaction.

What stands there is a function of what is in the other topics, so a lost process loses nothing: the
next one finds the figures again, and writes those that are others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from io import BytesIO
from typing import Any, Final, cast

import fastavro
from confluent_kafka import KafkaException, Producer

from crosstown.backbone import kafka
from crosstown.backbone.sweep import messages
from crosstown.errors import Refused, Unavailable
from crosstown.formats import RECIPROCITY, plain
from crosstown.home import Endpoints
from crosstown.reciprocity.balance import Balance
from crosstown.registry.own_values import body_of, own_values
from crosstown.settings import Settings

TOPIC: Final = "reciprocity"
CALL: Final = 15.0
_SCHEMA: Final = fastavro.parse_schema(plain(RECIPROCITY))


def read(settings: Settings, where: Endpoints) -> dict[str, dict[str, Any]]:
    """What stands in the topic, by agency; raises `Unavailable`."""
    found: dict[str, dict[str, Any]] = {}
    for message in messages(settings, where, TOPIC, 0):
        agency = (message.key() or b"").decode("utf-8", "replace")
        found.pop(agency, None)
        try:
            value = message.value()
            if value is not None:
                said = fastavro.schemaless_reader(BytesIO(body_of(value)), _SCHEMA, None)
                found[agency] = cast("dict[str, Any]", said)
        except (Refused, ValueError, EOFError, IndexError):  # somebody else's bytes
            continue
    return found


def changes(
    before: Mapping[str, Mapping[str, Any]], now: Iterable[Balance], at: int
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """What is to be written: balances that are others than before, and None for agencies that are no more."""
    there = set()
    for one in now:
        there.add(one.agency)
        said = {**asdict(one), "at": at}
        if {**before.get(one.agency, {}), "at": at} != said:
            yield one.agency, said
    for agency in sorted(before.keys() - there):
        yield agency, None


def write(
    settings: Settings, where: Endpoints, said: Iterable[tuple[str, dict[str, Any] | None]]
) -> int:
    """Write as one transaction; how many. Raises `Unavailable` where that isn't known to be done."""
    values = own_values(TOPIC, settings, where)
    rows = [(agency, None if one is None else values.encode(one)) for agency, one in said]
    if not rows:
        return 0
    how = kafka.producer(settings, where, transactional_id="reciprocity-0", linger_ms=5,
                         transaction_timeout_ms=10_000)  # fmt: skip
    producer = Producer(how)
    try:
        producer.init_transactions(CALL)
        producer.begin_transaction()
        for agency, value in rows:
            producer.produce(TOPIC, value, agency.encode(), 0)
        producer.commit_transaction(CALL)
    except KafkaException as error:
        raise Unavailable(f"{TOPIC} can't be written: {error.args[0].str()}",
                          mend="see crosstown status") from None  # fmt: skip
    return len(rows)
