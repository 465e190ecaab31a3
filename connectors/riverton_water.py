"""The water authority's billing system: a line for each step, extracted at night."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.csv_file import Row
from connectors.kestrel_county import CountyCsv, address, moment, named
from crosstown.source import Said


class RivertonWater(CountyCsv):
    """`EXTRACTED` says when a line was said; a cancelled line says that the step never was."""

    name = "riverton-water"
    contract = "riverton-water/orders"
    columns = ("ORDER_ID", "LINE", "STEP_CD", "STEP_TXT", "TS", "TOWN_CD", "SERVICE_ADDR",
               "PROBLEM", "PROBLEM_TXT", "CANCELLED", "EXTRACTED")  # fmt: skip
    times = "%Y%m%d %H%M%S"

    def events(self, row: Row) -> Iterable[Said]:
        """One event a row."""
        when, step = moment(row, "TS"), row.need("STEP_CD")
        body = {
            "number": row.need("ORDER_ID"), "line": row.need("LINE"), "step_code": step,
            "state": "VOID" if row["CANCELLED"] == "X" else step, "step_text": row["STEP_TXT"],
            **when, "town": row.need("TOWN_CD"), "problem": row["PROBLEM"],
            "problem_text": row["PROBLEM_TXT"], **address(row, "SERVICE_ADDR"),
            "zone": row.get("ZONE"), "ref_to": row.get("REF_TO"),
            "xref": named(row, "XREF", when["flags"]), "account_name": row.get("ACCT_NAME"),
            "remark": row.get("REMARK"),
        }  # fmt: skip
        yield self.said(row, body, row.local("EXTRACTED"))
