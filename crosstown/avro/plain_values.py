"""Values as programs hold them, made into what an event's body holds: times as whole numbers, UTC.

Source of the logical types: the Avro specification, Logical Types.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from crosstown.errors import Refused
from crosstown.moments import micros

Convert = Callable[[Any], Any]
_FIRST_DAY: Final = dt.date(1970, 1, 1)
_ZONE: Final = "say e.g. 2026-01-05T14:30:00-05:00, or a datetime with its zone"


def converter(schema: Any) -> Convert | None:
    """What makes plain values of a schema's; None where all of them are plain already.

    Times may be datetimes with a zone, ISO 8601 text or whole numbers; the rest as Python has it.
    The function raises `Refused` (broken-date, broken-number, not-in-schema) with the field.
    """
    return _converter(schema, {})


def _converter(  # noqa: PLR0911 - a kind of type each
    schema: Any, named: dict[str, Convert | None]
) -> Convert | None:
    match schema:
        case str():
            return named.get(schema)
        case list():
            return _union([_converter(one, named) for one in schema if one != "null"])
        case {"logicalType": str(logical)} if logical in _LOGICAL:
            return _LOGICAL[logical](schema)
        case {"type": "record", "fields": list(fields)}:
            made = _record({one["name"]: _converter(one["type"], named) for one in fields})
            named[schema["name"]] = named[f"{schema.get('namespace', '')}.{schema['name']}"] = made
            return made
        case {"type": "array", "items": items}:
            item = _converter(items, named)
            return item and (lambda value: [item(one) for one in value])
        case {"type": "map", "values": values}:
            inner = _converter(values, named)
            return inner and (lambda value: {key: inner(one) for key, one in value.items()})
        case {"type": dict() | list() as inside}:
            return _converter(inside, named)
        case _:
            return None


def _record(fields: Mapping[str, Convert | None]) -> Convert:
    of = {name: convert for name, convert in fields.items() if convert}

    def record(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Refused("not-in-schema", f"{type(value).__name__} is no record",
                          mend="a body is a dict by the names of the schema's fields")  # fmt: skip
        made = dict(value)
        for name in of.keys() & made.keys():
            try:
                made[name] = of[name](made[name])
            except Refused as error:
                raise Refused(error.reason, error.detail, mend=error.mend,
                              field=error.field or name) from None  # fmt: skip
            except (TypeError, AttributeError, ValueError) as error:
                raise Refused("not-in-schema", f"{type(error).__name__}: {error}"[:300],
                              field=name) from None  # fmt: skip
        return made

    return record


def _union(branches: list[Convert | None]) -> Convert | None:
    """Of one type or null; where several are possible a value must be plain already."""
    only = branches[0] if len(branches) == 1 else None
    return only and (lambda value: None if value is None else only(value))


def _time(unit: int) -> Callable[[Any], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, str):
            value = _read(dt.datetime.fromisoformat, value)
        if not isinstance(value, dt.date):
            return value
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            raise Refused("broken-date", f"{value} has no zone", mend=_ZONE)
        return micros(value) // unit

    return lambda _schema: convert


def _day(_schema: Any) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, str):
            value = _read(dt.date.fromisoformat, value)
        if isinstance(value, dt.datetime):
            raise Refused("broken-date", f"{value} is a moment, not a day", mend="say its .date()")
        return (value - _FIRST_DAY).days if isinstance(value, dt.date) else value

    return convert


def _clock(unit: int) -> Callable[[Any], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, str):
            value = _read(dt.time.fromisoformat, value)
        if not isinstance(value, dt.time):
            return value
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return (seconds * 1_000_000 + value.microsecond) // unit

    return lambda _schema: convert


def _read(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError:
        raise Refused("broken-date", f"{text[:40]!r} is no time of this kind", mend=_ZONE) from None


def _decimal(schema: Any) -> Convert:
    scale, size = int(schema.get("scale", 0)), schema.get("size")

    def convert(value: Any) -> Any:
        if isinstance(value, bytes):
            return value
        try:
            number = value if isinstance(value, Decimal) else Decimal(str(value))
            whole = int(number.scaleb(scale).to_integral_exact())
            exact = Decimal(whole).scaleb(-scale) == number
        except (ArithmeticError, ValueError):
            exact = False
        if not exact or len(str(abs(whole))) > int(schema["precision"]):
            raise Refused("broken-number", f"{str(value)[:40]!r} doesn't fit",
                          mend=f"{schema['precision']} digits, {scale} of them decimals")  # fmt: skip
        return whole.to_bytes(size or whole.bit_length() // 8 + 1, "big", signed=True)

    return convert


def _uuid(_schema: Any) -> Convert:
    return lambda value: str(value) if isinstance(value, UUID) else value


_LOGICAL: Final[dict[str, Callable[[Any], Convert]]] = {
    "timestamp-micros": _time(1), "timestamp-millis": _time(1000), "date": _day,
    "time-micros": _clock(1), "time-millis": _clock(1000), "decimal": _decimal, "uuid": _uuid,
}  # fmt: skip
