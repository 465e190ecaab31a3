"""Riverton's police, non-emergency: one row an incident, as the dispatcher's log has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.csv_file import Row
from connectors.kestrel_county import CountyCsv, address, moment, named
from crosstown.source import Said


class RivertonPolice(CountyCsv):
    """Times in 24 hours without a colon; nights on which clocks change are in it."""

    name = "riverton-police"
    contract = "riverton-police/incidents"
    columns = ("INC", "CALL_TYPE", "CALL_DESC", "LOC", "RCVD", "DISPATCHED", "CLEARED", "DISPO")
    times = "%m/%d/%y %H%M"

    def events(self, row: Row) -> Iterable[Said]:
        """The report, then dispatch and clearing where they have a time."""
        when = moment(row, "RCVD")
        yield self._step(row, "reported", "RCVD", "reported", {
            **when, "related": named(row, "RELATED", when["flags"]),
            "reporting_party": row.get("REPORTING_PARTY")})  # fmt: skip
        if row["DISPATCHED"]:
            yield self._step(row, "dispatched", "DISP", "officer sent", moment(row, "DISPATCHED"))
        if row["CLEARED"]:
            dispo = row.need("DISPO")
            yield self._step(row, "cleared", dispo, f"cleared, {dispo.lower()}", {
                **moment(row, "CLEARED"), "referred_to": row.get("REFERRED_TO"),
                "narrative": row.get("NARRATIVE")})  # fmt: skip

    def _step(self, row: Row, event: str, code: str, text: str, more: dict[str, Any]) -> Said:
        return self.said(row, {
            "number": row.need("INC"), "event": event, "disposition": code,
            "disposition_text": text, "call_type": row["CALL_TYPE"], "call_text": row["CALL_DESC"],
            **address(row, "LOC"), "beat": row.get("BEAT"), "related": [], "referred_to": "",
            "reporting_party": "", "narrative": "", **more,
        })  # fmt: skip
