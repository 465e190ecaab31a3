"""The tenants' union: a spreadsheet that volunteers type; papers carried by hand stand in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from connectors.csv_file import BrokenCell, Row
from connectors.kestrel_county import CountyCsv, address, moment, named
from crosstown.source import Said


class RivertonTenants(CountyCsv):
    """`Entered` says when a line was typed; `By Hand` is yes where a person carried something."""

    name = "riverton-tenants"
    contract = "riverton-tenants/contacts"
    columns = ("Contact No", "Line", "Date", "What", "Issue", "Where", "By Hand", "Entered")
    times = "%b %d, %Y %I:%M %p"

    def events(self, row: Row) -> Iterable[Said]:
        """One event a row."""
        when, minutes = moment(row, "Date"), row.get("Minutes")
        if minutes and not (minutes.isascii() and minutes.isdigit() and len(minutes) < 6):
            raise BrokenCell(
                "Minutes", "broken-number", f"{minutes[:40]!r} is no number of minutes"
            )
        body = {
            "number": row.need("Contact No"), "line": row.need("Line"), "what": row.need("What"),
            **when, "issue": row["Issue"], **address(row, "Where"), "area": row.get("Area"),
            "their_numbers": named(row, "Their Numbers", when["flags"]),
            "minutes": int(minutes) if minutes else None, "volunteer": row.get("Volunteer"),
            "tenant": row.get("Tenant"), "note": row.get("Note"),
        }  # fmt: skip
        said = self.said(row, body, row.local("Entered"))
        yield replace(said, via="hand") if row["By Hand"].lower() == "yes" else said
