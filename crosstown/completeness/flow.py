"""How far what was published has come, by day, contract and publisher: pure counting.

The day is that of `known_at` in UTC: the day on which the source said it. What is counted are messages
on the agencies' topics; each is in exactly one of the states, so the figures of a row add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from crosstown.completeness.counted import Count

State = Literal["joined", "aside", "dead", "erased", "under-way", "not-accepted", "not-joined"]
"""What became of a message. aside: accepted, and no entry of a case (a link, a count, withdrawn)."""
NAMED: Final = 1_000
"""So many differences of a row are named; the figures count all."""


class Slot(NamedTuple):
    """What a row of the answer is about; for a contract in `any/` the publisher tells rows apart."""

    day: str
    contract: str
    agency: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message on an agency's topic: what it says, and where it lies (`topic/partition/offset`).

    `record` is the message's key where its bytes couldn't be opened.
    """

    slot: Slot
    record: str
    event_id: str
    at: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is at one stage and not at the next, by name; `at` is where it lies."""

    stage: str
    record: str
    at: str
    why: str


@dataclass(slots=True)
class Delivered:
    """How many of a row's events an agreement covers, and how many its receiver has been told."""

    agreement: str
    receiver: str
    due: int = 0
    told: int = 0


@dataclass(slots=True)
class Flow:
    """One row: what a source counted, what lies on its topics, what became of it."""

    slot: Slot
    counts: list[Count] = field(default_factory=list)
    states: Counter[State] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    delivered: dict[str, Delivered] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    more: int = 0
    """Differences that aren't named."""
    cut: bool = False
    """The beginning of its topic isn't there any more, so `published` may be too few."""
    events: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)

    @property
    def published(self) -> int:
        """Messages on the agency's topic."""
        return sum(self.states.values())

    @property
    def accepted(self) -> int:
        """Messages that are in `accepted`."""
        return self.states["joined"] + self.states["aside"] + self.states["not-joined"]

    def take(self, message: Message, state: State, why: str = "") -> None:
        """Count a message; what is lost or dead is named."""
        self.states[state] += 1
        if message.event_id:
            self.events.add(message.event_id)
            self.records.add(message.record)
        if state == "dead":
            self.dead[why] += 1
        if state in ("dead", "not-accepted", "not-joined"):
            self.differ(Difference(_STAGES[state], message.record, message.at, why))

    def differ(self, one: Difference) -> None:
        """Name one difference, as long as there is room."""
        if len(self.differences) < NAMED:
            self.differences.append(one)
        else:
            self.more += 1

    @property
    def complete(self) -> bool:
        """Whether nothing is missing anywhere, as far as anybody has counted."""
        return not self.differences


_STAGES: Final = {"dead": "dead letter", "not-accepted": "not accepted", "not-joined": "not joined"}


def source_differences(
    flow: Flow, erased: Callable[[str], bool] = lambda _: False
) -> Iterable[Difference]:
    """Where a row's source has counted something else than was found; what is erased isn't named."""
    for count in flow.counts:
        where = count.file or count.how
        if count.unit != "rows":
            found = len(flow.events if count.unit == "events" else flow.records)
            if count.counted != found and not (flow.cut and found < count.counted):
                why = f"the source counted {count.counted:,} {count.unit}, {found:,} were published"
                yield Difference("not published", "", where, why)
        elif count.read is not None:
            yield from _rows(count, count.read, where, erased)


def _rows(
    count: Count, read: int, where: str, erased: Callable[[str], bool]
) -> Iterable[Difference]:
    if count.refused:
        yield Difference("not read", "", where, count.refused)
    if count.counted != read:
        why = f"the source counted {count.counted:,} rows, {read:,} were read"
        yield Difference("not read", "", where, why)
    for record in count.missing:
        if erased(record):
            continue
        yield Difference("not read", record, where, "the source lists it, and no row has it")
    for record in count.unlisted:
        if erased(record):
            continue
        yield Difference(
            "not listed", record, where, "a row has it, and the source doesn't list it"
        )
    for reject in count.rejects:
        yield Difference("rejected", "", where, reject)
    rest = (count.rejected or 0) - len(count.rejects)
    if rest > 0:
        yield Difference("rejected", "", where, f"{rest:,} more rows")
