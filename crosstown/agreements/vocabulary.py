"""What a filter may ask of an event: the envelope's fields and the payload's, of which kind, which values.

Pure. `kinds_of(contracts, ...)` gives both for the contracts that an agreement covers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

from crosstown.agreements.agreement import EnvelopeField
from crosstown.agreements.expression import PAYLOAD
from crosstown.contracts.contract import Contract
from crosstown.contracts.mapping import Expression, kinds
from crosstown.event.envelope import STEPS, VIAS
from crosstown.formats import ACCEPTED

Type = Literal["text", "whole", "number", "truth", "time", "texts", "other"]
WORDS: Final[Mapping[Type, str]] = {
    "text": "a text", "whole": "a whole number", "number": "a number", "truth": "true or false",
    "time": "a time", "texts": "a list of texts", "other": "something that can't be compared",
}  # fmt: skip
_PLAIN: Final[Mapping[str, Type]] = {
    "string": "text", "enum": "text", "int": "whole", "long": "whole", "float": "number",
    "double": "number", "boolean": "truth", "array of string": "texts", "array of enum": "texts",
}  # fmt: skip
_TIMES: Final = {"timestamp-micros": 1, "timestamp-millis": 1000}
ENVELOPE: Final[tuple[str, ...]] = get_args(EnvelopeField)


class Kind(NamedTuple):
    """What a field holds; `values` are the only texts that it can have, None: any.

    `scale`: by how much a time as it is written is multiplied to be microseconds.
    """

    type: Type
    values: frozenset[str] | None = None
    scale: int = 1
    why: str = ""
    """What else to say where it can't be compared."""


def kinds_of(
    contracts: Iterable[Contract], declared: Mapping[str, Collection[str]] = MappingProxyType({})
) -> dict[str, Kind]:
    """The kind of each field that a filter over these contracts' events may name.

    `declared` has, by field of the envelope, the texts of which a contract may leave open which it is
    (the agencies, the jurisdictions, the concerns).
    """
    covered = list(contracts)
    envelope = _of_schema(ACCEPTED, "")
    found = {
        name: kind._replace(values=_words(name, covered, declared)) if kind.type == "text" else kind
        for name in ENVELOPE
        for kind in (envelope[name],)
    }
    for contract in covered:
        for name, kind in _of_schema(contract.schema, f"{PAYLOAD}.").items():
            found[name] = _joined(found.get(name), _coded(kind, name, contract))
    return found


def _of_schema(schema: Mapping[str, Any], before: str) -> dict[str, Kind]:
    symbols = {field["name"]: _symbols(field["type"]) for field in schema["fields"]}
    return {
        before + name: Kind("time", None, _TIMES[kind.logical])
        if kind.logical in _TIMES
        else Kind("other", why=f"its kind is {kind.logical}")
        if kind.logical
        else Kind(_PLAIN.get(kind.type, "other"), symbols[name])
        for name, kind in kinds(schema).items()
    }


def _symbols(declared: Any) -> frozenset[str] | None:
    match declared:
        case list():
            return next((s for one in declared if (s := _symbols(one)) is not None), None)
        case {"type": "enum", "symbols": symbols}:
            return frozenset(symbols)
        case {"type": "array", "items": inner} | {"type": dict() as inner}:
            return _symbols(inner)
        case _:
            return None


def _joined(one: Kind | None, other: Kind) -> Kind:
    """The kind of a field that two contracts have."""
    if one is None or one == other:
        return other
    if (one.type, one.scale) != (other.type, other.scale):
        return Kind("other", why="the contracts have different kinds of it")
    both = None if one.values is None or other.values is None else one.values | other.values
    return one._replace(values=both)


def _coded(kind: Kind, name: str, contract: Contract) -> Kind:
    """The codes of a body's text that intake knows: what a crosswalk lacks, it refuses."""
    if kind.type != "text" or kind.values is not None:
        return kind
    field = name.removeprefix(f"{PAYLOAD}.")
    for one in _expressions(contract.file.crosstown.envelope):
        if one.field == field and one.crosswalk is not None and one.otherwise is None:
            return kind._replace(values=frozenset(one.crosswalk) | {""})
    return kind


def _expressions(said: Any) -> Iterable[Expression]:
    for name in type(said).model_fields:
        value = getattr(said, name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Expression):
                yield one


def _words(
    name: str, contracts: list[Contract], declared: Mapping[str, Collection[str]]
) -> frozenset[str] | None:
    """All texts that an envelope's field can have by the contracts' mappings; None: any."""
    if name in ("step", "via"):
        return frozenset(STEPS if name == "step" else VIAS)
    words: set[str] = set()
    for contract in contracts:
        ours = contract.file.crosstown
        said = getattr(ours.envelope, name)
        by_list = name == "concern" and ours.concern_map
        found = {""} if said is None else None if by_list else _can_be(said)
        if found is None:
            return frozenset(declared[name]) | {""} if name in declared else None
        words |= found
    return frozenset(words)


def _can_be(one: Expression) -> set[str] | None:
    if one.crosswalk is not None:
        return {"", *one.crosswalk.values()} | ({one.otherwise} if one.otherwise else set())
    return {one.constant} if one.constant is not None else None
