"""What can be seen of a filter without any event: values that a field never has, parts that are never true.

Pure. A filter is taken apart into its alternatives, each a row of conditions that hold together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, NamedTuple

from crosstown.agreements.expression import (
    And,
    Asked,
    Compared,
    Field,
    Has,
    In,
    Listing,
    Literal,
    Moment,
    Node,
    Not,
    Or,
)
from crosstown.agreements.vocabulary import Kind
from crosstown.errors import Refused
from crosstown.moments import moment

MOST: Final = 512
"""Alternatives into which a filter may fall; more can't be looked through."""
_CONTRARY: Final[Mapping[str, str]] = {
    "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
}  # fmt: skip
_TURNED: Final[Mapping[str, str]] = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Stranger(NamedTuple):
    """A text that a field never has; `values` are those that it has."""

    field: str
    value: str
    at: int
    values: frozenset[str]


def strangers(tree: Node, kinds: Mapping[str, Kind]) -> Iterator[Stranger]:
    """The texts with which fields are compared for being equal, and which they never have."""
    for name, value in _equals(tree):
        values = kinds[name].values
        said = value.value if isinstance(value, Literal) else None
        if isinstance(said, str) and values is not None and said not in values:
            yield Stranger(name, said, value.at, values)


def _equals(node: Node) -> Iterator[tuple[str, Literal | Moment]]:
    match node:
        case And(parts) | Or(parts):
            for one in parts:
                yield from _equals(one)
        case Not(inner):
            yield from _equals(inner)
        case Compared("==" | "!=", Field(name), Literal() | Moment() as value):
            yield name, value
        case Compared("==" | "!=", Literal() | Moment() as value, Field(name)):
            yield name, value
        case In(Field(name), Listing(items)):
            yield from ((name, one) for one in items)
        case In(Literal() as value, Field(name)):
            yield name, value
        case _:
            return


class _Atom(NamedTuple):
    """One condition, or its contrary."""

    node: Compared | In | Asked | Has | Field | Literal
    holds: bool


def never(tree: Node) -> list[str]:
    """The alternatives of a filter that can't be true, each in a sentence.

    Raises `Refused` (bad-filter) where there are too many to be looked through.
    """
    found: dict[str, None] = {}
    for alternative in _alternatives(tree, holds=True):
        what = _contradiction(alternative)
        if what:
            found[what] = None
    return list(found)


def _alternatives(node: Node, *, holds: bool) -> list[tuple[_Atom, ...]]:
    match node:
        case Not(inner):
            return _alternatives(inner, holds=not holds)
        case And(parts) | Or(parts):
            several = [_alternatives(one, holds=holds) for one in parts]
            if isinstance(node, Or) == holds:
                return _few([row for rows in several for row in rows])
            found: list[tuple[_Atom, ...]] = [()]
            for rows in several:
                _bounded(len(found) * len(rows))
                found = [one + other for one, other in product(found, rows)]
            return found
        case Moment() | Listing():
            return [()]
        case _:
            return [(_Atom(node, holds),)]


def _few(rows: list[tuple[_Atom, ...]]) -> list[tuple[_Atom, ...]]:
    _bounded(len(rows))
    return rows


def _bounded(count: int) -> None:
    if count > MOST:
        raise Refused("bad-filter", f"it falls into more than {MOST} alternatives",
                      mend='say field in ["a", "b"] instead of many ||')  # fmt: skip


