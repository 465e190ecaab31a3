"""Bodies as a file's own rows would give them, with invented values for all that isn't public."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from crosstown.event.identity import slug
from crosstown.onboarding.columns import Column, Kind
from crosstown.onboarding.draft import Draft, Field, fields
from crosstown.onboarding.moments import Clock
from crosstown.onboarding.plan import Step

INVENTED: Final[dict[Kind, Any]] = {
    Kind.ADDRESS: "12 Elm Street", Kind.PERSON: "Pat Example", Kind.PHONE: "212-555-0100",
    Kind.EMAIL: "pat@example.org", Kind.FREE: "(an invented note)", Kind.TEXT: "example",
    Kind.SECRET: "example", Kind.WHOLE: 1, Kind.DECIMAL: 1.5, Kind.YES_NO: True, Kind.CODE: "example",
    Kind.MOMENT: "example", Kind.EMPTY: "", Kind.SPOT: "0.0",
}  # fmt: skip
"""What stands in an example instead of what somebody wrote."""
AN_INSTANT: Final = 1_738_332_300_000_000
"""2025-01-31T14:05:00Z, where it is in doubt what a file's own time means."""


def examples(draft: Draft, rows: Sequence[Sequence[str]], clock: Clock) -> dict[str, str]:
    """An example for each kind of event that occurs: its name to the body as JSON."""
    found: dict[str, str] = {}
    plan = draft.plan
    for row in rows:
        for step in plan.steps:
            event = slug(row[plan.event.at]) if plan.event else step.event
            if event and event not in found and len(found) < 12:
                body = _body(draft, row, step, event, clock)
                if body["at"] is not None and body["number"]:
                    found[event] = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    return found


def _body(draft: Draft, row: Sequence[str], step: Step, event: str, clock: Clock) -> dict[str, Any]:
    known: dict[str, Any] = {
        "event": event,
        "at": _time(step.time, row, clock),
        "place_key": "12-elm-st",
        "flags": [],
    }
    if draft.plan.due:
        known["due_at"] = _time(draft.plan.due, row, clock)
    return {one.name: known[one.name] if one.name in known else _value(one, row, step)
            for one in fields(draft)}  # fmt: skip


def _time(column: Column, row: Sequence[str], clock: Clock) -> int | None:
    text, form = row[column.at], column.form
    if form is None or not text:
        return None
    return AN_INSTANT if form.other else clock(form.form, text)


def _value(one: Field, row: Sequence[str], step: Step) -> Any:
    column = one.column
    if column is None or (one.step is not None and one.step.event != step.event):
        return None if isinstance(one.type, list) else ""
    if one.name == "number":  # another record than those of the file
        return re.sub(r"\d", "0", row[column.at])
    if not row[column.at]:
        return None if isinstance(one.type, list) else ""
    if one.classification == "public" and one.type == "string":
        return row[column.at]
    return INVENTED[column.kind] if one.type != "string" else str(INVENTED[column.kind])
