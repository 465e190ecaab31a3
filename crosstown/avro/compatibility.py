"""Whether a schema may follow another: which readers and bodies a change would break.

Rules: the Avro specification's Schema Resolution, and two that it leaves to people: a logical type
is part of what a number means, and a decimal keeps its scale. Modes: Confluent's.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crosstown.avro.resolution import (
    WIDENS,
    Placed,
    branches,
    full_aliases,
    kind,
    pairs,
    same_name,
    twin,
    whole,
)

MODES: Final = (
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE",
    "FULL", "FULL_TRANSITIVE",
)  # fmt: skip
_UNITS: Final = frozenset((
    "date", "decimal", "duration", "time-millis", "time-micros",
    "timestamp-millis", "timestamp-micros", "timestamp-nanos",
    "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos",
))  # fmt: skip
_BACKWARD: Final = "the new schema can't read old events"
_FORWARD: Final = "readers of the old schema can't read new events"
_lock = threading.Lock()  # warnings.catch_warnings is for one thread at a time


@dataclass(frozen=True, slots=True)
class Break:
    """One way in which a change breaks someone; `rule` is a stable word."""

    path: str
    rule: str
    detail: str
    mend: str


@dataclass(frozen=True, slots=True)
class LogicalChange:
    """A number whose meaning differs between two schemas; empty text: no logical type."""

    path: str
    old: str
    new: str


def breaks(old: Any, new: Any, mode: str) -> list[Break]:
    """What `new` breaks after `old`, both `guard`'s, under one of `MODES`; none: it may follow.

    BACKWARD: readers of the new schema read old bodies. FORWARD: readers of the old one read new
    bodies. FULL: both.
    """
    kind_of = mode.removesuffix("_TRANSITIVE")
    found: list[Break] = []
    if kind_of in ("BACKWARD", "FULL"):
        found += _unreadable(old, new, _BACKWARD)
    if kind_of in ("FORWARD", "FULL"):
        found += _unreadable(new, old, _FORWARD)
    if kind_of != "NONE":
        found += _decimals_and_units(old, new, kind_of)
    return list(dict.fromkeys(found))


def breaks_any(versions: Sequence[Any], new: Any, mode: str) -> list[Break]:
    """What `new` breaks after the versions so far, oldest first: the last, or all if transitive."""
    chosen = versions if mode.endswith("_TRANSITIVE") else versions[-1:]
    return list(dict.fromkeys(one for old in reversed(chosen) for one in breaks(old, new, mode)))


def logical_changes(old: Any, new: Any) -> list[LogicalChange]:
    """Where two schemas give one value different units; the types themselves aren't compared."""
    values = pairs(whole(old), whole(new))
    return [LogicalChange(p, a, b) for p, x, y in values if (a := _unit(x)) != (b := _unit(y))]


def _decimals_and_units(old: Any, new: Any, mode: str) -> Iterator[Break]:
    values = list(pairs(whole(old), whole(new))) if mode != "FORWARD" else []
    if mode != "BACKWARD":
        values += [(path, x, y) for path, y, x in pairs(whole(new), whole(old))]
    for path, x, y in values:
        was, now = _unit(x), _unit(y)
        if was != now:
            yield Break(path, "logical-type", f"was {was or 'bare'}, is {now or 'bare'}",
                        "keep its logical type; put another unit into a new field")  # fmt: skip
        elif was == "decimal":
            yield from _decimal(path, x, y, mode)


def _decimal(path: str, old: dict[str, Any], new: dict[str, Any], mode: str) -> Iterator[Break]:
    was, now = _whole_number(old, "scale"), _whole_number(new, "scale")
    if was != now:
        yield Break(path, "decimal-scale", f"was {was}, is {now}", f"keep the scale at {was}")
    was, now = _whole_number(old, "precision"), _whole_number(new, "precision")
    if (now < was and mode != "FORWARD") or (now > was and mode != "BACKWARD"):
        yield Break(
            path, "decimal-precision", f"was {was}, is {now}", f"keep the precision at {was}"
        )


def _whole_number(schema: dict[str, Any], key: str) -> int:
    value = schema.get(key)
    return value if isinstance(value, int) else 0