@dataclass(slots=True)
class _Known:
    """What is known of one field so far; None: nothing."""

    only: set[Any] | None = None
    other_than: set[Any] = field(default_factory=set)
    low: tuple[Any, bool] | None = None
    """The least that it can be, and whether it can be that."""
    high: tuple[Any, bool] | None = None
    has: set[bool] = field(default_factory=set)

    def possible(self) -> bool:
        """Whether any value is left."""
        if len(self.has) > 1 or (False in self.has and self._asked_for_value()):
            return False
        if self.only is not None:
            return any(self._fits(one) for one in self.only)
        if self.low is None or self.high is None:
            return True
        (low, with_low), (high, with_high) = self.low, self.high
        return bool(low < high or (low == high and with_low and with_high))

    def _asked_for_value(self) -> bool:
        return self.low is not None or self.high is not None or bool(self.only and self.only - {""})

    def _fits(self, value: Any) -> bool:
        if value in self.other_than:
            return False
        for bound, order in ((self.low, 1), (self.high, -1)):
            if bound is not None:
                limit, itself = bound
                beyond = value < limit if order == 1 else value > limit
                if beyond or (value == limit and not itself):
                    return False
        return True


def _contradiction(alternative: tuple[_Atom, ...]) -> str:
    """Why a row of conditions can't hold together; empty: it can."""
    known: dict[str, _Known] = {}
    for atom in alternative:
        if isinstance(atom.node, Literal) and atom.node.value is not atom.holds:
            return "a part of it is `false`"
        name = _learn(known, atom)
        if name and not known[name].possible():
            return f"{name} can't be all of: {_said(alternative, name)}"
    return ""


def _learn(known: dict[str, _Known], atom: _Atom) -> str:
    """Take a condition in; the field that it is about, empty where nothing is learnt."""

    def of(name: str) -> _Known:
        return known.setdefault(name, _Known())

    match atom.node:
        case Has(Field(name)):
            of(name).has.add(atom.holds)
        case Field(name):
            _narrow(of(name), {True}, holds=atom.holds)
        case Compared(order, Field(name), Literal(value) | Moment(value)):
            _compare(of(name), order, value, holds=atom.holds)
        case Compared(order, Literal(value) | Moment(value), Field(name)):
            _compare(of(name), _TURNED.get(order, order), value, holds=atom.holds)
        case In(Field(name), Listing(items)):
            _narrow(of(name), {_value(one) for one in items}, holds=atom.holds)
        case _:
            return ""
    return name


def _compare(known: _Known, order: str, value: Any, *, holds: bool) -> None:
    order = order if holds else _CONTRARY[order]
    match order:
        case "==" | "!=":
            _narrow(known, {value}, holds=order == "==")
        case ">" | ">=":
            bound = (value, order == ">=")
            known.low = max(known.low or bound, bound, key=lambda one: (one[0], not one[1]))
        case _:
            bound = (value, order == "<=")
            known.high = min(known.high or bound, bound)


def _narrow(known: _Known, values: set[Any], *, holds: bool) -> None:
    if not holds:
        known.other_than |= values
    else:
        known.only = values if known.only is None else known.only & values


def _value(one: Literal | Moment) -> Any:
    return one.value if isinstance(one, Literal) else one.micros


def _said(alternative: tuple[_Atom, ...], name: str) -> str:
    """The conditions on a field, in words."""
    return ", ".join(
        ("" if atom.holds else "not ") + words
        for atom in alternative if (words := _words(atom.node, name))
    )  # fmt: skip


def _words(node: Node, name: str) -> str:
    match node:
        case Has(Field(one)) if one == name:
            return "given"
        case Field(one) if one == name:
            return "true"
        case Compared(order, Field(one), value) if one == name:
            return f"{order} {_shown(value)}"
        case Compared(order, value, Field(one)) if one == name:
            return f"{_TURNED.get(order, order)} {_shown(value)}"
        case In(Field(one), Listing(items)) if one == name:
            return f"in {', '.join(map(_shown, items[:5]))}{', ...' if len(items) > 5 else ''}"
        case _:
            return ""


def _shown(node: Node) -> str:
    match node:
        case Literal(value):
            return f'"{value}"' if isinstance(value, str) else str(value).lower()
        case Moment(micros):
            return f"{moment(micros):%Y-%m-%dT%H:%M:%SZ}"
        case Field(name):
            return name
        case _:
            return "..."
