"""Riverton's housing inspection: one wide row an inspection, a pair of columns for each step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.csv_file import Row
from connectors.kestrel_county import CountyCsv, address, moment, named
from crosstown.source import Said


class RivertonHousing(CountyCsv):
    """What a column adds is said with its own step, so that a later step leaves the others as said."""

    name = "riverton-housing"
    contract = "riverton-housing/inspections"
    columns = ("Inspection No", "Complaint", "Complaint Text", "Address", "Received", "311 No",
               "Scheduled", "Inspected", "Result", "Re-Inspected", "Re-Result")  # fmt: skip
    times = "%m/%d/%Y %I:%M %p"

    def events(self, row: Row) -> Iterable[Said]:
        """The request, then each further step that has a time."""
        when = moment(row, "Received")
        yield self._step(row, "requested", "RECEIVED", "requested", {
            **when, "request": row["311 No"], "tenant_name": row.get("Tenant Name"),
            "see_also": named(row, "See Also", when["flags"])})  # fmt: skip
        if row["Scheduled"]:
            yield self._step(row, "scheduled", "SCHEDULED", "scheduled", moment(row, "Scheduled"))
        if row["Inspected"]:
            result, when = row.need("Result"), moment(row, "Inspected")
            yield self._step(row, "inspected", result, result.lower(), {
                **when, "due_at": row.local("Comply By"),
                "inspector_notes": row.get("Inspector Notes")})  # fmt: skip
        if row.get("Referred On"):
            yield self._step(row, "referred", "REFERRED", "referred", {
                **moment(row, "Referred On"), "referred_to": row.need("Referred To")})  # fmt: skip
        if row["Re-Inspected"]:
            result = row.need("Re-Result")
            yield self._step(row, "reinspected", result, f"{result.lower()} on re-inspection",
                             moment(row, "Re-Inspected"))  # fmt: skip

    def _step(self, row: Row, event: str, outcome: str, text: str, more: dict[str, Any]) -> Said:
        return self.said(row, {
            "number": row.need("Inspection No"), "event": event, "outcome": outcome,
            "outcome_text": text, "complaint": row["Complaint"],
            "complaint_text": row["Complaint Text"], **address(row, "Address"),
            "ward": row.get("Ward"), "due_at": None, "request": "", "see_also": [],
            "referred_to": "", "tenant_name": "", "inspector_notes": "", **more,
        })  # fmt: skip
