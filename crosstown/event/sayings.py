"""What people say of records: these two are one case, these two are not, this one stands alone.

`link.*` events are edges, not entries. Source of the rules: docs/decisions/0010
(rules 4 and 5 of 0008).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Protocol

from crosstown.event.envelope import text_bytes, zigzag

ASSERTED: Final = "link.asserted"
SEPARATED: Final = "link.separated"
APART: Final = "link.apart"
KINDS: Final = (ASSERTED, SEPARATED, APART)
_INDEX: Final = {SEPARATED: b"\0", APART: b"\2"}


class Edge:
    """One content of one saying: `records` are two, or one that stands apart."""

    __slots__ = ("agency", "case", "kind", "why")

    def __init__(self, kind: str, agency: str, why: str) -> None:
        self.kind = kind
        self.agency = agency
        self.why = why
        self.case = None


def edge_of(fields: Mapping[str, Any]) -> Edge:
    """The saying in an envelope's fields; `ValueError` where it isn't one that intake lets pass."""
    kind, refs = fields["type"], fields["refs"]
    if kind not in KINDS or len(set(refs)) != len(refs) or len(refs) != (1 if kind == APART else 2):
        raise ValueError(f"{kind} of {len(refs)} records")
    return Edge(kind, fields["agency"], fields["headline"])


class Spoken(Protocol):
    """A saying that counts."""

    id: bytes
    occurred: int
    refs: tuple[str, ...]
    envelope: bytes


def event_text(entry: Spoken) -> str:
    """An entry's event id as it is written."""
    return entry.envelope[1:37].decode()


class About:
    """All that people say of one record and that counts, by the other record."""

    __slots__ = ("apart", "asserted", "separated")

    def __init__(self) -> None:
        self.asserted: dict[str, list[tuple[Spoken, Edge]]] = {}
        self.separated: dict[str, list[tuple[Spoken, Edge]]] = {}
        self.apart: list[tuple[Spoken, Edge]] = []

    def __bool__(self) -> bool:
        return bool(self.asserted or self.separated or self.apart)


class Named(Protocol):
    """A record, as far as people's sayings matter."""

    @property
    def name(self) -> str:
        """The record, as agency/register/number."""

    @property
    def about(self) -> About | None:
        """What people say of it; None: nothing."""


def parted(one: Named, two: Named) -> bool:
    """Whether rules 2 and 3 don't join these two directly."""
    a, b = one.about, two.about
    return (a is not None and (bool(a.apart) or two.name in a.separated)) or (
        b is not None and bool(b.apart)
    )


def edges_of(about: About) -> Iterable[tuple[Spoken, Edge]]:
    """All sayings about one record."""
    for by_other in (about.asserted, about.separated):
        for said in by_other.values():
            yield from said
    yield from about.apart


def people_bytes(members: Iterable[Named], present: Collection[str], cap: int) -> bytes:
    """The Avro array `people` of a case: separations that touch its records, the newest `cap`.

    One that names two records of the case stands there once, under the one that was named first.
    """
    found: list[tuple[int, bytes, bytes]] = []
    for member in members:
        about = member.about
        if about is None:
            continue
        for other, said in about.separated.items():
            found += [
                (entry.occurred, entry.id, _person(entry, edge, member.name, other))
                for entry, edge in said
                if entry.refs[0] == member.name or entry.refs[0] not in present
            ]
        found += [
            (entry.occurred, entry.id, _person(entry, edge, member.name, ""))
            for entry, edge in about.apart
        ]
    if not found:
        return b"\0"
    found = sorted(found)[-cap:]
    return zigzag(len(found)) + b"".join(data for _, _, data in found) + b"\0"


def _person(entry: Spoken, edge: Edge, record: str, other: str) -> bytes:
    return (
        _INDEX[edge.kind] + text_bytes(event_text(entry)) + text_bytes(edge.agency) + text_bytes(record)
        + text_bytes(other) + text_bytes(edge.why) + zigzag(entry.occurred)
    )  # fmt: skip
