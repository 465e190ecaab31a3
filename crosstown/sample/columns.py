"""The files that the sample agencies export, and the columns of each."""

from __future__ import annotations

from typing import Final

from crosstown.sample.towns import NEIGHBOURS

THREE_ONE_ONE: Final = (
    "SR_NO", "SEQ", "STATUS", "STATUS_DESC", "STATUS_DT", "TOPIC", "TOPIC_DESC", "SOURCE", "ADDR",
    "DISTRICT", "SENT_TO", "DUE_DT", "XREF", "VOIDED", "UPDATED_AT", "CALLER_NOTES",
)  # fmt: skip
HOUSING: Final = (
    "Inspection No", "Complaint", "Complaint Text", "Address", "Ward", "Received", "311 No",
    "See Also", "Scheduled", "Inspected", "Result", "Comply By", "Re-Inspected", "Re-Result",
    "Referred On", "Referred To", "Tenant Name", "Inspector Notes",
)  # fmt: skip
BUILDINGS: Final = (
    "PERMIT_ID", "WORK_CLASS", "WORK_DESC", "STREET_NO", "STREET", "WARD", "FILED", "RELATED_NO",
    "ISSUED", "VISITED", "FINDING", "CURE_BY", "FINALED", "APPLICANT", "REMARKS",
)  # fmt: skip
POLICE: Final = (
    "INC", "CALL_TYPE", "CALL_DESC", "LOC", "BEAT", "RCVD", "RELATED", "DISPATCHED", "CLEARED",
    "DISPO", "REFERRED_TO", "REPORTING_PARTY", "NARRATIVE",
)  # fmt: skip
WATER: Final = (
    "ORDER_ID", "LINE", "STEP_CD", "STEP_TXT", "TS", "TOWN_CD", "SERVICE_ADDR", "ZONE", "PROBLEM",
    "PROBLEM_TXT", "REF_TO", "XREF", "CANCELLED", "EXTRACTED", "ACCT_NAME", "REMARK",
)  # fmt: skip
HEALTH: Final = (
    "visit_id", "line", "municipality", "address", "district", "program", "program_text", "event",
    "event_text", "event_time", "due", "linked_records", "referred_to", "received_by",
    "exported_at", "patient", "nurse_note",
)  # fmt: skip
TENANTS: Final = (
    "Contact No", "Line", "Date", "What", "Issue", "Where", "Area", "Their Numbers", "By Hand",
    "Minutes", "Volunteer", "Tenant", "Note", "Entered",
)  # fmt: skip
SMALL_TOWN: Final = (
    "Request", "Service Desk", "Category", "Category Text", "Street Address", "District", "Opened",
    "Closed", "Related", "Details",
)  # fmt: skip

FILES: Final[dict[str, tuple[str, ...]]] = {
    "riverton-311-2024.csv": THREE_ONE_ONE,
    "riverton-311-2025.csv": THREE_ONE_ONE,
    "riverton-housing.csv": HOUSING,
    "riverton-buildings.csv": BUILDINGS,
    "riverton-police.csv": POLICE,
    "riverton-water-2024.csv": WATER,
    "riverton-water-2025.csv": WATER,
    "xx-county-health.csv": HEALTH,
    "riverton-tenants.csv": TENANTS,
    **{f"{town.agency}.csv": SMALL_TOWN for town in NEIGHBOURS},
}
