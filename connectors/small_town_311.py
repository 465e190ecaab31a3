"""The 311 of Riverton's neighbours: one program in three towns, one row a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from connectors.csv_file import BrokenCell, Row
from connectors.kestrel_county import CountyCsv, address, named
from crosstown.source import Said

_DESKS: Final = {
    "Eastvale 311": ("eastvale-311", "us-xx-eastvale"),
    "Millbrook 311": ("millbrook-311", "us-xx-millbrook"),
    "Fairhaven 311": ("fairhaven-311", "us-xx-fairhaven"),
}


class SmallTown311(CountyCsv):
    """Each town publishes on a topic of its own, under the contract that is there for any."""

    name = "small-town-311"
    contract = "any/service-requests"
    columns = ("Request", "Service Desk", "Category", "Category Text", "Street Address", "Opened",
               "Closed")  # fmt: skip

    def events(self, row: Row) -> Iterable[Said]:
        """The opening, then the closing where it has a time."""
        opened, closed, flags = row.instant("Opened"), row.instant("Closed"), list[str]()
        if opened is None:
            raise BrokenCell("Opened", "missing-value", "must not be empty")
        yield self._step(row, "opened", opened, {
            "related": named(row, "Related", flags), "details": row.get("Details"),
            "flags": flags})  # fmt: skip
        if closed is not None:
            yield self._step(row, "closed", closed, {"related": [], "details": "", "flags": []})

    def _step(self, row: Row, event: str, at: int, more: dict[str, Any]) -> Said:
        desk = row.need("Service Desk")
        if desk not in _DESKS:
            raise BrokenCell("Service Desk", "unknown-code", f"{desk[:40]!r} is none of "
                             + ", ".join(_DESKS))  # fmt: skip
        agency, jurisdiction = _DESKS[desk]
        return self.said(row, {
            "agency": agency, "jurisdiction": jurisdiction, "number": row.need("Request"),
            "event": event, "occurred_at": at, "category": row["Category"],
            "category_text": row["Category Text"], **address(row, "Street Address"),
            "district": row.get("District"), **more,
        })  # fmt: skip
