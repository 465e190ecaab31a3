"""What an event must say for a filter to be true of it at all, so that most filters needn't be asked. Pure."""

from __future__ import annotations

from typing import Final

from crosstown.agreements.expression import (
    And,
    Compared,
    Field,
    In,
    Listing,
    Literal,
    Node,
    Operand,
)

Narrowing = tuple[str, frozenset[str]]
_FIELDS: Final = (
    "agency", "type", "step", "jurisdiction", "place", "area", "concern", "to_agency", "channel",
    "headline",
)  # fmt: skip
"""Texts of the envelope that stay the same as long as the version does."""


def narrowing(tree: Node | None) -> Narrowing | None:
    """A field of the envelope, and the texts of which it must have one; None: the filter asks no such thing."""
    match tree:
        case And(parts):
            found = [one for part in parts if (one := narrowing(part)) is not None]
            return min(found, key=lambda one: len(one[1]), default=None)
        case Compared(left=Field(name), order="==", right=value):
            return _of(name, (value,))
        case Compared(left=value, order="==", right=Field(name)):
            return _of(name, (value,))
        case In(item=Field(name), where=Listing(items)):
            return _of(name, items)
        case _:
            return None


def _of(name: str, values: tuple[Operand, ...]) -> Narrowing | None:
    texts = [one.value for one in values if isinstance(one, Literal) and isinstance(one.value, str)]
    return (name, frozenset(texts)) if name in _FIELDS and len(texts) == len(values) else None
