"""Agreements and sayings for tests of feeds, as small as they can be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from feeds_oracle import DAY, Saying
from riverton_said import REPOSITORY
from sharing_said import IDS, KEY

from crosstown.agreements.agreement import Agreement
from crosstown.avro.codec import Encoder, frame
from crosstown.event.envelope import Envelope
from crosstown.event.identity import event_id

HOUR = DAY // 24
JUNE = (dt.date(2025, 6, 1) - dt.date(1970, 1, 1)).days * DAY
REQUESTS, INSPECTIONS, NOTES, LINKS = (
    "riverton-311/requests", "riverton-housing/inspections", "any/notes", "any/links"
)  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    REQUESTS: {
        "number": "1", "line": "1", "status": "NEW", "state": "NEW", "status_text": "new",
        "occurred_at": JUNE + HOUR, "due_at": None, "topic": "HEAT", "topic_text": "Heat", "source": "",
        "address": "", "address_text": "", "district": "", "sent_to": "", "xref": [],
        "caller_notes": "", "flags": [],
    },
    INSPECTIONS: {
        "number": "1", "event": "requested", "outcome": "RECEIVED", "outcome_text": "requested",
        "occurred_at": JUNE, "due_at": None, "complaint": "H", "complaint_text": "Heat",
        "address": "", "address_text": "", "ward": "", "request": "", "see_also": [],
        "referred_to": "", "tenant_name": "", "inspector_notes": "", "flags": [],
    },
}  # fmt: skip
_ENCODERS = {name: Encoder(REPOSITORY.contracts[name].schema) for name in BODIES}


def window(concern: str) -> int:
    return 10 * HOUR if concern == "noise" else 50 * HOUR


def agreement(name: str, **more: Any) -> Agreement:
    said: dict[str, Any] = {
        "id": name, "kind": "agreement", "providers": ["riverton-311", "riverton-housing"],
        "receiver": "xx-county-health", "purpose": "To see that nothing else is seen.",
        "stewards": dict.fromkeys(("riverton-311", "riverton-housing", "xx-county-health"), "Somebody"),
        "gives": "events", "contracts": [{"contract": REQUESTS}], "jurisdictions": ["us-xx-riverton"],
        "since": "2025-06-01", "start": "2025-01-01", "end": "2035-01-01",
        "basis": {"law": "A law that is long enough.", "document": "a.pdf", "sha256": "0" * 64,
                  "redisclosure": "To nobody, not at all."},
    }  # fmt: skip
    return Agreement.model_validate(said | more)


def say(
    record: str, at: int, contract: str, *, kind: str = "seen", step: str = "NOTE", place: str = "",
    concern: str = "heat", refs: Sequence[str] = (), known_at: int = 0, via: str = "batch",
    jurisdiction: str = "us-xx-riverton", text: str = "Heat", area: str = "", headline: str = "",
) -> Saying:  # fmt: skip
    body = dict(BODIES.get(contract, BODIES[REQUESTS]))
    body["topic_text" if "topic_text" in body else "outcome_text"] = text
    envelope = Envelope(
        event_id=event_id(record, kind), agency=record.partition("/")[0], record=record, type=kind,
        step=step, occurred_at=JUNE + at * HOUR, jurisdiction=jurisdiction, place=place, area=area,
        concern=concern, refs=tuple(refs), known_at=JUNE + known_at * DAY, via=via, headline=headline,
        due_at=JUNE + at * HOUR + 7 if step == "REPORTED" else None,
    )  # fmt: skip
    schema = IDS[contract if contract in BODIES else REQUESTS]
    encoder = _ENCODERS[contract if contract in BODIES else REQUESTS]
    return Saying(contract, envelope, body, frame(schema, encoder.encode(body)))


def link(agency: str, kind: str, records: Sequence[str], known_at: int, step: str) -> Saying:
    return say(f"{agency}/link/{'-'.join(records)}", 0, LINKS, kind=f"link.{kind}", step=step,
               refs=records, known_at=known_at, place="", concern="", headline="because")  # fmt: skip


def erase(record: str, known_at: int, step: str, kind: str = "record.erased") -> Saying:
    return say(f"{record.partition('/')[0]}/erasure/{KEY.name(record)}", 0, "any/erasures", kind=kind,
               step=step, known_at=known_at)  # fmt: skip
