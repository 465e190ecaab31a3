"""How the cluster differs from what the contracts say: what `crosstown plan` finds, with its cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crosstown.cluster import planned
from crosstown.doctor.finding import KAFKA, OPERATIONS, Finding, Severity, few
from crosstown.home import endpoints
from crosstown.lookout.terms import contact
from crosstown.plan import Change
from crosstown.repository import Repository
from crosstown.settings import Settings

PLAN: Final = ("crosstown plan", "crosstown apply")
DESTRUCTIVE: Final = ("crosstown plan", "crosstown apply --yes")


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
    contracts = Repository.of(settings).contracts.values()
    return Differences(changes, {one.owner: contact(one) for one in contracts}, settings.embedded)


def judge(seen: Differences) -> Iterator[Finding]:
    """One finding for each kind of difference and whose it is, not one for each line of the plan."""
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for change in seen.changes:
        groups.setdefault((change.action, change.kind, _agency(change)), []).append(change)
    for (action, kind, agency), changes in groups.items():
        whose = _whose(seen, agency)
        names = few(sorted({one.name for one in changes}))
        severity, what, cause, mend = _told(seen, action, kind, agency, changes)
        yield Finding(f"drift-{kind}", severity, f"{what}: {names}", whose,
                      f"{cause} ({changes[0].detail})", mend)  # fmt: skip


def _agency(change: Change) -> str:
    if change.kind in ("acl", "user", "quota"):
        return change.name
    found = re.match(r"events\.([a-z0-9-]+)\.", change.name)
    return found[1] if found else ""


def _whose(seen: Differences, agency: str) -> str:
    if agency:
        at = seen.contacts.get(agency, "")
        return f"{agency} ({at})" if at and at != agency else agency
    return OPERATIONS if seen.embedded else KAFKA


def _told(
    seen: Differences, action: str, kind: str, agency: str, changes: Sequence[Change]
) -> tuple[Severity, str, str, tuple[str, ...]]:
    """Severity, what, cause, mend of changes of one kind."""
    mend = DESTRUCTIVE if any(one.destructive for one in changes) else PLAN
    match action, kind:
        case "create", "topic":
            return (Severity.WARNING if agency else Severity.CRITICAL, "topics aren't there",
                    "they were deleted, or a contract or agreement is new; nobody can write there", mend)  # fmt: skip
        case "by-hand", "topic":
            return (Severity.WARNING, "topics that no contract covers",
                    "a contract was taken away, or somebody made it by hand; intake takes nothing of it",
                    ("crosstown plan", f"write its contract: crosstown new contract {agency}"
                     if agency else "write its contract, or delete the topic"))  # fmt: skip
        case _, "partitions" if agency:
            return (Severity.WARNING, "topics with another number of partitions",
                    "made by hand, or the contract asks for more now",
                    ("crosstown plan", "kafka-topics.sh --alter --topic TOPIC --partitions N"))  # fmt: skip
        case _, "partitions":
            return (Severity.CRITICAL, "topics with another number of partitions",
                    "made by hand, or CROSSTOWN_PARTITIONS was changed: what one shard holds is"
                    " looked for in another",
                    ("crosstown plan", "set CROSSTOWN_PARTITIONS back, or: crosstown rebuild --swap --partitions N"))  # fmt: skip
        case _, "replicas":
            return (Severity.WARNING, "topics with too few copies",
                    "made when there were fewer brokers: with one broker away they can't be read",
                    ("crosstown plan", "kafka-reassign-partitions.sh --execute"
                     " --reassignment-json-file FILE"))  # fmt: skip
        case _, "config":
            return (Severity.WARNING, "topics set up otherwise",
                    "changed by hand, or a contract's retention is another now", mend)  # fmt: skip
        case "by-hand", "schema":
            return (Severity.WARNING, "the registry has schemas that no contract has",
                    "a producer registers its own: what it sends becomes dead letters",
                    ("crosstown plan", "crosstown dead-letters"))  # fmt: skip
        case _, "schema":
            return (Severity.WARNING, "the registry's schemas are old",
                    "a contract has a newer version that was never applied: who sends it is refused", mend)  # fmt: skip
        case _, "compatibility":
            return (Severity.WARNING, "subjects with another compatibility mode",
                    "changed by hand: a version could be registered that breaks readers", mend)  # fmt: skip
        case "create", "acl":
            return (Severity.WARNING, "accounts that may do too little",
                    "rules were removed by hand, or an agreement is new: it is refused what it was promised",
                    (*mend, "crosstown refusals"))  # fmt: skip
        case _, "acl" | "user":
            return (Severity.WARNING, "accounts that may do too much",
                    "an agreement has ended, or rules were given by hand", mend)  # fmt: skip
        case _:
            return Severity.WARNING, f"{kind} differs", "changed by hand, or in a contract", mend
