"""Whether each partition has a leader, and as many copies as it should."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from crosstown.backbone import kafka
from crosstown.backbone.replicas import in_sync
from crosstown.doctor.backbone import where_kafka_is
from crosstown.doctor.finding import KAFKA, OPERATIONS, Finding, Severity, few
from crosstown.settings import Settings

PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: the brokers that should have it, and those that do."""

    name: str
    leader: int
    replicas: Sequence[int]
    in_sync: Sequence[int]


@dataclass(frozen=True, slots=True)
class Copies:
    """All partitions, and the brokers that answer."""

    brokers: Collection[int]
    partitions: Sequence[Partition]
    own: bool


def look(settings: Settings) -> Copies:
    """One question to the cluster; `Unavailable` where it doesn't answer."""
    about = kafka.wait_for_broker(settings, where_kafka_is(settings), PATIENCE).list_topics(
        timeout=PATIENCE
    )
    return Copies(
        frozenset(about.brokers),
        [
            Partition(f"{topic.topic}/{one.id}", one.leader, one.replicas, one.isrs)
            for topic in about.topics.values() for one in topic.partitions.values()
        ],
        settings.embedded,
    )  # fmt: skip


def judge(copies: Copies) -> Iterator[Finding]:
    """Those without a leader, those that nobody can write to, those with fewer copies."""
    headless = [one for one in copies.partitions if one.leader < 0]
    short = [
        one for one in copies.partitions
        if one.leader >= 0 and len(one.in_sync) < len(one.replicas)
    ]  # fmt: skip
    shut = [one for one in short if len(one.in_sync) < in_sync(len(one.replicas))]
    for found, severity, what in (
        (headless, Severity.CRITICAL, "without a leader: nobody can read or write"),
        (shut, Severity.CRITICAL, "with too few copies: producers are refused"),
        ([one for one in short if one not in shut], Severity.WARNING, "with fewer copies than they should have"),
    ):  # fmt: skip
        if found:
            yield _finding(copies, found, severity, what)


def _finding(copies: Copies, found: Sequence[Partition], severity: Severity, what: str) -> Finding:
    away = sorted({broker for one in found for broker in one.replicas} - set(copies.brokers))
    cause = (
        f"broker {', '.join(map(str, away))} doesn't answer" if away
        else "all brokers answer: one has just come back and is catching up, or its disk failed"
    )  # fmt: skip
    return Finding(
        "copies", severity, f"{len(found)} partitions {what}: {few([one.name for one in found])}",
        OPERATIONS if copies.own else KAFKA, cause,
        ("start that broker again, and look at its log and disk first" if away
         else "look at that broker's log and disk; then wait until it has caught up",
         "crosstown doctor"),
    )  # fmt: skip
