"""County health: visits in the county's towns, in ISO times; some steps reached it by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from connectors.csv_file import BrokenCell, Row
from connectors.kestrel_county import CountyCsv, address, named
from crosstown.source import Said


class CountyHealth(CountyCsv):
    """`exported_at` says when a line was said; the jurisdiction is the town's, not the county's."""

    name = "xx-county-health"
    contract = "xx-county-health/visits"
    columns = ("visit_id", "line", "municipality", "address", "program", "program_text", "event",
               "event_text", "event_time", "exported_at")  # fmt: skip

    def events(self, row: Row) -> Iterable[Said]:
        """One event a row."""
        at = row.instant("event_time")
        if at is None:
            raise BrokenCell("event_time", "missing-value", "must not be empty")
        flags: list[str] = []
        body = {
            "number": row.need("visit_id"), "line": row.need("line"), "event": row.need("event"),
            "event_text": row["event_text"], "occurred_at": at, "due_at": row.instant("due"),
            "municipality": row.need("municipality"), "program": row["program"],
            "program_text": row["program_text"], **address(row, "address"),
            "district": row.get("district"), "linked_records": named(row, "linked_records", flags),
            "referred_to": row.get("referred_to"), "received_by": row.get("received_by"),
            "patient": row.get("patient"), "nurse_note": row.get("nurse_note"), "flags": flags,
        }  # fmt: skip
        said = self.said(row, body, row.instant("exported_at"))
        yield replace(said, via="hand") if body["received_by"] == "hand" else said
