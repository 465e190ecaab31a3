"""What was told already, as the alert topics say: the last word where a table isn't sure."""

from __future__ import annotations

import logging
from collections.abc import Collection
from io import BytesIO
from typing import Any, Final, cast

import fastavro
from confluent_kafka import Consumer, KafkaException, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import Refused, Unavailable
from crosstown.formats import ALERT, plain
from crosstown.program import Program
from crosstown.registry.own_values import body_of

log = logging.getLogger(__name__)

SLACK_MS: Final = 60_000
"""Clocks of watcher and broker may differ by this much."""
TIMEOUT: Final = 10.0
_SCHEMA: Final = fastavro.parse_schema(plain(ALERT))


def found_in_log(program: Program, rules: Collection[str], since: int) -> set[tuple[str, str, str]]:
    """(rule, jurisdiction, record) of each alert written since that time (microseconds UTC).

    Raises `Unavailable` where Kafka doesn't answer.
    """
    client = Consumer(
        kafka.consumer(
            program.settings, program.endpoints, group_id=f"{program.name}-log",
            enable_partition_eof=True,
        )
    )  # fmt: skip
    try:
        return _read(client, rules, since // 1000 - SLACK_MS)
    except KafkaException as error:
        raise Unavailable(f"alerts can't be read: {error.args[0].str()}") from None
    finally:
        client.close()


def _read(client: Consumer, rules: Collection[str], since_ms: int) -> set[tuple[str, str, str]]:
    wanted = [
        TopicPartition(f"alerts.{rule}", partition, since_ms)
        for rule in rules
        for partition in client.list_topics(f"alerts.{rule}", timeout=TIMEOUT)
        .topics[f"alerts.{rule}"]
        .partitions
    ]
    reading = client.offsets_for_times(wanted, timeout=TIMEOUT)
    client.assign(reading)
    found: set[tuple[str, str, str]] = set()
    ended: set[tuple[str, int]] = set()
    while len(ended) < len(reading):
        message = client.poll(TIMEOUT)
        if message is None:
            raise Unavailable("alerts can't be read to their end now")
        error = message.error()
        if error is None:
            found.update(_told(message.value()))
        elif error.name() == "_PARTITION_EOF":
            ended.add((str(message.topic()), cast("int", message.partition())))
        else:
            raise Unavailable(f"alerts can't be read: {error.str()}")
    return found


def _told(value: bytes | None) -> list[tuple[str, str, str]]:
    if value is None:  # erased
        return []
    try:
        fields = cast("Any", fastavro.schemaless_reader(BytesIO(body_of(value)), _SCHEMA, None))
    except Refused as error:
        log.warning("a foreign message among the alerts: %s", error)
        return []
    return [(fields["rule"], fields["jurisdiction"], fields["record"])]
