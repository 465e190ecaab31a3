"""A case as it was known at a moment: the linking rule over what had been said by then.

The casebook keeps every saying; those that can matter for a record are its neighbours' over any
version of any of them. They are folded by the same `City` that the stream uses, so the answer is the
rule's, not an approximation. Source: docs/decisions/0011.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from crosstown.casebook.store import Store
from crosstown.cases.cases import City
from crosstown.cases.timeline import message_bytes
from crosstown.event.envelope import VIAS, read_prefix, suffix_bytes
from crosstown.registry.read_back import read_timeline

_CHUNK: Final = 400
_VERSION: Final = "event_id, content, known_at, via, refs, place, concern, occurred_at, prefix"


def history(
    db: Store,
    jurisdiction: str,
    records: Iterable[str],
    until: int,
    window_of: Callable[[str], int],
) -> list[Mapping[str, Any]]:
    """Every saying up to `until` (microseconds) that can matter for the cases of these records."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    edge, seen = set(records), set[str]()
    spots: set[tuple[str, str, int]] = set()
    while edge:
        seen |= edge
        fresh = [one for one in _of_records(db, jurisdiction, sorted(edge), until)
                 if _key(one) not in found]  # fmt: skip
        found |= {_key(one): one for one in fresh}
        around = {(one["place"], one["concern"], one["occurred_at"]) for one in fresh
                  if one["place"] and one["concern"]} - spots  # fmt: skip
        spots |= around
        edge = {ref for one in fresh for ref in _refs(one)}
        edge |= _namers(db, jurisdiction, sorted(seen), until)
        for place, concern, at in around:
            window = window_of(concern)
            rows = db.rows(
                "select distinct record from raw_versions where place = ? and concern = ?"
                " and occurred_at between ? and ? and jurisdiction = ? and known_at <= ?",
                (place, concern, at - window, at + window, jurisdiction, until),
            )
            edge |= {row["record"] for row in rows}
        edge -= seen
    return list(found.values())


def _of_records(
    db: Store, jurisdiction: str, records: list[str], until: int
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(records), _CHUNK):
        chunk = records[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        found += db.rows(
            f"select {_VERSION} from raw_versions where record in ({marks})"  # noqa: S608 - ours
            " and jurisdiction = ? and known_at <= ?",
            [*chunk, jurisdiction, until],
        )
    return found


def _namers(db: Store, jurisdiction: str, records: list[str], until: int) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(records), _CHUNK):
        chunk = records[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        rows = db.rows(
            "select distinct v.record as record from raw_refs f"  # noqa: S608 - ours
            f" join raw_versions v on v.event_id = f.event_id where f.ref in ({marks})"
            " and v.jurisdiction = ? and v.known_at <= ?",
            [*chunk, jurisdiction, until],
        )
        found |= {row["record"] for row in rows}
    return found


def _refs(version: Mapping[str, Any]) -> list[str]:
    return list(json.loads(version["refs"]))


def _key(version: Mapping[str, Any]) -> tuple[Any, ...]:
    return (version["event_id"], version["content"], version["known_at"], version["via"])


def case_at(
    versions: Iterable[Mapping[str, Any]], jurisdiction: str, record: str,
    window_of: Callable[[str], int], is_erased: Callable[[str], bool],
) -> tuple[str, str, dict[str, Any]] | None:  # fmt: skip
    """The case of a record over these sayings: its id, the record that heads it, the timeline.

    None where no event of the record counts.
    """
    city = City(jurisdiction, window_of, is_erased)
    for one in versions:
        prefix = bytes(one["prefix"])
        fields, end = read_prefix(prefix)
        city.say(
            bytes.fromhex(one["content"]), fields, prefix + suffix_bytes(one["known_at"], one["via"]),
            end, one["known_at"], VIAS.index(one["via"]),
        )  # fmt: skip
    told = {change.record: change for change in city.changes()}
    mine = told.get(record)
    if mine is None or not mine.case_id:
        return None
    for head in told.values():
        if head.case is not None and head.case_id == mine.case_id:
            body = message_bytes(jurisdiction, head.record, head.case_id, 0, head.case)
            return head.case_id, head.record, read_timeline(body)["case"]
    return None
