"""How the cluster differs from what the contracts say: what `crosstown plan` finds, with its cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crosstown.contracts.repository import Repository
from crosstown.doctor.finding import KAFKA, OPERATIONS, Finding, Severity, asked, few
from crosstown.home import endpoints
from crosstown.lookout.terms import whom
from crosstown.pausing.pauses import agency_of
from crosstown.provisioning.cluster import planned
from crosstown.provisioning.plan import Change
from crosstown.settings import Settings

Told = tuple[Severity, str, str, tuple[str, ...]]
"""Severity, what, cause, and what to do besides plan and apply."""

OURS: Final[Mapping[tuple[str, str], Told]] = {
    ("create", "topic"): (
        Severity.CRITICAL, "topics of Crosstown's own aren't there",
        "they were deleted, or an agreement is new; what a program writes there is refused", (),
    ),
    ("by-hand", "partitions"): (
        Severity.CRITICAL, "topics of Crosstown's own have another number of partitions",
        "made by hand, or another number is asked for now: a shard's events are looked for elsewhere",
        ("set CROSSTOWN_PARTITIONS to what is there, or make new ones:",
         "crosstown rebuild --swap --partitions N"),
    ),
}  # fmt: skip
"""Where it is another thing than with an agency's topic."""

THEIRS: Final[Mapping[tuple[str, str], Told]] = {
    ("create", "topic"): (
        Severity.WARNING, "agencies' topics aren't there",
        "they were deleted, or a contract is new; what is published there is refused", (),
    ),
    ("remove", "topic"): (
        Severity.WARNING, "empty topics that no contract covers",
        "a contract was taken away, or somebody made them by hand", (),
    ),
    ("by-hand", "topic"): (
        Severity.WARNING, "topics that no contract covers",
        "a contract was taken away, or somebody made them by hand; intake takes nothing from them",
        ("write its contract (crosstown new contract), or delete the topic",),
    ),
    ("by-hand", "partitions"): (
        Severity.WARNING, "topics with another number of partitions",
        "made by hand, or their contract asks for more now",
        ("kafka-topics.sh --alter --topic TOPIC --partitions N",),
    ),
    ("by-hand", "replicas"): (
        Severity.WARNING, "topics with too few copies",
        "made when there were fewer brokers: with one broker away nobody can read them",
        ("kafka-reassign-partitions.sh --execute --reassignment-json-file FILE",),
    ),
    ("change", "config"): (
        Severity.WARNING, "topics set up otherwise",
        "changed by hand, or a contract says another retention now", (),
    ),
    ("create", "schema"): (
        Severity.WARNING, "the registry's schemas are older than the contracts",
        "a contract has a version that was never applied: who writes with it isn't understood", (),
    ),
    ("by-hand", "schema"): (
        Severity.WARNING, "the registry has schemas that no contract has",
        "a producer registered its own: what it sends becomes dead letters",
        ("crosstown dead-letters",),
    ),
    ("change", "compatibility"): (
        Severity.WARNING, "subjects with another compatibility mode",
        "changed by hand: a version that breaks its readers could be registered", (),
    ),
    ("create", "acl"): (
        Severity.WARNING, "accounts that may do too little",
        "rules were removed by hand, or an agreement is new: it is refused what it was promised",
        ("crosstown refusals",),
    ),
    ("remove", "acl"): (
        Severity.WARNING, "accounts that may do too much",
        "an agreement has ended, or rules were given by hand", (),
    ),
    ("remove", "user"): (
        Severity.WARNING, "accounts of no agency", "an agency was taken from agencies.yaml", (),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Differences:
    """The plan's changes, and whom to ask about an agency's topic, by agency."""

    changes: Sequence[Change]
    contacts: Mapping[str, str]
    embedded: bool


def look(settings: Settings) -> Differences:
    """Compare; raises what `crosstown plan` would."""
    cluster, _, _, changes = planned(settings, endpoints(settings))
    cluster.close()
    return Differences(changes, whom(Repository.of(settings)), settings.embedded)


def judge(seen: Differences) -> Iterator[Finding]:
    """One finding for each kind of difference and whose it is, not one for each line of the plan."""
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for change in seen.changes:
        groups.setdefault((change.action, change.kind, _agency(change)), []).append(change)
    for (action, kind, agency), changes in groups.items():
        whose = _whose(seen, agency)
        names = few(sorted({one.name for one in changes}))
        severity, what, cause, also = _told(action, kind, ours=not agency)
        takes_away = any(one.destructive for one in changes)
        by_plan = ("crosstown apply --yes" if takes_away else "crosstown apply",)
        yield Finding(
            f"drift-{kind}", severity, f"{what}: {names}", whose, f"{cause} ({changes[0].detail})",
            ("crosstown plan", *(by_plan if action != "by-hand" else ()), *also),
        )  # fmt: skip


def _agency(change: Change) -> str:
    if change.kind in ("acl", "user", "quota"):
        return change.name
    return agency_of(change.name)


def _whose(seen: Differences, agency: str) -> str:
    if agency:
        return asked(agency, seen.contacts)
    return OPERATIONS if seen.embedded else KAFKA


def _told(action: str, kind: str, *, ours: bool) -> Told:
    """What is said of one kind of difference; one that is new to the plan is told plainly."""
    other = (Severity.WARNING, f"{kind} differs", "changed by hand, or in a contract", ())
    told = THEIRS.get((action, kind), other)
    return OURS.get((action, kind), told) if ours else told
