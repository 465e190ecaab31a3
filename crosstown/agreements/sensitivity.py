"""How sensitive what an agreement names is.

A field of a body is as its contract says, one of the envelope as the most sensitive field that its
mapping reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from crosstown.contracts.contract import Contract
from crosstown.contracts.mapping import Expression, TimeField

CLASSES: Final = ("public", "internal", "restricted", "confidential")
"""From the least to the most sensitive."""


class Sensitive(NamedTuple):
    """A class, and the body's field that is of it; empty: nothing of the body is in it."""

    sensitivity: str
    field: str = ""

    @property
    def public(self) -> bool:
        """Whether anybody may have it."""
        return self.sensitivity == "public"


def of_payload(contract: Contract, name: str) -> Sensitive:
    """How sensitive a field of a body is; what the contract doesn't say counts as confidential."""
    for said in contract.file.schema_:
        for one in said.properties:
            if one.name == name and one.classification in CLASSES:
                return Sensitive(one.classification, name)
    return Sensitive(CLASSES[-1], name)


def of_envelope(contract: Contract, name: str) -> Sensitive:
    """How sensitive a field of the envelope is under a contract."""
    return max(
        (of_payload(contract, one) for one in sources(contract, name)),
        key=lambda one: CLASSES.index(one.sensitivity), default=Sensitive(CLASSES[0]),
    )  # fmt: skip


def sources(contract: Contract, name: str) -> list[str]:
    """The body's fields from which a contract makes a field of the envelope."""
    said = getattr(contract.file.crosstown.envelope, name, None)
    found: list[str] = []
    for one in _each(said):
        found += one.fields if isinstance(one, Expression) else [one.field]
    return found


def _each(said: object) -> Iterable[Expression | TimeField]:
    for one in said if isinstance(said, tuple) else (said,):
        if isinstance(one, Expression | TimeField):
            yield one
