"""What must change so that a cluster is as the contract repository wants it: a pure difference.

`plan(wanted, found)` names each difference once. What takes something away, or can't be done by us,
says so; nothing else does harm if it is carried out twice. Source: docs/decisions/0022.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from crosstown.provisioning.access import Grant

Action = Literal["create", "change", "remove", "by-hand"]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is or must be; `empty`: nothing lies in it."""

    partitions: int
    config: Mapping[str, str]
    replicas: int = 1
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the contract repository asks for; `at_least`: topics that may have more partitions."""

    topics: Mapping[str, TopicState]
    at_least: frozenset[str]
    covered: frozenset[str]
    """Topics that a contract covers, also those that nobody needs yet."""
    subjects: Mapping[str, Sequence[str]]
    """The schemas of a subject's versions, oldest first."""
    compatibility: Mapping[str, str]
    agencies: frozenset[str]
    grants: Mapping[str, frozenset[Grant]]
    """By agency; carried out for those that have an account."""
    quotas: Mapping[str, float]
    """Bytes a second that an agency may publish; carried out likewise."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a cluster has; `unmanaged`: what it wouldn't let us see, and so is left alone."""

    topics: Mapping[str, TopicState]
    subjects: Mapping[str, Sequence[str]]
    compatibility: Mapping[str, str]
    users: frozenset[str]
    grants: frozenset[Grant]
    quotas: Mapping[str, float]
    unmanaged: Sequence[str] = ()

    def with_user(self, user: str) -> Found:
        """The same, as if that user had an account already."""
        return replace(self, users=self.users | {user})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; `destructive`: it takes away what somebody may still need."""

    action: Action
    kind: str
    name: str
    detail: str
    destructive: bool = False
    key: str = ""
    """Which setting of a topic, or version of a schema."""
    grants: frozenset[Grant] = field(default_factory=frozenset)

    @property
    def harmless(self) -> bool:
        """Whether it may be carried out unasked."""
        return self.action != "by-hand" and not self.destructive


def plan(wanted: Wanted, found: Found) -> list[Change]:
    """All differences, in the order in which they are carried out: first what others stand on."""
    return [
        *_topics(wanted, found),
        *_schemas(wanted, found),
        *_access(wanted, found),
        *_quotas(wanted, found),
    ]


def _topics(wanted: Wanted, found: Found) -> Iterator[Change]:
    for name, want in sorted(wanted.topics.items()):
        have = found.topics.get(name)
        if have is None:
            yield Change("create", "topic", name,
                         f"{want.partitions} partitions, {want.replicas} replicas")  # fmt: skip
            continue
        if have.partitions < want.partitions or (
            have.partitions != want.partitions and name not in wanted.at_least
        ):
            yield Change("by-hand", "partitions", name,
                         f"has {have.partitions}, not {want.partitions}: crosstown rebuild --swap"
                         f" --partitions {want.partitions}, or set that number")  # fmt: skip
        if have.replicas < want.replicas:
            yield Change("by-hand", "replicas", name,
                         f"has {have.replicas}, not {want.replicas}: kafka-reassign-partitions")  # fmt: skip
        for key, value in sorted(want.config.items()):
            if have.config.get(key) != value:
                yield Change("change", "config", name,
                             f"{key}: {have.config.get(key, 'unset')} -> {value}",
                             destructive=_shortens(key, have.config.get(key), value), key=key)  # fmt: skip
    for name in sorted(found.topics.keys() - wanted.topics.keys() - wanted.covered):
        if not name.startswith("events."):
            continue
        if found.topics[name].empty:
            yield Change(
                "remove",
                "topic",
                name,
                "no contract here covers it; it is empty, nothing is lost",
                destructive=True,
            )
        else:
            yield Change("by-hand", "topic", name,
                         "no contract here covers it, and it isn't empty: write its contract, or delete it yourself")  # fmt: skip


def _shortens(key: str, have: str | None, want: str) -> bool:
    """Whether Kafka would then throw away what it keeps now, or keep it with fewer copies."""
    if key == "cleanup.policy":
        return "delete" in want.split(",") and "delete" not in (have or "delete").split(",")
    if key == "min.insync.replicas":
        return int(want) < int(have or 1)
    if key != "retention.ms":
        return False
    now, then = float(have or -1), float(want)
    return then >= 0 and (now < 0 or then < now)


def _schemas(wanted: Wanted, found: Found) -> Iterator[Change]:
    for subject, texts in sorted(wanted.subjects.items()):
        mode = wanted.compatibility[subject]
        if found.compatibility.get(subject) != mode:
            yield Change("change", "compatibility", subject,
                         f"{found.compatibility.get(subject) or 'the default'} -> {mode}")  # fmt: skip
        have = {canonical(text) for text in found.subjects.get(subject, ())}
        for number, text in enumerate(texts, 1):
            if canonical(text) not in have:
                yield Change("create", "schema", subject, f"version {number}", key=str(number))
        for _ in have - {canonical(text) for text in texts}:
            yield Change("by-hand", "schema", subject,
                         "the registry holds a version that no contract has: add it, or remove it there")  # fmt: skip


def canonical(text: str) -> str:
    """A schema's text as a registry can't change it: which order its keys have says nothing."""
    return json.dumps(json.loads(text), sort_keys=True)


def _access(wanted: Wanted, found: Found) -> Iterator[Change]:
    for user in sorted(found.users & wanted.agencies):
        want = wanted.grants.get(user, frozenset())
        have = frozenset(one for one in found.grants if one.user == user)
        for grant in sorted(want - have):
            yield Change("create", "acl", user, str(grant), grants=frozenset({grant}))
        for grant in sorted(have - want):
            yield Change("remove", "acl", user, str(grant), destructive=True,
                         grants=frozenset({grant}))  # fmt: skip
    for user in sorted(found.users - wanted.agencies):
        yield Change("remove", "user", user, "is no declared agency", destructive=True)


def _quotas(wanted: Wanted, found: Found) -> Iterator[Change]:
    for user in sorted(found.users & wanted.agencies):
        want, have = wanted.quotas.get(user), found.quotas.get(user)
        if want is not None and want != have:
            yield Change("change", "quota", user, f"{_rate(have)} -> {_rate(want)}")
        elif want is None and have is not None:
            yield Change("remove", "quota", user, _rate(have), destructive=True)


def _rate(value: float | None) -> str:
    return "no limit" if value is None else f"{value:,.0f} bytes/s"
