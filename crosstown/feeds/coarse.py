"""Times that go out less exactly than they came in: the beginning of their day or month, UTC. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from types import NoneType
from typing import Any, Final

DAY: Final = 86_400_000_000
_EPOCH: Final = dt.date(1970, 1, 1)
_DAYS: Final = {"timestamp-micros": DAY, "timestamp-millis": 86_400_000, "timestamp-nanos": DAY * 1000,
                "local-timestamp-micros": DAY, "local-timestamp-millis": 86_400_000,
                "local-timestamp-nanos": DAY * 1000, "date": 1}  # fmt: skip
"""A day in the unit of each of Avro's kinds of date and time."""
_HOURS: Final = ("time-micros", "time-millis")
_HELD_AS: Final[dict[str, tuple[type, ...]]] = {
    "null": (NoneType,), "boolean": (bool,), "int": (int,), "long": (int,), "float": (float, int),
    "double": (float, int), "string": (str,), "enum": (str,), "bytes": (bytes,), "fixed": (bytes,),
}  # fmt: skip
"""What a decoded value is in Python."""
Change = Callable[[Any], Any]


@lru_cache(maxsize=4_096)
def _first_of_month(day: int) -> int:
    """The first day of a day's month, both as days since 1970."""
    try:
        return (dt.date.fromordinal(_EPOCH.toordinal() + day).replace(day=1) - _EPOCH).days
    except (ValueError, OverflowError):  # no calendar goes there: what isn't known isn't told
        return 0


def floor(time: int, by: str, day: int = DAY) -> int:
    """The beginning of a time's `day` or `month`; any other `by` leaves it as it is.

    `day` is how long one is in the time's unit, microseconds by default.
    """
    match by:
        case "day":
            return time - time % day
        case "month":
            return _first_of_month(time // day) * day
        case _:
            return time


def coarser(declared: Any, by: str) -> Change | None:
    """What makes the times in a value of an Avro type coarser; None where it holds none.

    The type must name no other type by its name alone (`body_form.inlined`).
    A time of day without its day tells more than a day does: it becomes midnight.
    """
    found: Change | None = None
    match declared:
        case {"logicalType": str(logical)} if logical in _DAYS:
            found = _floored(by, _DAYS[logical])
        case {"logicalType": str(logical)} if logical in _HOURS:
            found = _midnight
        case {"type": "record" | "error", "fields": fields}:
            found = _record({one["name"]: coarser(one["type"], by) for one in fields})
        case {"type": "array", "items": items}:
            found = _items(coarser(items, by))
        case {"type": "map", "values": values}:
            found = _values(coarser(values, by))
        case {"type": dict() | list() as inner}:
            found = coarser(inner, by)
        case list():
            changes = [(one, change) for one in declared if (change := coarser(one, by))]
            found = _union(changes) if changes else None
        case _:
            pass
    return found


def _floored(by: str, day: int) -> Change:
    return lambda value: None if value is None else floor(value, by, day)


def _midnight(value: Any) -> Any:
    return None if value is None else 0


def _record(changes: dict[str, Change | None]) -> Change | None:
    found = {name: change for name, change in changes.items() if change is not None}
    if not found:
        return None
    return lambda value: {**value, **{n: c(value[n]) for n, c in found.items() if n in value}}


def _items(change: Change | None) -> Change | None:
    return None if change is None else lambda value: [change(one) for one in value]


def _values(change: Change | None) -> Change | None:
    return None if change is None else lambda value: {k: change(one) for k, one in value.items()}


def _union(changes: list[tuple[Any, Change]]) -> Change:
    """A value is changed as each of the types that it may be of: a decoder doesn't say which it is."""

    def changed(value: Any) -> Any:
        for declared, change in changes:
            if _fits(value, declared):
                value = change(value)
        return value

    return changed


def _fits(value: Any, declared: Any) -> bool:
    """Whether a decoded value may be of an Avro type; times are plain numbers."""
    match declared:
        case list():
            return any(_fits(value, one) for one in declared)
        case {"type": "record" | "error", "fields": fields}:
            types = {one["name"]: one["type"] for one in fields}
            alike = isinstance(value, dict) and value.keys() == types.keys()
            return alike and all(_fits(value[name], types[name]) for name in types)
        case {"type": "array", "items": items}:
            return isinstance(value, list) and all(_fits(one, items) for one in value)
        case {"type": "map", "values": values}:
            return isinstance(value, dict) and all(_fits(one, values) for one in value.values())
        case {"type": inner}:
            return _fits(value, inner)
        case _:
            return type(value) in _HELD_AS[declared]
