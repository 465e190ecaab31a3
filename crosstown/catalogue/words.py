"""Contracts in words: types, service levels, modes, sensitivities, roles."""

from __future__ import annotations

from typing import Any, Final

from crosstown.avro.resolution import Placed, branches, kind
from crosstown.contracts.contract import Contract, ServiceLevel
from crosstown.contracts.mapping import Expression, TimeField

SENSITIVITY: Final = {
    "public": "may be shown to anyone, and stand in a headline",
    "internal": "for those who work on the case",
    "restricted": "about people, or free text: for those who must know",
    "confidential": "the most sensitive",
    "": "nobody has said how sensitive it is",
}
MODE: Final = {
    "NONE": "Versions may change in any way.",
    "BACKWARD": "Who has the newest version can read what was written under the one before.",
    "BACKWARD_TRANSITIVE": "Who has the newest version can read what was written under any before.",
    "FORWARD": "Who has the version before can read what is written under the newest.",
    "FORWARD_TRANSITIVE": "Who has any earlier version can read what is written under the newest.",
    "FULL": "The newest version and the one before can read each other's events.",
    "FULL_TRANSITIVE": "All versions can read each other's events.",
}
HEADERS: Final = {
    "known_at": "the message's header, else when Kafka took the message",
    "via": "the message's header, else event",
}
"""What the envelope has where neither the contract nor a program says it."""
ROLE: Final = {
    "link": "say which records are one case, or are not",
    "erase": "have other agencies' records erased or held",
}
_PLAIN: Final = {
    "string": "text", "int": "whole number", "long": "whole number", "float": "number",
    "double": "number", "boolean": "yes or no", "bytes": "bytes", "null": "nothing",
    "date": "date", "decimal": "decimal number", "uuid": "UUID", "duration": "duration",
    "time-millis": "time of day", "time-micros": "time of day",
    "timestamp-millis": "time, UTC", "timestamp-micros": "time, UTC",
    "timestamp-nanos": "time, UTC", "local-timestamp-millis": "local time",
    "local-timestamp-micros": "local time", "local-timestamp-nanos": "local time",
}  # fmt: skip
_UNITS: Final = {
    "s": "second", "sec": "second", "second": "second", "seconds": "second",
    "m": "minute", "min": "minute", "minute": "minute", "minutes": "minute",
    "h": "hour", "hr": "hour", "hour": "hour", "hours": "hour",
    "d": "day", "day": "day", "days": "day", "w": "week", "week": "week", "weeks": "week",
    "mo": "month", "month": "month", "months": "month",
    "y": "year", "yr": "year", "year": "year", "years": "year",
}  # fmt: skip
_PROMISES: Final = {
    "frequency": ("How often", "every {}"),
    "latency": ("How late", "at most {} after it happened"),
    "retention": ("How long kept", "{}"),
}


def said(model: Any, name: str) -> str:
    """A part of the standard that we don't check, as text; empty where it isn't there or no text."""
    value = (model.model_extra or {}).get(name) if model is not None else None
    return value.strip() if isinstance(value, str) else ""


def type_words(one: Placed) -> str:
    """A field's type for people: `list of text`."""
    rest = [branch for branch in branches(one) if kind(branch.type) != "null"]
    return " or ".join(_words(branch) for branch in rest) or "nothing"


def _words(one: Placed) -> str:
    match kind(one.type):
        case "array":
            return f"list of {type_words(one.inner(one.type['items']))}"
        case "map":
            return f"text to {type_words(one.inner(one.type['values']))}"
        case "enum":
            return f"one of {', '.join(one.type['symbols'])}"
        case "record":
            return "group: " + ", ".join(field["name"] for field in one.type["fields"])
        case "fixed":
            return f"{one.type['size']} bytes"
        case word:
            return _PLAIN.get(_logical(one.type), _PLAIN.get(word, word))


def avro_words(one: Placed) -> str:
    """A type in Avro's words, as short as it goes: `null or long (timestamp-micros)`."""
    return " or ".join(_avro(branch) for branch in branches(one)) or "nothing"


def _avro(one: Placed) -> str:
    match kind(one.type):
        case "array":
            return f"array of {avro_words(one.inner(one.type['items']))}"
        case "map":
            return f"map of {avro_words(one.inner(one.type['values']))}"
        case "enum" | "record" as word:
            return f"{word} {one.type['name']}"
        case "fixed":
            return f"fixed {one.type['size']}"
        case word:
            logical = _logical(one.type)
            if logical == "decimal":
                logical += f" {one.type.get('precision')}, {one.type.get('scale', 0)}"
            return f"{word} ({logical})" if logical else word


def _logical(schema: Any) -> str:
    return str(schema.get("logicalType") or "") if isinstance(schema, dict) else ""


def promise(level: ServiceLevel) -> tuple[str, str]:
    """A service level as a label and what is promised: `How often`, `every day`."""
    label, sentence = _PROMISES.get(level.property, (level.property, "{}"))
    words = amount(level)
    if level.property == "frequency":
        words = words.removeprefix("1 ")
    return label, sentence.format(words) if words else "not said"


def amount(level: ServiceLevel) -> str:
    """A value and its unit: `10 years`."""
    unit = _UNITS.get(level.unit, level.unit)
    if level.value is None or not unit:
        return "" if level.value is None else str(level.value)
    return f"{level.value} {unit}{'s' if unit in _UNITS and str(level.value) != '1' else ''}"


def expression(made: Expression | TimeField | None) -> str:
    """How a value is made, in a line."""
    match made:
        case None:
            return "absent"
        case TimeField():
            return f"the field {made.field}"
        case _ if made.constant is not None:
            source = f"always {made.constant}" if made.constant else "always empty"
        case _ if made.field is not None:
            source = f"the field {made.field}"
        case _:
            source = f"the text {made.template}"
    return source + (", translated" if made.crosswalk is not None else "")


def concerns_of(contract: Contract) -> list[str] | None:
    """The concerns that a contract's events can have; None: whatever a field of theirs says."""
    made = contract.file.crosstown.envelope.concern
    if made is None:
        return []
    values = {made.otherwise or ""}
    if made.crosswalk is not None:
        values |= set(made.crosswalk.values())
    elif made.constant is not None:
        values.add(made.constant)
    else:
        return None
    return sorted(values - {""})


def days(number: float) -> str:
    """A span of days: `30 days`."""
    return f"{number:g} day{'s' * (number != 1)}"
