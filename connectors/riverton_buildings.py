"""Riverton's buildings department: permits and complaints, one wide row each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.csv_file import Row
from connectors.kestrel_county import CountyCsv, moment, named
from connectors.street import street_key
from crosstown.source import Said


class RivertonBuildings(CountyCsv):
    """House number and street stand in columns of their own."""

    name = "riverton-buildings"
    contract = "riverton-buildings/permits"
    columns = ("PERMIT_ID", "WORK_CLASS", "WORK_DESC", "STREET_NO", "STREET", "FILED", "ISSUED",
               "VISITED", "FINDING", "FINALED")  # fmt: skip
    times = "%d-%b-%Y %H:%M"

    def events(self, row: Row) -> Iterable[Said]:
        """The filing, then each further step that has a time."""
        when = moment(row, "FILED")
        yield self._step(row, "filed", "FILED", "case filed", {
            **when, "related": named(row, "RELATED_NO", when["flags"]),
            "applicant": row.get("APPLICANT")})  # fmt: skip
        if row["ISSUED"]:
            yield self._step(row, "issued", "ISSUED", "permit issued", moment(row, "ISSUED"))
        if row["VISITED"]:
            finding, when = row.need("FINDING"), moment(row, "VISITED")
            text = f"site visit, {finding if finding == 'OK' else finding.lower()}"
            yield self._step(row, "visited", finding, text, {
                **when, "due_at": row.local("CURE_BY"), "remarks": row.get("REMARKS")})  # fmt: skip
        if row["FINALED"]:
            yield self._step(row, "finaled", "FINAL", "final sign-off", moment(row, "FINALED"))

    def _step(self, row: Row, event: str, finding: str, text: str, more: dict[str, Any]) -> Said:
        where = f"{row['STREET_NO']} {row['STREET']}".strip()
        return self.said(row, {
            "number": row.need("PERMIT_ID"), "event": event, "finding": finding,
            "finding_text": text, "work": row["WORK_CLASS"], "work_text": row["WORK_DESC"],
            "address": street_key(where) if where else "", "address_text": where,
            "ward": row.get("WARD"), "due_at": None, "related": [], "applicant": "",
            "remarks": "", **more,
        })  # fmt: skip
