"""Rows of one Avro schema as columns of Arrow's, a batch at a time.

Times are timestamp[us, UTC], whole numbers int32 and int64 also where some are absent, enums and
UUIDs text; what may be of several types is JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from crosstown.reading.opened import Row, as_json

Change = Callable[[Any], Any] | None
EVIDENCE: Final = [
    {"name": "_partition", "type": "int"},
    {"name": "_offset", "type": "long"},
    {"name": "_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
]
"""Where a row stands in its topic, and its Kafka time stamp."""


class Columns:
    """The columns of one record schema, which is JSON; `more` are fields behind its own."""

    def __init__(self, form: Any, more: Sequence[Any] = ()) -> None:
        import pyarrow as pa

        self._pa = pa
        self._named: dict[str, tuple[Any, Change]] = {}
        own = form["fields"] if form else []
        self._columns = [(one["name"], *self._type(one["type"])) for one in (*own, *more)]
        self.schema = pa.schema([(name, kind) for name, kind, _ in self._columns])
        """The Arrow schema."""

    def batch(self, rows: Sequence[Row]) -> Any:
        """A record batch."""
        arrays = []
        for name, kind, change in self._columns:
            values = [row[name] for row in rows]
            arrays.append(self._pa.array(map(change, values) if change else values, kind))
        return self._pa.record_batch(arrays, schema=self.schema)

    def structs(self, rows: Sequence[Row | None]) -> Any:
        """The same as one column of structs, absent where a row is."""
        change = _in_record([(name, one) for name, _, one in self._columns])
        kind = self._pa.struct(list(self.schema))
        return self._pa.array([row and change(row) for row in rows] if change else rows, kind)

    def _type(self, avro: Any) -> tuple[Any, Change]:  # noqa: PLR0911 - a kind of type each
        pa = self._pa
        match avro:
            case list():
                branches = [one for one in avro if one != "null"]
                if len(branches) != 1:
                    return pa.string(), _absent(as_json)
                kind, change = self._type(branches[0])
                return kind, change and _absent(change)
            case str():
                return self._named.get(avro) or (_primitive(pa, avro), None)
            case {"logicalType": str(logical)} if logical in _LOGICAL:
                return _LOGICAL[logical](pa, avro)
            case {"type": "record"}:
                return self._remember(avro, self._record(avro))
            case {"type": "enum"}:
                return self._remember(avro, (pa.string(), None))
            case {"type": "fixed"}:
                return self._remember(avro, (pa.binary(), None))
            case {"type": "array"}:
                kind, change = self._type(avro["items"])
                return pa.list_(kind), change and _each(change)
            case {"type": "map"}:
                kind, change = self._type(avro["values"])
                return pa.map_(pa.string(), kind), (
                    lambda value: [(k, change(v) if change else v) for k, v in value.items()]
                )
            case _:
                return self._type(avro["type"])

    def _record(self, avro: Any) -> tuple[Any, Change]:
        fields = [(one["name"], *self._type(one["type"])) for one in avro["fields"]]
        kind = self._pa.struct([(name, kind) for name, kind, _ in fields])
        return kind, _in_record([(name, change) for name, _, change in fields])

    def _remember(self, avro: Any, made: tuple[Any, Change]) -> tuple[Any, Change]:
        name = avro["name"]
        self._named[name] = self._named[f"{avro.get('namespace', '')}.{name}"] = made
        return made


def _each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: [change(one) for one in value]


def _absent(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else change(value)


def _in_record(fields: Sequence[tuple[str, Change]]) -> Change:
    changes = [(name, change) for name, change in fields if change]
    return (
        (lambda row: {**row, **{name: change(row[name]) for name, change in changes}})
        if changes
        else None
    )


def _primitive(pa: Any, name: str) -> Any:
    return {
        "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
        "double": pa.float64(), "bytes": pa.binary(), "null": pa.null(),
    }.get(name, pa.string())  # fmt: skip


def _decimal(pa: Any, avro: Any) -> tuple[Any, Change]:
    precision, scale = int(avro["precision"]), int(avro.get("scale", 0))
    if precision > 76:
        return pa.string(), str
    made = pa.decimal128 if precision <= 38 else pa.decimal256
    return made(precision, scale), None


def _moment(pa: Any, _avro: Any) -> tuple[Any, Change]:
    return pa.timestamp("us", "UTC"), None


def _local(pa: Any, _avro: Any) -> tuple[Any, Change]:
    return pa.timestamp("us"), None


def _clock(pa: Any, _avro: Any) -> tuple[Any, Change]:
    return pa.time64("us"), None


_LOGICAL: Final[dict[str, Callable[[Any, Any], tuple[Any, Change]]]] = {
    "timestamp-micros": _moment, "timestamp-millis": _moment,
    "local-timestamp-micros": _local, "local-timestamp-millis": _local,
    "time-micros": _clock, "time-millis": _clock,
    "date": lambda pa, _avro: (pa.date32(), None), "decimal": _decimal,
    "uuid": lambda pa, _avro: (pa.string(), str),
}  # fmt: skip
