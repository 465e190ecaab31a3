"""What is being made for an agency: its plan, its names, and the body's fields that follow.

The writers of the contract, the schema, the source and the examples all go by `fields`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from crosstown.onboarding import words
from crosstown.onboarding.columns import Column, Kind
from crosstown.onboarding.plan import Plan, Step

MOMENT: Final = {"type": "long", "logicalType": "timestamp-micros"}
_TYPES: Final[dict[Kind, str]] = {
    Kind.WHOLE: "long", Kind.DECIMAL: "double", Kind.YES_NO: "boolean",
}  # fmt: skip
_LOGICAL: Final = {"long": "integer", "double": "number", "boolean": "boolean", "string": "string"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A contract that is being made; `name` is the contract's, `register` where numbers are filed."""

    plan: Plan
    agency: str
    called: str
    name: str
    jurisdiction: str
    file: str
    encoding: str
    delimiter: str
    doubt: str
    read: str
    """How much of the file was read, in words."""
    concerns: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Ids of the other agencies that are declared."""

    @property
    def id(self) -> str:
        """The contract's id."""
        return f"{self.agency}/{self.name}"

    @property
    def source(self) -> str:
        """What `crosstown publish` calls the source."""
        return f"{self.agency}-{self.name}"

    @property
    def register(self) -> str:
        """One of what the contract is about: `permits` are each a `permit`."""
        name = self.name
        if name.endswith("ies") and len(name) > 4:
            return f"{name[:-3]}y"
        plain = name.endswith("s") and not name.endswith(("ss", "us", "is", "ses", "xes", "ches"))
        return name[:-1] if plain and len(name) > 3 else name


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the body. `column`: where it comes from, if from one; `step`: with which alone."""

    name: str
    type: Any
    logical: str
    classification: str
    says: str
    column: Column | None = None
    step: Step | None = None

    @property
    def required(self) -> bool:
        """Whether a body must have it."""
        return self.name in ("number", "event", "at")


def fields(draft: Draft) -> list[Field]:
    """The body's fields in order."""
    plan = draft.plan
    out = [
        Field("number", "string", "string", "public", f"the record's number ({plan.number.header})",
              plan.number),
        Field("event", "string", "string", "public", "what happened: "
              + (f"{plan.event.header}, as one word" if plan.event
                 else ", ".join(step.event for step in plan.steps))),
        Field("at", MOMENT, "timestamp", "public", "when it happened, UTC ("
              + ", ".join(step.time.header for step in plan.steps) + ")"),
    ]  # fmt: skip
    if plan.due:
        out.append(Field("due_at", ["null", MOMENT], "timestamp", "public",
                         f"when it should be done, UTC ({plan.due.header})", plan.due))  # fmt: skip
    if plan.address:
        out.append(Field("place_key", "string", "string", "public",
                         "street address as a key, without the unit: 12-elm-st"))  # fmt: skip
    if plan.line:
        out.append(_of(plan.line, None))
    owner = {one.at: step for step in plan.steps for one in step.own}
    said = [*plan.fields, *(one for step in plan.steps for one in step.own)]
    out += [_of(one, owner.get(one.at)) for one in sorted(said, key=lambda c: c.at)]
    flags = {"type": "array", "items": "string"}
    return [
        *out,
        Field("flags", flags, "array", "public", "what the source noticed about this row"),
    ]


def _of(one: Column, step: Step | None) -> Field:
    plain = _TYPES.get(one.kind, "string")
    says = f"{one.header}; with {step.event} alone" if step else one.header
    return Field(one.field, plain if plain == "string" else ["null", plain], _LOGICAL[plain],
                 one.classification, says, one, step)  # fmt: skip


def headline(draft: Draft) -> str:
    """A template of public fields only, each of them filled in every row that was read."""
    code = next((c for c in subjects(draft)
                 if c.filled == draft.plan.number.filled and max(map(len, c.codes)) <= 40), None)  # fmt: skip
    title = draft.register.replace("-", " ").capitalize()
    return f"{title} {{event}}: {{{code.field}}}" if code else f"{title} {{event}}"


def subjects(draft: Draft) -> list[Column]:
    """The columns of codes that may say what a record is about, the likeliest first."""
    elsewhere = (*words.TOWN, *words.STATE, *words.ADDRESS, "st")
    found = [c for c in draft.plan.fields if c.kind is Kind.CODE and len(c.codes) > 1
             and not words.has(c.field, elsewhere)]  # fmt: skip
    return sorted(found, key=lambda one: not words.has(one.field, words.SUBJECT))


def area(draft: Draft) -> str:
    """The field that names a part of the city; empty: none does."""
    found = (c for c in draft.plan.fields if c.kind is Kind.CODE and words.has(c.field, words.PART))
    return next((one.field for one in found), "")
