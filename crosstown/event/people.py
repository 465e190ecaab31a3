"""What a person says of records, made into an event: a note, one case, not one case, apart.

Source of the forms: docs/decisions/0010; contracts any/notes and any/links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crosstown.event.identity import uuid5_of
from crosstown.source import Said


def link(
    kind: str, records: Sequence[str], *, agency: str, jurisdiction: str, because: str, by: str,
    now: int, withdrawn: bool = False,
) -> Said:  # fmt: skip
    """`asserted` or `separated` of two records, or `apart` of one; the same pair is the same saying."""
    record = f"{agency}/link/{uuid5_of(jurisdiction, kind, *sorted(records))}"
    return Said("any/links", agency, {
        "agency": agency, "record": record, "kind": kind, "records": list(records),
        "occurred_at": now, "jurisdiction": jurisdiction, "because": because, "by": by,
        "withdrawn": withdrawn,
    }, 1, now, "hand")  # fmt: skip


def note(
    about: str, text: str, *, agency: str, jurisdiction: str, by: str, now: int, number: str = "",
    withdrawn: bool = False,
) -> Said:  # fmt: skip
    """A note on a record; `number` is that of a note said before, which this one replaces."""
    number = number or uuid5_of(jurisdiction, about, by, now)
    return Said("any/notes", agency, {
        "agency": agency, "record": f"{agency}/note/{number}", "about": about, "occurred_at": now,
        "jurisdiction": jurisdiction, "text": text, "by": by, "withdrawn": withdrawn,
    }, 1, now, "hand")  # fmt: skip


def erasure(
    kind: str, record_hash: str, *, agency: str, jurisdiction: str, because: str, by: str, now: int,
    withdrawn: bool = False,
) -> Said:  # fmt: skip
    """`erased` or `held`, of a record by its keyed hash; the same agency's word on it is one saying."""
    return Said("any/erasures", agency, {
        "agency": agency, "record": f"{agency}/erasure/{record_hash}", "kind": kind,
        "occurred_at": now, "jurisdiction": jurisdiction, "because": because, "by": by,
        "withdrawn": withdrawn,
    }, 1, now, "hand")  # fmt: skip


def chain(links: Iterable[Mapping[str, Any]], one: str, two: str) -> list[str]:
    """The shortest way from one record to another over a case's links; empty: none.

    >>> chain([{"from": "a", "to": "b"}, {"from": "c", "to": "b"}], "a", "c")
    ['a', 'b', 'c']
    """
    near: dict[str, list[str]] = {}
    for link_ in links:
        near.setdefault(link_["from"], []).append(link_["to"])
        near.setdefault(link_["to"], []).append(link_["from"])
    ways = {one: [one]}
    edge = [one]
    while edge and two not in ways:
        found = []
        for record in edge:
            for other in near.get(record, ()):
                if other not in ways:
                    ways[other] = [*ways[record], other]
                    found.append(other)
        edge = found
    return ways.get(two, [])
