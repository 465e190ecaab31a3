"""What a row of a file says: whose record, which steps with which times, what else stands in it.

Two shapes are told apart: a row is a record, each of whose columns of time is a step; or a row is
one step, and several rows have the record's number.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from crosstown.errors import Refused
from crosstown.onboarding import words
from crosstown.onboarding.columns import Column, Kind

STRAY: Final = 0.1
"""The share of rows that may speak against what all others say."""
FEW: Final = 5
"""Fewer rows than this say little about which values repeat."""
_NUMBERED: Final = re.compile(r"([A-Za-z]{0,5})([-_ /]?)\d[\w/-]*")
_ZIP: Final = re.compile(r"\d{5}(-\d{4})?$|\b\d{5}\b \w+$")


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of event: its name, the column of its time, and what it means for the record.

    `step` is empty where no word says so. `own` are columns that are filled only once it happened.
    """

    event: str
    time: Column
    step: str
    own: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that was inferred. `event`: the column that names a row's step, where a row is one step."""

    number: Column
    rivals: tuple[Column, ...]
    """Other columns that could be the record's number."""
    steps: tuple[Step, ...]
    event: Column | None = None
    line: Column | None = None
    per_row: bool = False
    due: Column | None = None
    said: Column | None = None
    address: Column | None = None
    house: Column | None = None
    """Where the house's number stands, if not in the address."""
    towned: bool = False
    """Most addresses have a town or a postal code behind them."""
    refs: tuple[tuple[Column, str], ...] = ()
    """Columns of what look like others' numbers, each with a few values."""
    fields: tuple[Column, ...] = ()
    """Columns that are said with every event."""
    left_out: tuple[tuple[Column, str], ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)


