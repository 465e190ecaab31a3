"""A contract's body said in JSON: as its Avro schema has it, times in ISO 8601 where one likes.

A JSON value isn't an Avro one: a time may be text with a zone, a date `2026-01-05`, a decimal text
or a whole number. What doesn't fit is refused with the field's path.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from crosstown.errors import Refused
from crosstown.moments import instant

Reader = Callable[[Any, str], Any]
"""From a JSON value and its path to the Avro value; raises `Refused`."""
_WHOLE: Final = {"int": 2**31, "long": 2**63}
_PER_SECOND: Final = {"timestamp-micros": 1, "timestamp-millis": 1000}
_DECIMAL: Final = re.compile(r"(-?[0-9]+)(?:\.([0-9]+))?")


class JsonBody:
    """Reads bodies of one contract's schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._named: dict[str, Reader] = {}
        self._record = self._reader(schema)

    def read(self, given: Any) -> dict[str, Any]:
        """The body's fields as the encoder takes them.

        Raises `Refused`: missing-field, unknown-field, wrong-type, broken-date, unknown-code,
        out-of-range, bad-text, bytes-in-json.
        """
        body: dict[str, Any] = self._record(given, "")
        return body

    def _reader(self, schema: Any) -> Reader:  # noqa: PLR0911 - a table of Avro's types
        match schema:
            case str():
                return self._named.get(schema) or _primitive(schema)
            case list():
                return self._union(schema)
            case {"type": "record", "name": name, "fields": fields}:
                return self._known(name, self._record_of(fields))
            case {"type": "enum", "name": name, "symbols": symbols}:
                return self._known(name, _enum(tuple(symbols)))
            case {"type": "array", "items": items}:
                return _array(self._reader(items))
            case {"type": "map", "values": values}:
                return _map(self._reader(values))
            case {"type": str(base), "logicalType": logical}:
                return _logical(base, logical, schema)
            case {"type": inner}:
                return self._reader(inner)
            case _:
                return _primitive("bytes")

    def _known(self, name: str, reader: Reader) -> Reader:
        self._named[name] = reader
        return reader

    def _union(self, branches: list[Any]) -> Reader:
        others = [self._reader(one) for one in branches if one != "null"]

        def read(value: Any, path: str) -> Any:
            if value is None and "null" in branches:
                return None
            for reader in others[:-1]:
                try:
                    return reader(value, path)
                except Refused:
                    continue
            return others[-1](value, path) if others else _primitive("null")(value, path)

        return read

    def _record_of(self, fields: list[dict[str, Any]]) -> Reader:
        readers = {field["name"]: self._reader(field["type"]) for field in fields}
        needed = [field["name"] for field in fields if "default" not in field]

        def read(value: Any, path: str) -> Any:
            if not isinstance(value, dict):
                raise _wrong(value, path, "an object with the contract's fields")
            before = f"{path}." if path else ""
            for name in needed:
                if name not in value:
                    raise Refused("missing-field", name, field=before + name,
                                  mend=f"give {name} a value")  # fmt: skip
            for name in value:
                if name not in readers:
                    raise Refused("unknown-field", f"{name[:80]!r} isn't in the contract",
                                  field=before + name[:80], mend=f"it has: {', '.join(readers)}")  # fmt: skip
            return {name: readers[name](one, before + name) for name, one in value.items()}

        return read


def _wrong(value: Any, path: str, wanted: str) -> Refused:
    kind = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number",
            float: "a number", type(None): "null"}[type(value)]  # fmt: skip
    return Refused("wrong-type", f"{kind}; it must be {wanted}", field=path)


def _primitive(name: str) -> Reader:
    def read(value: Any, path: str) -> Any:
        match name:
            case "string" if isinstance(value, str):
                return _text(value, path)
            case "boolean" if isinstance(value, bool):
                return value
            case "int" | "long" if isinstance(value, int) and not isinstance(value, bool):
                limit = _WHOLE[name]
                if not -limit <= value < limit:
                    raise Refused("out-of-range", f"too large for {name}", field=path)
                return value
            case "float" | "double" if isinstance(value, int | float) and not isinstance(value, bool):  # fmt: skip
                return _real(value, path)
            case "null" if value is None:
                return None
            case "string" | "boolean" | "int" | "long" | "float" | "double" | "null":
                words = {"string": "text", "boolean": "true or false", "null": "null"}
                raise _wrong(value, path, words.get(name, "a number"))
            case _:
                raise Refused("bytes-in-json", "bytes can't be said in JSON", field=path,
                              mend="publish it with a Kafka client")  # fmt: skip

    return read


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused("bad-text", "half a character", field=path,
                      mend="send text as UTF-8") from None  # fmt: skip
    return value


def _real(value: float, path: str) -> float:
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if math.isinf(real):
        raise Refused("out-of-range", "beyond all numbers", field=path)
    return real


def _enum(symbols: tuple[str, ...]) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, str):
            raise _wrong(value, path, "text")
        if value not in symbols:
            raise Refused("unknown-code", f"{value[:40]!r} is none of {', '.join(symbols)}",
                          field=path, mend="use one of these")  # fmt: skip
        return value

    return read


def _array(item: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise _wrong(value, path, "a list")
        return [item(one, f"{path}[{n}]") for n, one in enumerate(value)]

    return read


def _map(one: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, path, "an object")
        return {_text(name, path): one(v, f"{path}.{name[:80]}") for name, v in value.items()}

    return read


def _logical(base: str, logical: str, schema: Mapping[str, Any]) -> Reader:
    plain = _primitive(base)

    def read(value: Any, path: str) -> Any:
        if logical == "decimal" and base == "bytes":
            return _decimal(value, path, schema)
        if not isinstance(value, str):
            return plain(value, path)
        try:
            if logical in _PER_SECOND:
                return instant(value) // _PER_SECOND[logical]
            if logical == "date":
                return dt.date.fromisoformat(value).toordinal() - 719_163
        except ValueError as error:
            raise Refused("broken-date", str(error)[:200], field=path,
                          mend="say e.g. 2026-01-05T14:30:00-05:00") from None  # fmt: skip
        return plain(value, path)

    return read


def _decimal(value: Any, path: str, schema: Mapping[str, Any]) -> bytes:
    scale, precision = int(schema.get("scale", 0)), int(schema["precision"])
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise _wrong(value, path, 'a decimal as text, e.g. "12.50"')
    if isinstance(value, int):
        whole: int | None = value * 10**scale
    else:
        whole = _unscaled(value, scale) if len(value) <= precision + 3 else None
    if whole is None or abs(whole) >= 10**precision:
        raise Refused("out-of-range", f"not a decimal of {precision} digits, {scale} behind the point",
                      field=path)  # fmt: skip
    return whole.to_bytes(whole.bit_length() // 8 + 1, "big", signed=True)


def _unscaled(text: str, scale: int) -> int | None:
    """A decimal's digits as a number, `scale` of them behind the point; None: it has more, or is none.

    Without an exponent: six characters would be a million digits.
    """
    said = _DECIMAL.fullmatch(text)
    behind = (said[2] or "").rstrip("0") if said else ""
    return int(said[1] + behind.ljust(scale, "0")) if said and len(behind) <= scale else None
