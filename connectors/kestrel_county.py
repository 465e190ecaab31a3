"""What the exports of the sample county have in common: one clock, addresses, each other's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from connectors.csv_file import BrokenCell, CsvFile, Row
from connectors.street import street_key
from crosstown.source import Said

_NUMBER: Final = re.compile(r"\b([A-Z]{2,3})-\d+\b")
_REGISTERS: Final = {
    "SR": "riverton-311/request",
    "HI": "riverton-housing/inspection",
    "BP": "riverton-buildings/permit",
    "INC": "riverton-police/incident",
    "WO": "riverton-water/order",
    "CH": "xx-county-health/visit",
    "RTU": "riverton-tenants/contact",
    "ES": "eastvale-311/request",
    "MS": "millbrook-311/request",
    "FS": "fairhaven-311/request",
}
UNREAD_NUMBER: Final = "unread_number"
"""Flag: a cell for others' numbers holds something that is no number of an office known here."""


class CountyCsv(CsvFile):
    """An export of one of the county's offices, all of it under `contract`."""

    contract: ClassVar[str]
    timezone: ClassVar[str] = "America/Chicago"

    @classmethod
    def said(cls, row: Row, body: dict[str, Any], known_at: int | None = None) -> Said:
        """One event of the office that owns the contract."""
        agency = cls.contract.partition("/")[0]
        return Said(cls.contract, body.get("agency", agency), body, row.line, known_at)


def moment(row: Row, column: str) -> dict[str, Any]:
    """The local time of an event that must have one, with what is doubtful about just this time."""
    row.take_flags()
    at = row.local(column)
    if at is None:
        raise BrokenCell(column, "missing-value", "must not be empty")
    return {"occurred_at": at, "flags": row.take_flags()}


def address(row: Row, column: str) -> dict[str, str]:
    """Where it is: as a key, and as it was written."""
    text = row[column]
    return {"address": street_key(text) if text else "", "address_text": text}


def named(row: Row, column: str, flags: list[str]) -> list[str]:
    """The records whose numbers stand in a cell, in full form; a flag where something else does."""
    text = row.get(column)
    if not text:
        return []
    found = list(_records(text))
    if not found:
        flags.append(UNREAD_NUMBER)
    return found


def _records(text: str) -> Iterator[str]:
    for number in _NUMBER.finditer(text):
        register = _REGISTERS.get(number[1])
        if register is not None:
            yield f"{register}/{number[0]}"
