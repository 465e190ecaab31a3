"""A draft as a contract's YAML, with each question where its answer belongs; and its Avro schema."""

from __future__ import annotations

import json
from collections.abc import Iterator

from crosstown.contracts.questions import UNKNOWN, asked
from crosstown.event.identity import slug
from crosstown.onboarding import words
from crosstown.onboarding.columns import Column, Kind
from crosstown.onboarding.draft import Draft, area, fields, headline, subjects
from crosstown.onboarding.quoted import comment, yaml_text


def contract_text(draft: Draft) -> str:
    """The contract, whole and valid, but for what its questions ask."""
    return "\n".join([*_head(draft), *_schema(draft), *_ours(draft)]) + "\n"


def schema_text(draft: Draft) -> str:
    """The body's Avro schema."""
    made = []
    for one in fields(draft):
        field = {"name": one.name, "type": one.type, "doc": one.says}
        if not one.required:
            field["default"] = (
                [] if one.logical == "array" else None if isinstance(one.type, list) else ""
            )
        made.append(field)
    name = "".join(part.capitalize() for part in draft.register.split("-"))
    space = f"crosstown.{_identifier(draft.agency)}"
    said = {"type": "record", "name": _identifier(name), "namespace": space, "fields": made}
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def _identifier(text: str) -> str:
    made = text.replace("-", "_")
    return f"n{made}" if made[0].isdigit() else made


def _head(draft: Draft) -> Iterator[str]:
    yield f"# Made by `crosstown new contract` from {comment(draft.file)} ({draft.read}); now yours."
    yield "apiVersion: v3.1.0"
    yield "kind: DataContract"
    yield f"id: {draft.id}"
    yield f"name: {yaml_text(f'{draft.called}: {draft.name}')}"
    yield "version: 1.0.0"
    yield "status: active"
    yield "description:"
    yield asked("What are these events for: who needs to know them, and why?",
                f"a sentence in place of {UNKNOWN}", 2)  # fmt: skip
    yield f'  purpose: "{UNKNOWN}"'
    yield "team:"
    yield f"  name: {draft.agency}"
    yield "support:"
    yield f"  - channel: {draft.name}-office"
    yield asked("Whom does somebody ask who doesn't understand an event?",
                f"an office's address, not a person's, in place of {UNKNOWN}", 4)  # fmt: skip
    yield f'    url: "mailto:{UNKNOWN}"'
    yield "slaProperties:"
    yield asked("Is the file published once a day, and each event at most two days after it happened?",
                "say how often and how late; unit is d, h or min", 2)  # fmt: skip
    yield "  - property: frequency"
    yield "    value: 1"
    yield "    unit: d"
    yield "  - property: latency"
    yield "    value: 2"
    yield "    unit: d"
    yield asked("How long may these events be kept?", "your records rule in years", 2)
    yield "  - property: retention"
    yield "    value: 10"
    yield "    unit: y"


def _schema(draft: Draft) -> Iterator[str]:
    name = "".join(part.capitalize() for part in draft.register.split("-"))
    yield "schema:"
    yield f"  - name: {_identifier(name)}"
    yield f"    physicalName: events.{draft.agency}.{draft.name}"
    yield "    physicalType: topic"
    yield "    logicalType: object"
    yield asked("Is each field's classification below right?",
                "public, internal, restricted or confidential; only public fields may be in a"
                " headline, and place_key is seen by all who see the case", 4)  # fmt: skip
    yield "    properties:"
    for one in fields(draft):
        yield f"      - name: {one.name}"
        yield f"        logicalType: {one.logical}"
        yield f"        required: {'true' if one.required else 'false'}"
        yield f"        classification: {one.classification}{_because(one.column)}"
        yield f"        description: {yaml_text(one.says)}"
        if one.logical == "array":
            yield "        items: {logicalType: string}"
    for column, why in draft.plan.left_out:
        yield f"      # left out: {comment(column.header)}: {why}"


def _because(column: Column | None) -> str:
    if column is None or column.kind in (Kind.MOMENT, Kind.TEXT):
        return ""
    return (
        f"  # {column.kind.value}: {comment(column.why)}" if column.kind is not Kind.YES_NO else ""
    )


def _ours(draft: Draft) -> Iterator[str]:
    """Our part; a further key of it is a further line here."""
    yield "customProperties:"
    yield "  - property: crosstown"
    yield "    value:"
    yield "      publishes_for: self"
    yield from _identity(draft)
    yield from _screening(draft)
    yield "      envelope:"
    yield from (f"        {line}" for line in _envelope(draft))