def plan(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Plan:
    """The plan; raises `Refused` where no column is a time or none can be a number."""
    rows = list(dict.fromkeys(map(tuple, rows)))  # a dump that repeats a row says nothing new
    times = [one for one in columns if one.kind is Kind.MOMENT]
    if not times:
        raise Refused("no-time", "no column can be read as times; an event is something that happened"
                      " at a time", mend="export one, e.g. as 2025-01-31 14:05")  # fmt: skip
    number, rivals, per_row = _number(columns, rows)
    reasons = {number.header: "empty nowhere, another in each row" if not per_row else
               "empty nowhere, the same in several rows"}  # fmt: skip
    left: list[tuple[Column, str]] = []
    due = _take(times, words.DUE)
    said = _take(times, words.SAID)
    for one in [t for t in times if words.has(t.field, words.CHANGED)]:
        if len(times) > 1:
            times.remove(one)
            left.append((one, "when the row was last changed is no happening of its own"))
    if not times:
        times = [one for one in (said, due) if one is not None]
        said = due = None
    address, house, towned = _address(columns, rows)
    refs = tuple(_refs(columns, rows, number))
    busy = {id(one) for one in (number, *times, due, said, *(c for c, _ in left)) if one}
    rest = [one for one in columns if id(one) not in busy and one.kind is not Kind.EMPTY]
    left += [(one, "empty in all rows read") for one in columns if one.kind is Kind.EMPTY]
    for one in [c for c in rest if c.kind is Kind.SECRET]:
        rest.remove(one)
        left.append((one, "confidential: nobody else needs it until somebody says so"))
    if per_row:
        line, event = _line(columns, rows, number, busy), _event(rest)
        best = max(times, key=lambda t: t.filled)
        left += [(t, "one time a row: another column is it") for t in times if t is not best]
        rest = [one for one in rest if one is not event and one is not line]
        step = Step("recorded", best, "" if event is None else "OTHER")
        return Plan(number, rivals, (step,), event, line, True, due, said, address, house,
                    towned, refs, tuple(rest), tuple(left), reasons)  # fmt: skip
    for one in [c for c in rest if words.has(c.field, words.STATE)]:
        rest.remove(one)
        left.append((one, "what is so now, not what happened"))
    asked = [one for one, _ in refs]  # whose numbers they are is known from the beginning
    steps, common = _steps(times, [one for one in rest if one not in asked], rows)
    common += tuple(one for one in rest if one in asked)
    return Plan(number, rivals, steps, None, None, False, due, said, address, house, towned,
                refs, common, tuple(left), reasons)  # fmt: skip


def _take(times: list[Column], called: tuple[str, ...]) -> Column | None:
    found = [one for one in times if words.has(one.field, called)]
    if not found or len(times) < 2:
        return None
    times.remove(found[0])
    return found[0]


def _number(
    columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> tuple[Column, tuple[Column, ...], bool]:
    """The record's number, what else could be it, and whether several rows have the same."""
    could = [
        one for one in columns
        if one.filled and one.kind in (Kind.TEXT, Kind.WHOLE, Kind.CODE)
        and all(row[one.at] and len(row[one.at]) <= 64 for row in rows)
        and sum(any(map(str.isdigit, row[one.at])) for row in rows) > 0.9 * len(rows)
    ]  # fmt: skip
    unique = [one for one in could if len({row[one.at] for row in rows}) == len(rows)]
    pool = unique or [one for one in could if words.has(one.field, words.NUMBER)] or could
    if not pool:
        raise Refused("no-number", "no column is filled in every row like a record's number",
                      mend="export the number under which your office files it")  # fmt: skip
    ranked = sorted(pool, key=lambda c: (not words.has(c.field, words.NUMBER), c.at))
    rivals = ranked[1:] if not unique or len(rows) < FEW else [
        c for c in ranked[1:] if words.has(c.field, words.NUMBER)]  # fmt: skip
    return ranked[0], tuple(rivals), not unique


def _line(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], number: Column, busy: set[int]
) -> Column | None:
    """What tells a record's rows apart for ever."""
    could = [
        one for one in columns
        if id(one) not in busy and one.kind in (Kind.TEXT, Kind.WHOLE, Kind.CODE)
        and one.filled >= len(rows)
        and len({(row[number.at], row[one.at]) for row in rows}) == len(rows)
    ]  # fmt: skip
    named = [one for one in could if words.has(one.field, words.LINE)]
    return next(iter(named or could), None)


def _event(rest: Sequence[Column]) -> Column | None:
    def score(one: Column) -> float:
        known = sum(bool(words.step_of(code)) for code in one.codes) / len(one.codes)
        return known + words.has(one.field, words.EVENT)

    could = [one for one in rest if one.kind is Kind.CODE]
    best = max(could, key=score, default=None)
    return best if best is not None and score(best) >= 0.5 else None


def _steps(
    times: Sequence[Column], rest: Sequence[Column], rows: Sequence[Sequence[str]]
) -> tuple[tuple[Step, ...], tuple[Column, ...]]:
    """The steps in their order, each with what only it knows; and what all of them say."""
    ordered = sorted(times, key=lambda t: (-t.filled, t.at))
    own: dict[int, list[Column]] = defaultdict(list)
    common: list[Column] = []
    for one in rest:
        later = [t for t in ordered if _only_with(one, t, rows)]
        if later:
            own[later[-1].at].append(one)
        else:
            common.append(one)
    names: Counter[str] = Counter()
    steps = []
    for t in sorted(ordered, key=lambda t: t.at):
        event = words.event_of(t.header, t.at)
        names[event] += 1
        unique = event if names[event] == 1 else f"{event}-{names[event]}"
        steps.append(Step(unique, t, words.step_of(t.header), tuple(own[t.at])))
    return tuple(steps), tuple(common)


def _only_with(one: Column, time: Column, rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column is filled once a step has its time, and as good as never before."""
    before = [bool(row[one.at]) for row in rows if not row[time.at]]
    after = sum(1 for row in rows if row[time.at] and row[one.at])
    return len(before) > 0 and after > 1 and sum(before) <= STRAY * min(len(before), after)


def _address(
    columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> tuple[Column | None, Column | None, bool]:
    """The column of the address that others write likest, the house's where it's apart."""

    def town(one: Column) -> float:
        texts = [row[one.at] for row in rows if row[one.at]]
        return sum(_ZIP.search(text) is not None for text in texts) / len(texts)

    whole = [one for one in columns if one.kind is Kind.ADDRESS]
    if whole:
        best = min(whole, key=lambda c: (town(c) > 0.3, -c.filled, c.at))
        return best, None, town(best) > 0.3
    house = next((c for c in columns if words.has(c.field, words.HOUSE) and c.filled), None)
    street = next((c for c in columns if words.has(c.field, ("street", "strasse", "road", "calle"))
                   and c is not house and c.filled), None)  # fmt: skip
    return (street, house, False) if house and street else (None, None, False)


def _refs(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], number: Column
) -> list[tuple[Column, str]]:
    """Columns whose values look like numbers of records, but not of this file's."""
    ours = {row[number.at] for row in rows}
    found = []
    for one in columns:
        if one is number or one.kind not in (Kind.TEXT, Kind.CODE, Kind.WHOLE):
            continue
        if not (
            words.has(one.field, (*words.NUMBER, "related", "see_also", "311", "xref", "permit"))
        ):
            continue
        texts = list(dict.fromkeys(row[one.at] for row in rows if row[one.at]))
        like = [t for t in texts if _NUMBERED.fullmatch(t) and t not in ours]
        if len(like) > 0.7 * len(texts) and not words.has(one.field, (*words.TOWN, *words.LINE)):
            found.append((one, ", ".join(like[:2])))
    return found
