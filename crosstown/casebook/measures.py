"""What a case's timeline says of its outcome: hand-offs, endings, what came back.

Pure, and without a clock: what depends on today (lost, late while open) is kept as moments, and
asked when it is read. The definitions with an example each are docs/measures.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

LOST_AFTER: Final = 14 * 86_400_000_000
"""Microseconds after which a hand-off that nobody answered counts as lost: two weeks."""
REOPENED_WITHIN: Final = 60 * 86_400_000_000
"""Microseconds after its end within which a reopening says that it wasn't done."""

_ENDED: Final = frozenset({"RESOLVED", "CLOSED"})
_SAYS_NOTHING: Final = frozenset({"NOTE", "OTHER"})
_ORDER: Final = {
    step: i for i, step in enumerate(
        ("REPORTED", "ASSIGNED", "IN_PROGRESS", "HANDED_OFF", "WAITING", "RESOLVED", "CLOSED",
         "REOPENED", "NOTE", "WITHDRAWN", "OTHER")
    )
}  # fmt: skip
"""Of two things said of a record for one moment, the one that is further on counts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one record of a case fared; times are microseconds UTC, None: not (yet)."""

    record: str
    agency: str
    register: str
    """agency/register: whether its system ever says RESOLVED is seen over all its records."""
    status: str
    """open, resolved, or closed (without a word that it was resolved)."""
    reported_at: int | None
    ended_at: int | None
    """When it was first said resolved or closed since it was last open."""
    due_at: int | None
    """The promise that was made last."""
    reopened_at: int | None
    """The first reopening within `REOPENED_WITHIN` of an end."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """One entry that hands the matter to another agency; `to_agency` is empty where none is named."""

    event_id: str
    record: str
    from_agency: str
    to_agency: str
    at: int
    picked_up_at: int | None


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What `by_agency` first added to a case while the record that `for_agency` reported hadn't ended."""

    for_agency: str
    by_agency: str
    at: int


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a case; of one too large for its message only that."""

    whole: bool
    first_report_at: int | None = None
    last_close_at: int | None = None
    """When the last record ended; None while one is open."""
    ping_pong: bool = False
    place_only: bool = False
    """Joined across agencies by place and time alone: nobody named another's record."""
    outcomes: tuple[Outcome, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    enrichments: tuple[Enrichment, ...] = ()
    """One for each agency that added something, by its first entry."""

    @property
    def enriched(self) -> bool:
        """Whether anybody but the first reporter added something in time."""
        return bool(self.enrichments)


def measure(case: Mapping[str, Any]) -> Measures:
    """The measures of a decoded `case` of `timelines`; the order of its entries doesn't matter."""
    entries: list[Mapping[str, Any]] = case["entries"]
    if len(entries) < case["entry_count"]:
        return Measures(whole=False)
    by_record: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_record.setdefault(entry["record"], []).append(entry)
    outcomes = tuple(_outcome(record, said) for record, said in sorted(by_record.items()))
    ends = [one.ended_at for one in outcomes if one.ended_at is not None]
    reports = [one.reported_at for one in outcomes if one.reported_at is not None]
    handoffs = tuple(_handoffs(entries))
    return Measures(
        whole=True,
        first_report_at=min(reports, default=None),
        last_close_at=max(ends) if ends and case["status"] == "closed" else None,
        ping_pong=_returns(handoffs),
        place_only=_place_only(case),
        outcomes=outcomes,
        handoffs=handoffs,
        enrichments=tuple(_enrichments(entries)),
    )


def _outcome(record: str, said: Sequence[Mapping[str, Any]]) -> Outcome:
    agency, register, _ = record.split("/", 2)
    ended, resolved, reopened = None, False, None
    reported = [one["occurred_at"] for one in said if one["step"] == "REPORTED"]
    moving = _moving(said)
    for one in moving:
        at, step = one["occurred_at"], one["step"]
        if step in _ENDED:
            resolved = resolved or step == "RESOLVED"
            ended = at if ended is None else ended
            continue
        if step == "REOPENED" and ended is not None and at - ended <= REOPENED_WITHIN:
            reopened = at if reopened is None else reopened
        ended, resolved = None, False
    is_open = ended is None and bool(reported or moving)
    due = max(((_when(one), one["due_at"]) for one in said if one["due_at"] is not None),
              default=(None, None))  # fmt: skip
    return Outcome(
        record, agency, f"{agency}/{register}",
        "open" if is_open else "resolved" if resolved else "closed" if ended is not None else "none",
        min(reported, default=None), ended, due[1], reopened,
    )  # fmt: skip


def _moving(said: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What opens or ends a record, in order: a report opens but never reopens."""
    return sorted(
        (one for one in said if one["step"] not in _SAYS_NOTHING | {"REPORTED"}), key=_when
    )


def _when(entry: Mapping[str, Any]) -> tuple[int, int]:
    return entry["occurred_at"], _ORDER[entry["step"]]


def _handoffs(entries: Sequence[Mapping[str, Any]]) -> Iterable[Handoff]:
    spoke: dict[str, list[int]] = {}
    for one in entries:
        spoke.setdefault(one["agency"], []).append(one["occurred_at"])
    for one in entries:
        to, at = one["to_agency"], one["occurred_at"]
        if to == one["agency"] or not (to or one["step"] == "HANDED_OFF"):
            continue
        answers = [then for then in spoke.get(to, ()) if then >= at]
        yield Handoff(
            one["event_id"], one["record"], one["agency"], to, at, min(answers, default=None)
        )


def _returns(handoffs: Sequence[Handoff]) -> bool:
    """Whether one agency handed it to another that handed it back."""
    return any(
        there.to_agency == back.from_agency and there.from_agency == back.to_agency
        and there.at <= back.at and there is not back
        for there in handoffs if there.to_agency
        for back in handoffs
    )  # fmt: skip


def _enrichments(entries: Sequence[Mapping[str, Any]]) -> Iterable[Enrichment]:
    """What others added while the first reporter's record hadn't ended yet."""
    reports = [one for one in entries if one["step"] == "REPORTED"]
    if not reports:
        return
    first = min(reports, key=lambda one: (one["occurred_at"], one["event_id"]))
    at, agency = first["occurred_at"], first["agency"]
    moving = _moving(one for one in entries if one["record"] == first["record"])
    added: dict[str, int] = {}
    for one in entries:
        then = one["occurred_at"]
        if one["agency"] != agency and then >= at and _was_open(moving, then):
            added[one["agency"]] = min(then, added.get(one["agency"], then))
    for by, then in sorted(added.items()):
        yield Enrichment(agency, by, then)


def _was_open(moving: Sequence[Mapping[str, Any]], at: int) -> bool:
    """Whether a reported record of which `moving` was said was open then; its end isn't part of it."""
    before = bisect_right(moving, at, key=lambda one: one["occurred_at"])
    return before == 0 or moving[before - 1]["step"] not in _ENDED


def _place_only(case: Mapping[str, Any]) -> bool:
    """False where not all links are in the message: one that is not might name another's record."""
    links = case["links"]
    return len(case["agencies"]) > 1 and len(links) == case["link_count"] and not any(
        link["rule"] != "place" and link["from"].split("/")[0] != link["to"].split("/")[0]
        for link in links
    )  # fmt: skip


class Measure(Enum):
    """A property of a case, each defined in docs/measures.md; the value is its name everywhere."""

    OPEN = "open"
    CLOSED = "closed"
    MEASURED = "measured"
    HANDED_OFF = "handed-off"
    PICKED_UP = "picked-up"
    LOST = "lost"
    UNTRACEABLE = "untraceable"
    PING_PONG = "ping-pong"
    LATE = "late"
    RESOLVED = "resolved"
    CLOSED_UNRESOLVED = "closed-unresolved"
    NOT_SAID = "not-said"
    REOPENED = "reopened"
    ENRICHED = "enriched"
    PLACE_ONLY = "place-only"
    NO_REPORT = "no-report"
    BACKWARDS = "backwards"
    TOO_LARGE = "too-large"


_HANDOFF: Final = "exists (select 1 from raw_handoffs h where h.case_id = c.case_id{})"
_OUTCOME: Final = "exists (select 1 from raw_outcomes o where o.case_id = c.case_id{})"
_SHARES: Final = "exists (select 1 from raw_outcomes s where s.agency = h.to_agency)"
_EVER_RESOLVED: Final = (
    "exists (select 1 from raw_outcomes s where s.register = o.register and s.status = 'resolved')"
)
CONDITIONS: Final[Mapping[Measure, str]] = {
    Measure.OPEN: "c.status = 'open'",
    Measure.CLOSED: "c.status = 'closed'",
    Measure.MEASURED: "m.last_close >= m.first_report",
    Measure.HANDED_OFF: _HANDOFF.format(""),
    Measure.PICKED_UP: _HANDOFF.format(" and h.picked_up is not null"),
    Measure.LOST: _HANDOFF.format(
        f" and h.picked_up is null and h.at + {LOST_AFTER} < :now and {_SHARES}"
    ),
    Measure.UNTRACEABLE: _HANDOFF.format(f" and h.picked_up is null and not {_SHARES}"),
    Measure.PING_PONG: "m.ping_pong = 1",
    Measure.LATE: _OUTCOME.format(" and o.due < coalesce(o.ended, :now) and o.status <> 'none'"),
    Measure.RESOLVED: _OUTCOME.format(" and o.status = 'resolved'"),
    Measure.CLOSED_UNRESOLVED: _OUTCOME.format(f" and o.status = 'closed' and {_EVER_RESOLVED}"),
    Measure.NOT_SAID: _OUTCOME.format(f" and o.status = 'closed' and not {_EVER_RESOLVED}"),
    Measure.REOPENED: _OUTCOME.format(" and o.reopened is not null"),
    Measure.ENRICHED: "m.enriched = 1",
    Measure.PLACE_ONLY: "m.place_only = 1",
    Measure.NO_REPORT: "c.status = 'closed' and m.whole = 1 and m.first_report is null",
    Measure.BACKWARDS: "m.last_close < m.first_report",
    Measure.TOO_LARGE: "m.whole = 0",
}
"""Each as SQL over a case c of `raw_cases` and its m of `raw_measures`; `:now` in microseconds UTC."""
ENRICHED: Final = (
    "(:by_agency = '' and :for_agency = '' or exists (select 1 from raw_enrichments n"
    " where n.case_id = c.case_id and :by_agency in ('', n.by_agency)"
    " and :for_agency in ('', n.for_agency)))"
)
"""Cases that `:by_agency` enriched for `:for_agency`; empty: anybody."""
