"""What differs between two versions of a contract: fields, types, sensitivity, mapping, promises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crosstown.avro.resolution import Placed, branches, kind, same_name, twin, whole
from crosstown.catalogue.words import amount, avro_words, expression
from crosstown.contracts.contract import Contract
from crosstown.contracts.mapping import EnvelopeMap, Expression

NO_DEFAULT: Final = "no default"


@dataclass(frozen=True, slots=True)
class Difference:
    """One change: what it is, where, what was there and what is there now; empty: not there."""

    what: str
    path: str
    was: str = ""
    now: str = ""


def differences(old: Contract, new: Contract) -> list[Difference]:
    """Everything that a reader of the older version should know of the newer one."""
    a, b = old.file.crosstown, new.file.crosstown
    return [
        *_value("", whole(old.schema), whole(new.schema)),
        *_changed("sensitivity", _classes(old), _classes(new), both=True),
        *_envelope(a.envelope, b.envelope),
        *_changed("identity", {"": ", ".join(a.identity)}, {"": ", ".join(b.identity)}),
        *_changed("mode", {"": a.compatibility}, {"": b.compatibility}),
        *_changed("publishes for", {"": a.publishes_for}, {"": b.publishes_for}),
        *_changed("concern map", {"": a.concern_map}, {"": b.concern_map}),
        *_changed("service level", _levels(old), _levels(new)),
    ]


def _changed(
    what: str, old: Mapping[str, str], new: Mapping[str, str], *, both: bool = False
) -> Iterator[Difference]:
    """Values that differ by their name; `both`: only names that both have."""
    names = old.keys() & new.keys() if both else old.keys() | new.keys()
    for name in sorted(names):
        was, now = old.get(name, ""), new.get(name, "")
        if was != now:
            yield Difference(what, name, was, now)


def _classes(contract: Contract) -> dict[str, str]:
    return {
        one.name: one.classification for said in contract.file.schema_ for one in said.properties
    }


def _levels(contract: Contract) -> dict[str, str]:
    return {one.property: amount(one) for one in contract.file.slaProperties}


def _envelope(old: EnvelopeMap, new: EnvelopeMap) -> Iterator[Difference]:
    for name in EnvelopeMap.model_fields:
        was, now = _made(getattr(old, name)), _made(getattr(new, name))
        if len(was) == len(now):
            for x, y in zip(was, now, strict=True):
                yield from _changed("mapping", {name: expression(x)}, {name: expression(y)})
                yield from _changed("code", _codes(name, x), _codes(name, y))
        else:
            yield Difference("mapping", name, "; ".join(map(expression, was)),
                             "; ".join(map(expression, now)))  # fmt: skip


def _made(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _codes(name: str, made: Any) -> dict[str, str]:
    if not isinstance(made, Expression):
        return {}
    codes = {f"{name}: {code}": word or "nothing" for code, word in (made.crosswalk or {}).items()}
    if made.otherwise is not None:
        codes[f"{name}: anything else"] = made.otherwise or "nothing"
    return codes


def _value(path: str, old: Placed, new: Placed, *, said: bool = False) -> Iterator[Difference]:
    """Two types at the same place; `said`: that they differ was said of what they stand in."""
    was, now = avro_words(old), avro_words(new)
    if was != now and not said:
        yield Difference("type", path, was, now)
    for x in branches(old):
        for y in branches(new):
            if kind(x.type) == kind(y.type) and same_name(y.type, x.type):
                yield from _inside(path, x, y, said=said or was != now)


def _inside(path: str, old: Placed, new: Placed, *, said: bool) -> Iterator[Difference]:
    match kind(old.type):
        case "record":
            yield from _record(path, old, new)
        case "enum":
            was, now = old.type["symbols"], new.type["symbols"]
            if was != now:
                gone = [one for one in was if one not in now]
                come = [one for one in now if one not in was]
                yield Difference("symbols" if gone or come else "order of symbols", path,
                                 ", ".join(gone or ([] if come else was)),
                                 ", ".join(come or ([] if gone else now)))  # fmt: skip
            yield from _changed("enum's default", {path: old.type.get("default", NO_DEFAULT)},
                                {path: new.type.get("default", NO_DEFAULT)})  # fmt: skip
        case "array":
            yield from _value(path, *_inner(old, new, "items"), said=said)
        case "map":
            yield from _value(path, *_inner(old, new, "values"), said=said)
        case _:
            return


def _inner(old: Placed, new: Placed, what: str) -> tuple[Placed, Placed]:
    return old.inner(old.type[what]), new.inner(new.type[what])


def _record(path: str, old: Placed, new: Placed) -> Iterator[Difference]:
    kept = set()
    for field in new.type["fields"]:
        at = f"{path}.{field['name']}" if path else field["name"]
        was = twin(field, old.type)
        if was is None:
            default = _default(field)
            words = avro_words(new.inner(field["type"]))
            yield Difference("field added", at, now=f"{words}, {default}")
            continue
        kept.add(was["name"])
        if was["name"] != field["name"]:
            yield Difference("field renamed", at, was["name"], field["name"])
        yield from _value(at, old.inner(was["type"]), new.inner(field["type"]))
        yield from _changed("default", {at: _default(was)}, {at: _default(field)})
    for field in old.type["fields"]:
        if field["name"] not in kept:
            at = f"{path}.{field['name']}" if path else field["name"]
            yield Difference("field removed", at, avro_words(old.inner(field["type"])))


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return NO_DEFAULT
    return f"default {json.dumps(field['default'], ensure_ascii=False)}"