def _unit(schema: Any) -> str:
    logical = schema.get("logicalType") if isinstance(schema, dict) else None
    return logical if isinstance(logical, str) and logical in _UNITS else ""


def _unreadable(writer: Any, reader: Any, who: str) -> list[Break]:
    found = list(_resolve(whole(writer), whole(reader), "", who))
    if not found:  # a second opinion: the Avro project's own checker
        found = [
            Break("/", "avro", f"{who}: {words}", "") for words in _avro_objects(writer, reader)
        ]
    return found


def _resolve(writer: Placed, reader: Placed, path: str, who: str) -> Iterator[Break]:
    a, b, here = writer.type, reader.type, path or "/"
    if isinstance(a, list):
        for branch in branches(writer):
            yield from _resolve(branch, reader, path, who)
    elif isinstance(b, list):
        if not any(_resolves(writer, branch) for branch in branches(reader)):
            yield from _no_branch(writer, reader, path, who)
    elif kind(a) != kind(b):
        if kind(b) not in WIDENS.get(kind(a), ()):
            yield Break(here, "type", f"{who}: {kind(b)} from {kind(a)}",
                        "keep the type, and put what is new into a field of its own")  # fmt: skip
    elif not same_name(b, a):
        yield Break(here, "name", f"{who}: {b['name']} from {a['name']}",
                    f"keep the name, or give {b['name']} the alias {a['name']}")  # fmt: skip
    else:
        yield from _resolve_inside(writer, reader, path, who)


def _resolve_inside(writer: Placed, reader: Placed, path: str, who: str) -> Iterator[Break]:
    a, b = writer.type, reader.type
    match kind(a):
        case "array" | "map" as many:
            inner = "items" if many == "array" else "values"
            yield from _resolve(
                writer.inner(a[inner]), reader.inner(b[inner]), f"{path}/{inner}", who
            )
        case "fixed" if a["size"] != b["size"]:
            yield Break(path or "/", "fixed-size", f"{who}: {b['size']} bytes from {a['size']}",
                        "keep the size")  # fmt: skip
        case "enum":
            missing = [symbol for symbol in a["symbols"] if symbol not in b["symbols"]]
            if missing and "default" not in b:
                yield Break(path or "/", "enum-symbols", f"{who}: symbols {', '.join(missing)}",
                            "keep every symbol and give the enum a default")  # fmt: skip
        case "record":
            for one in b["fields"]:
                yield from _resolve_field(one, writer, reader, f"{path}/{one['name']}", who)
        case _:
            return


def _resolve_field(
    one: dict[str, Any], writer: Placed, reader: Placed, path: str, who: str
) -> Iterator[Break]:
    other = twin(one, writer.type)
    if other is not None:
        yield from _resolve(writer.inner(other["type"]), reader.inner(one["type"]), path, who)
    elif "default" not in one:
        yield Break(path, "no-default", f"{who}: the field has no default and isn't always there",
                    "give it a default" if who == _BACKWARD else "keep the field")  # fmt: skip


def _no_branch(writer: Placed, reader: Placed, path: str, who: str) -> Iterator[Break]:
    """Why no branch fits; said of the branch of the same kind, if there is one."""
    alike = [one for one in branches(reader) if kind(one.type) == kind(writer.type)]
    if len(alike) == 1:
        yield from _resolve(writer, alike[0], path, who)
    else:
        yield Break(path or "/", "union-branch", f"{who}: no branch for {kind(writer.type)}",
                    "keep every branch of a union")  # fmt: skip


def _resolves(writer: Placed, reader: Placed) -> bool:
    return next(_resolve(writer, reader, "", ""), None) is None


def _avro_objects(writer: Any, reader: Any) -> list[str]:
    """What the `avro` package's checker objects to; it has no opinion on what it can't parse."""
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
    from avro.schema import parse

    try:
        with _lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours, theirs = parse(json.dumps(full_aliases(reader))), parse(json.dumps(writer))
        checker: Any = ReaderWriterCompatibilityChecker
        result = checker().get_compatibility(ours, theirs)
    except Exception:  # noqa: BLE001 - it chokes on odd logical types and defaults in many ways
        return []
    if result.compatibility is SchemaCompatibilityType.incompatible:
        return sorted(result.messages) or ["incompatible"]
    return []