def _screening(draft: Draft) -> Iterator[str]:
    """All that is sensitive is masked, but for what records are joined by; see decision 0017."""
    joining = {column.field for column, _ in draft.plan.refs} | {area(draft)}
    joining |= {draft.plan.line.field} if draft.plan.line else set()
    texts = [one for one in fields(draft)
             if one.type == "string" and one.classification in ("restricted", "confidential")]  # fmt: skip
    if not texts:
        return
    said = ", ".join(f"{one.name}: {'none' if one.name in joining else 'mask'}" for one in texts)
    yield "      screening:"
    yield f"        fields: {{{said}}}"
    people = [one.name for one in texts if one.column and one.column.kind is Kind.PERSON]
    if people:
        yield f"        names: [{', '.join(people)}]"


def _identity(draft: Draft) -> Iterator[str]:
    if not draft.plan.per_row:
        return
    if draft.plan.line is None:
        yield asked(f"Several rows have one {comment(draft.plan.number.header)}: what tells them apart"
                    " for ever, and is never corrected?",
                    "a field that the source fills, e.g. a line number; the time itself only if"
                    " nobody ever mends it", 6)  # fmt: skip
        yield "      identity: [at]"
    else:
        yield f"      identity: [{draft.plan.line.field}]"


def _envelope(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    yield f"agency: {{constant: {draft.agency}}}"
    yield f'record: {{template: "{draft.id.partition("/")[0]}/{draft.register}/{{number}}"}}'
    yield f'type: {{template: "{draft.register}.{{event}}"}}'
    yield from _step(draft)
    yield "occurred_at: {field: at}"
    if plan.due:
        yield "due_at: {field: due_at}"
    yield f"jurisdiction: {{constant: {draft.jurisdiction}}}"
    if plan.address:
        yield 'place: {template: "address:{place_key}"}'
    if area(draft):
        yield f"area: {{field: {area(draft)}}}"
    if plan.address:
        yield from _concern(draft)
    yield from _refs(draft)
    yield f'headline: {{template: "{headline(draft)}"}}'
    yield "flags: {field: flags}"


def _step(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    if plan.event:
        meant = {slug(code): words.step_of(code) for code in plan.event.codes if slug(code)}
    else:
        meant = {step.event: step.step for step in plan.steps}
    unsure = [event for event, step in meant.items() if not step]
    if unsure:
        yield asked(f"What does this mean for the record: {comment(', '.join(unsure), 200)}?",
                    "REPORTED, ASSIGNED, IN_PROGRESS, HANDED_OFF, WAITING, RESOLVED, CLOSED, REOPENED,"
                    " NOTE, or OTHER", 0)  # fmt: skip
    yield "step:"
    yield "  field: event"
    yield "  crosswalk:"
    for event, step in meant.items():
        yield f"    {yaml_text(event)}: {step or 'OTHER'}"
    if plan.event:
        yield "  otherwise: OTHER"


def _concern(draft: Draft) -> Iterator[str]:
    known = f"one of {', '.join(draft.concerns)}" if draft.concerns else "an id that you add there"
    code = next((c for c in subjects(draft) if len(c.codes) <= 20), None)
    by_code = (
        f"; by code: {{field: {code.field}, crosswalk: {{{yaml_text(comment(code.codes[0], 30))}: ...}},"
        ' otherwise: ""}' if code else ""
    )  # fmt: skip
    yield asked("May records at the same place within days be one case, others' and your own alike, and as"
                " which concern of concerns.yaml?",
                f"{known}{by_code}; left empty, a place joins nothing", 0)  # fmt: skip
    yield 'concern: {constant: ""}'


def _refs(draft: Draft) -> Iterator[str]:
    for column, seen in draft.plan.refs:
        whose = _agency_of(column, draft.others)
        example = '{template: "agency/register/{' + column.field + '}"}'
        yield asked(f"Whose numbers stand in {comment(column.header)} ({comment(seen)})?",
                    f"the agency and the register in refs, {example}, or take it out of there", 0)  # fmt: skip
        if whose:
            yield f"# (it looks like {whose}; its register is a proposal)"
    said = [
        f'{{template: "{whose}/request/{{{column.field}}}"}}'
        for column, _ in draft.plan.refs if (whose := _agency_of(column, draft.others))
    ]  # fmt: skip
    if draft.plan.refs:
        yield f"refs: [{', '.join(said)}]"


def _agency_of(column: Column, others: tuple[str, ...]) -> str:
    """The one declared agency that a column's name speaks of; empty: none, or several."""
    parts = {part for part in column.field.split("_") if len(part) > 2}
    found = [one for one in others if parts & set(one.split("-"))]
    return found[0] if len(found) == 1 else ""
