"""Riverton's 311: a line for each step of a request, with the time at which it was written."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.csv_file import Row
from connectors.kestrel_county import CountyCsv, address, moment, named
from crosstown.source import Said


class Riverton311(CountyCsv):
    """`UPDATED_AT` says when a line was written; a voided line says that the step never was."""

    name = "riverton-311"
    contract = "riverton-311/requests"
    columns = ("SR_NO", "SEQ", "STATUS", "STATUS_DESC", "STATUS_DT", "TOPIC", "TOPIC_DESC",
               "ADDR", "VOIDED", "UPDATED_AT")  # fmt: skip
    times = "%Y-%m-%d %H:%M:%S"

    def events(self, row: Row) -> Iterable[Said]:
        """One event a row."""
        when = moment(row, "STATUS_DT")
        status = row.need("STATUS")
        body = {
            "number": row.need("SR_NO"), "line": row.need("SEQ"), "status": status,
            "state": "VOID" if row["VOIDED"] == "Y" else status,
            "status_text": row["STATUS_DESC"], **when, "due_at": row.local("DUE_DT"),
            "topic": row["TOPIC"], "topic_text": row["TOPIC_DESC"], "source": row.get("SOURCE"),
            **address(row, "ADDR"), "district": row.get("DISTRICT"), "sent_to": row.get("SENT_TO"),
            "xref": named(row, "XREF", when["flags"]), "caller_notes": row.get("CALLER_NOTES"),
        }  # fmt: skip
        yield self.said(row, body, row.local("UPDATED_AT"))
