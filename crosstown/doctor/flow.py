"""Whether what agencies publish can be read, and is accepted: open transactions, dead letters."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from crosstown.accepting.replay import letters
from crosstown.backbone import kafka
from crosstown.backbone.offsets_of import offsets_of
from crosstown.contracts.repository import Repository
from crosstown.doctor.backbone import where_kafka_is
from crosstown.doctor.finding import OPERATIONS, Finding, Severity, asked, few, length
from crosstown.home import Endpoints
from crosstown.lookout.terms import whom
from crosstown.pausing.pauses import agency_of
from crosstown.settings import Settings

PATIENCE: Final = 5.0
STANDS: Final = 3.0
"""Seconds for which what can be read doesn't go on, though more lies behind it."""
DAY: Final = 86_400
MOST: Final = 20_000
"""Dead letters that are counted."""
MANY: Final = 20
"""Dead letters of one topic in a day; more can't wait for long."""


@dataclass(frozen=True, slots=True)
class Held:
    """A topic of which an open transaction holds something back; `age`: of the first of that, seconds.

    The age is as its producer stamped it; None where it can't be read.
    """

    topic: str
    messages: int
    age: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """What became dead letters of one topic within a day: how many by reason, and the last one."""

    topic: str
    reasons: Mapping[str, int]
    last: str


@dataclass(frozen=True, slots=True)
class Flow:
    """All of both, and whom to ask by agency; `counted` is False where there were too many letters."""

    held: Sequence[Held]
    refused: Sequence[Refused]
    whom: Mapping[str, str]
    counted: bool


def look(settings: Settings) -> Flow:
    """Two looks at what can be read, three seconds apart, and the day's dead letters.

    `Unavailable` or `KafkaException` where the cluster doesn't answer.
    """
    where = where_kafka_is(settings)
    admin = kafka.wait_for_broker(settings, where, PATIENCE)
    held = _held(admin)
    if held:
        time.sleep(STANDS)
        still = _held(admin)
        held = {tp: still[tp] for tp, at in held.items() if still.get(tp, (0, 0))[0] == at[0]}
    told = defaultdict[str, Counter[str]](Counter)
    last: dict[str, str] = {}
    count = 0
    today = (time.time() - DAY) * 1e6
    for one in islice(letters(settings, where, lambda _: True, since=int(today)), MOST):
        told[one.topic][one.reason] += 1
        last[one.topic] = one.name
        count += 1
    return Flow(
        _by_topic(settings, where, held),
        [Refused(topic, counts, last[topic]) for topic, counts in told.items()],
        whom(Repository.of(settings)), count < MOST,
    )  # fmt: skip


def _held(admin: AdminClient) -> dict[tuple[str, int], tuple[int, int]]:
    """Of partitions that can't be read to their end: up to where they can, and where they end."""
    topics = admin.list_topics(timeout=PATIENCE).topics
    parts = [(name, p) for name, about in topics.items()
             if not name.startswith("__") for p in about.partitions]  # fmt: skip
    readable, written = (
        offsets_of(admin, parts, OffsetSpec.latest(), PATIENCE, isolation_level=level)
        for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    )
    return {tp: (at.offset, written[tp].offset) for tp, at in readable.items()
            if tp in written and at.offset < written[tp].offset}  # fmt: skip


def _by_topic(
    settings: Settings, where: Endpoints, held: Mapping[tuple[str, int], tuple[int, int]]
) -> list[Held]:  # fmt: skip
    found: dict[str, Held] = {}
    for (topic, partition), (at, end) in sorted(held.items()):
        before = found.get(topic, Held(topic, 0, None))
        age = _age(settings, where, TopicPartition(topic, partition, at))
        ages = [one for one in (age, before.age) if one is not None]
        found[topic] = Held(topic, before.messages + end - at, max(ages, default=None))
    return list(found.values())


def _age(settings: Settings, where: Endpoints, at: TopicPartition) -> float | None:
    """Seconds since the first message that is held back was sent, as its stamp says."""
    how = kafka.consumer(settings, where, group_id="doctor", isolation_level="read_uncommitted")
    reader = Consumer({**how, "log_level": 0, "error_cb": lambda _error: None})
    try:
        reader.assign([at])
        message = reader.poll(PATIENCE)
        if message is None or message.error() is not None:
            return None
        return max(0.0, time.time() - kafka.stamp_of(message) / 1e6)
    finally:
        reader.close()


def judge(flow: Flow) -> Iterator[Finding]:
    """One finding for each topic that is held back, and for each whose messages are refused."""
    for held in flow.held:
        yield _held_back(flow, held)
    for one in flow.refused:
        yield _refused(flow, one)


def _whose(flow: Flow, topic: str) -> str:
    agency = agency_of(topic)
    return asked(agency, flow.whom) if agency else OPERATIONS


def _held_back(flow: Flow, held: Held) -> Finding:
    agency = agency_of(held.topic)
    since = "" if held.age is None else f"; the first of it was sent {length(held.age)} ago"
    if agency:
        cause = f"a producer of {agency} holds a transaction open, or was killed in one"
        mend: tuple[str, ...] = (f"let {agency} end that producer; else the broker ends its transaction, within 15 minutes",
                f"crosstown tail {held.topic}")  # fmt: skip
    else:
        cause = "one of our programs was killed; the broker ends its transaction within a minute"
        mend = ("crosstown status", "after a minute: crosstown down", "crosstown up --detach")
    return Finding(
        "flow-held-back", Severity.CRITICAL,
        f"nobody can read the last {held.messages:,} messages of {held.topic}", _whose(flow, held.topic),
        f"{cause}{since}; nothing is lost, it comes all at once then", mend,
    )  # fmt: skip


def _refused(flow: Flow, one: Refused) -> Finding:
    total = sum(one.reasons.values())
    many = "" if flow.counted else "at least "
    ranked = sorted(one.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    return Finding(
        "flow-dead-letters", Severity.WARNING if total > MANY else Severity.NOTE,
        f"{many}{total:,} messages of {one.topic} became dead letters within a day",
        _whose(flow, one.topic), few([f"{reason} {count:,}" for reason, count in ranked]),
        (f"crosstown dead-letters list --topic {one.topic}", f"crosstown dead-letters show {one.last}"),
    )  # fmt: skip
