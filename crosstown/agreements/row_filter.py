"""A row filter: which events an agreement covers, as a function of an event's fields.

Pure; the text is parsed (`expression`), held against the fields' kinds, and made into closures; no part
of it is ever run as Python. A field without a value has no answer, nor has its contrary; `&&` and `||`
need none where the other side decides; what has no answer is not covered. That is CEL's own rule for a
field that isn't set. Source: docs/decisions/0023.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from crosstown.agreements.expression import (
    PAYLOAD,
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
    Operand,
    Or,
    bad,
)
from crosstown.agreements.parsing import parsed
from crosstown.agreements.vocabulary import WORDS, Kind, Type

Row = Mapping[str, Any]
"""The envelope's fields, and under `payload` the body's; times as they are written, plain longs."""
Test = Callable[[Row], bool | None]
Value = Callable[[Row], Any]

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_METHODS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "startsWith": str.startswith, "endsWith": str.endswith, "contains": operator.contains,
}  # fmt: skip
_NUMBERS: Final = ("whole", "number")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A compiled filter; called with an event's fields it says whether the event is covered."""

    text: str
    fields: frozenset[str]
    """The fields that it reads, those of the body as `payload.<field>`."""
    tree: Node | None = field(repr=False)
    """None: no filter, all is covered."""
    test: Test = field(repr=False)

    def __call__(self, row: Row) -> bool:
        """Whether it is true of an event; False where it has no answer."""
        return self.test(row) is True

    @property
    def opens_payload(self) -> bool:
        """Whether the body must be decoded to be asked."""
        return any(name.startswith(f"{PAYLOAD}.") for name in self.fields)


def compiled(text: str, kinds: Mapping[str, Kind]) -> RowFilter:
    """The filter of a text over fields of these kinds; empty: all is covered.

    Raises `Refused` (bad-filter) with the character at which it breaks and what to do.
    """
    if not text.strip():
        return RowFilter("", frozenset(), None, lambda _row: True)
    try:
        tree = parsed(text)
        return RowFilter(text, frozenset(_read(tree)), tree, _Compiler(kinds).test(tree))
    except RecursionError:  # a bound that is missing must not end who reads agreements
        raise bad(1, "it nests too deep", "say it flatter") from None


def _read(node: Node) -> Iterator[str]:
    match node:
        case Field():
            yield node.name
        case Has(asked):
            yield asked.name
        case Not(inner):
            yield from _read(inner)
        case And(parts) | Or(parts):
            for one in parts:
                yield from _read(one)
        case Compared(left=one, right=other) | In(one, other) | Asked(of=one, part=other):
            yield from _read(one)
            yield from _read(other)
        case Literal() | Moment() | Listing():
            return


