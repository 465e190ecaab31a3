"""Boston's exports of its 311 system, one CSV a department; any year of this form.

An opening is one event, a closing, where there is one, a second. A row with a broken time is
refused whole: nothing is said by halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from connectors.csv_file import CsvFile, Row
from crosstown.source import Said

_CONTRACT = "boston-311/requests"
_JURISDICTION = "us-ma-boston"


class Boston311(CsvFile):
    """`crosstown publish boston-311 FILES`."""

    name = "boston-311"
    columns: ClassVar = ("CASE_ENQUIRY_ID", "OPEN_DT", "TARGET_DT", "CLOSED_DT", "SUBJECT", "TYPE",
                         "Property_ID")  # fmt: skip
    timezone = "America/New_York"
    times = "%m/%d/%Y %I:%M:%S %p"

    def survey(self, files: Iterable[Path]) -> None:
        """Meet all departments' names first: whether two share a slug must not depend on order."""
        for file in files:
            self.naming.meet(_JURISDICTION, self.values(file, "SUBJECT") - {""})

    def events(self, row: Row) -> Iterator[Said]:
        """The opening, and the closing if there was one."""
        subject = row.need("SUBJECT")
        row.need("OPEN_DT")
        body = {
            "agency": self.naming.id_of(_CONTRACT, _JURISDICTION, subject),
            "subject": subject,
            "case_enquiry_id": row.need("CASE_ENQUIRY_ID"),
            "reason": row.get("REASON"),
            "request_type": row["TYPE"],
            "queue": row.get("QUEUE"),
            "department": row.get("Department"),
            "source": row.get("Source"),
            "property_id": row["Property_ID"].removesuffix(".0"),
            "neighborhood": row.get("neighborhood"),
            "ward": row.get("ward"),
            "location": row.get("Location"),
            "case_title": row.get("CASE_TITLE"),
        }
        opened, opened_flags = row.local("OPEN_DT"), row.take_flags()
        target, target_flags = row.local("TARGET_DT"), row.take_flags()
        closed, flags = row.local("CLOSED_DT"), row.take_flags()
        yield _said(row, {
            **body, "event": "request.opened", "occurred_at": opened, "target_at": target,
            "flags": sorted({*opened_flags, *target_flags}),
        })  # fmt: skip
        if opened is not None and closed is not None:
            if closed <= opened:
                flags.append("closed_at_once" if closed == opened else "closed_before_opened")
            yield _said(row, {
                **body, "event": "request.closed", "occurred_at": closed,
                "closure_reason": row.get("CLOSURE_REASON"), "flags": flags,
            })  # fmt: skip


def _said(row: Row, body: dict[str, object]) -> Said:
    return Said(_CONTRACT, "boston-311", body, row.line)
