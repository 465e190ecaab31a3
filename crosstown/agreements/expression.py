"""A row filter as a tree: fields, values, and conditions on them. `parsing` makes it of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crosstown.errors import Refused

PAYLOAD: Final = "payload"
ORDERS: Final = ("==", "!=", "<", "<=", ">", ">=")
METHODS: Final = ("startsWith", "endsWith", "contains")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the envelope, or `payload.<field>`; `at` is where it stands, in characters from 1."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number or a truth value."""

    value: str | int | float | bool
    at: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, in microseconds UTC."""

    micros: int
    at: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of literals."""

    items: tuple[Literal | Moment, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One of `ORDERS` between two operands."""

    order: str
    left: Operand
    right: Operand
    at: int


@dataclass(frozen=True, slots=True)
class In:
    """Whether an operand is in a list, or in a field that is one."""

    item: Operand
    where: Operand
    at: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One of `METHODS` of a text."""

    method: str
    of: Operand
    part: Operand
    at: int


@dataclass(frozen=True, slots=True)
class Has:
    """Whether a field has a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    of: Node
    at: int


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them, or more."""

    parts: tuple[Node, ...]


Operand = Field | Literal | Moment | Listing
Node = Operand | Compared | In | Asked | Has | Not | And | Or


def bad(at: int, what: str, mend: str) -> Refused:
    """Why a filter is refused for what stands at a character."""
    return Refused("bad-filter", f"at character {at}: {what}", mend=mend)