class _Compiler:
    """Trees to closures, over fields of known kinds."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds

    def test(self, node: Node) -> Test:
        """The condition that a tree is; True, False, or None: it has no answer."""
        match node:
            case And(parts):
                return _all(tuple(self.test(one) for one in parts))
            case Or(parts):
                return _either(tuple(self.test(one) for one in parts))
            case Not(inner):
                return _contrary(self.test(inner))
            case _:
                return self._condition(node)

    def _condition(self, node: Compared | In | Asked | Has | Operand) -> Test:
        match node:
            case Has(asked):
                self._kind(asked)
                return _has(_getter(asked.name))
            case Compared():
                return self._compared(node)
            case In():
                return self._in(node)
            case Asked():
                return self._asked(node)
            case Field() | Literal() | Moment() | Listing():
                return self._truth(node)

    def _truth(self, node: Operand) -> Test:
        if isinstance(node, Field):
            self._must(node, "truth")
            return _getter(node.name)
        if isinstance(node, Literal) and isinstance(node.value, bool):
            value = node.value
            return lambda _row: value
        raise bad(node.at, "a value where a condition belongs", "compare it with a field")

    def _compared(self, node: Compared) -> Test:
        one, other = self._type(node.left), self._type(node.right)
        alike = one == other or (one in _NUMBERS and other in _NUMBERS)
        if not alike:
            raise bad(
                node.at, f"{WORDS[one]} is compared with {WORDS[other]}", "compare like with like"
            )
        if one == "texts" or (one == "truth" and node.order not in ("==", "!=")):
            raise bad(
                node.at, f"{node.order} of {WORDS[one]}", 'say "text" in field; truths are == or !='
            )
        if not isinstance(node.left, Field) and not isinstance(node.right, Field):
            raise bad(node.at, "nothing of the event is asked", "compare a field")
        return _pair(_ORDERS[node.order], self._value(node.left), self._value(node.right))

    def _in(self, node: In) -> Test:
        item = self._type(node.item)
        if isinstance(node.where, Field):
            self._must(node.where, "texts")
            if item != "text":
                raise bad(node.at, f"{WORDS[item]} in a list of texts", "ask for a text in it")
            return _pair(_is_in, self._value(node.item), self._value(node.where))
        if not isinstance(node.where, Listing) or not isinstance(node.item, Field):
            raise bad(node.at, "`in` without a field and a list", 'say field in ["a", "b"]')
        if item == "texts":
            raise bad(node.at, "a list in a list", 'say "text" in field')
        for one in node.where.items:
            if (got := self._type(one)) != item and not (got in _NUMBERS and item in _NUMBERS):
                raise bad(one.at, f"{WORDS[got]} among values for {WORDS[item]}", "list values of its kind")  # fmt: skip
        values = frozenset(self._value(one)({}) for one in node.where.items)
        return _among(self._value(node.item), values)

    def _asked(self, node: Asked) -> Test:
        for one in (node.of, node.part):
            if (got := self._type(one)) != "text":
                raise bad(node.at, f"{node.method} of {WORDS[got]}", "it is for texts")
        if not isinstance(node.of, Field):
            raise bad(node.at, "nothing of the event is asked", "ask a field")
        return _pair(_METHODS[node.method], self._value(node.of), self._value(node.part))

    def _must(self, asked: Field, type_: Type) -> None:
        if (got := self._type(asked)) != type_:
            raise bad(asked.at, f"{asked.name} is {WORDS[got]}, not {WORDS[type_]}", "compare it with a value")  # fmt: skip

    def _kind(self, asked: Field) -> Kind:
        found = self._kinds.get(asked.name)
        if found is not None:
            return found
        name = asked.name.removeprefix(f"{PAYLOAD}.")
        meant = f"{PAYLOAD}.{name}" if name == asked.name else name
        hint = (
            f"did you mean {meant}?" if meant in self._kinds else _nearest(asked.name, self._kinds)
        )
        raise bad(asked.at, f"there is no field {asked.name[:80]}", hint)

    def _type(self, operand: Operand) -> Type:
        match operand:
            case Field():
                kind = self._kind(operand)
                if kind.type == "other":
                    raise bad(operand.at, f"{operand.name} can't be compared: {kind.why or 'it is no plain value'}",
                          "leave it out, or ask has(...) of it")  # fmt: skip
                return kind.type
            case Literal(bool()):
                return "truth"
            case Literal(str()):
                return "text"
            case Literal(int()):
                return "whole"
            case Literal():
                return "number"
            case Moment():
                return "time"
            case Listing():
                raise bad(operand.at, "a list where one value belongs", "say field in [...]")

    def _value(self, operand: Operand) -> Value:
        match operand:
            case Field(name):
                got, scale = _getter(name), self._kinds[name].scale
                return got if scale == 1 else _scaled(got, scale)
            case Literal(value) | Moment(value):
                return lambda _row: value
            case Listing():
                raise bad(operand.at, "a list where one value belongs", "say field in [...]")


def _nearest(name: str, kinds: Mapping[str, Kind]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, kinds, 1)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(kinds)[:40])}"


def _getter(name: str) -> Value:
    inside = name.removeprefix(f"{PAYLOAD}.")
    if inside == name:
        return lambda row: row.get(name)
    return lambda row: (row.get(PAYLOAD) or {}).get(inside)


def _scaled(value: Value, scale: int) -> Value:
    return lambda row: None if (got := value(row)) is None else got * scale


def _pair(ask: Callable[[Any, Any], bool], one: Value, other: Value) -> Test:
    def test(row: Row) -> bool | None:
        left, right = one(row), other(row)
        return None if left is None or right is None else ask(left, right)

    return test


def _is_in(item: Any, where: Any) -> bool:
    return item in where


def _among(item: Value, values: frozenset[Any]) -> Test:
    return lambda row: None if (got := item(row)) is None else got in values


def _has(value: Value) -> Test:
    return lambda row: value(row) not in (None, "", [], ())


def _contrary(test: Test) -> Test:
    return lambda row: None if (got := test(row)) is None else not got


def _all(tests: tuple[Test, ...]) -> Test:
    def test(row: Row) -> bool | None:
        answer: bool | None = True
        for one in tests:
            if (got := one(row)) is False:
                return False
            if got is None:
                answer = None
        return answer

    return test


def _either(tests: tuple[Test, ...]) -> Test:
    def test(row: Row) -> bool | None:
        answer: bool | None = False
        for one in tests:
            if (got := one(row)) is True:
                return True
            if got is None:
                answer = None
        return answer

    return test
