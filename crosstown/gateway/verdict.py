"""What became of each pushed event, and the answer that says so. Pure.

Statuses, members and reasons are relied on by programs: docs/decisions/0021.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from crosstown.contracts.checked import FIELDS
from crosstown.errors import Refused

PROBLEM: Final = "urn:crosstown:problem:"
FORBIDDEN: Final = frozenset(("agency-of-another", "no-role"))
"""Reasons that are about who says it, not what is said."""
ACCEPTED, NOT_ALLOWED, WRONG, AGAIN = 202, 403, 422, 503


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where Kafka has an event."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one event; with a `receipt` it's in Kafka, else `reason` says why not."""

    id: str
    source: str
    event_id: str = ""
    receipt: Receipt | None = None
    status: int = ACCEPTED
    reason: str = ""
    field: str = ""
    detail: str = ""
    mend: str = ""

    @classmethod
    def refused(cls, id_: str, source: str, why: Refused) -> Verdict:
        """An event that wasn't sent, and needn't be tried again as it is."""
        status = NOT_ALLOWED if why.reason in FORBIDDEN else WRONG
        return cls(id_, source, status=status, reason=why.reason, field=why.field or FIELDS.get(why.reason, ""),
                   detail=why.detail or why.reason, mend=why.mend)  # fmt: skip

    @classmethod
    def again(cls, id_: str, source: str, event_id: str, reason: str, detail: str) -> Verdict:
        """An event to be sent again: `not-sent`, or `outcome-unknown`."""
        return cls(id_, source, event_id, status=AGAIN, reason=reason, detail=detail,
                   mend="send it again: the same event said twice is one event")  # fmt: skip

    def as_json(self, index: int) -> dict[str, Any]:
        """Its place in an answer."""
        about: dict[str, Any] = {
            "index": index, "id": self.id, "source": self.source, "status": self.status,
        }  # fmt: skip
        if self.receipt is None:
            return about | {"reason": self.reason, "field": self.field, "detail": self.detail,
                            "mend": self.mend}  # fmt: skip
        at = self.receipt
        return about | {
            "event_id": self.event_id,
            "receipt": {"topic": at.topic, "partition": at.partition, "offset": at.offset},
        }


def answer(verdicts: Sequence[Verdict]) -> tuple[int, dict[str, Any]]:
    """The status and the JSON body for all events of one request.

    Success only where every event is in Kafka: who looks at the status alone must not take a part
    for the whole. 503 wins over the others, since sending all again is right then.
    """
    counts = Counter(one.status for one in verdicts)
    body: dict[str, Any] = {
        "accepted": counts[ACCEPTED],
        "refused": counts[WRONG] + counts[NOT_ALLOWED],
        "unknown": counts[AGAIN],
        "events": [one.as_json(index) for index, one in enumerate(verdicts)],
    }
    if counts.total() == counts[ACCEPTED]:
        return ACCEPTED, body
    if counts[AGAIN]:
        status, word, became = AGAIN, "events-not-acknowledged", "not acknowledged"
    else:
        status = WRONG if counts[WRONG] else NOT_ALLOWED
        word, became = "events-refused", "refused"
    index, first = next((i, v) for i, v in enumerate(verdicts) if v.status == status)
    n = body["unknown"] or body["refused"]
    where = f"event {index}" + (f", {first.field}" if first.field else "")
    said = problem(status, word, f"{n} of {len(verdicts)} events {became}",
                   f"{where}: {first.reason}: {first.detail}", first.mend)  # fmt: skip
    return status, said | body


def problem(status: int, word: str, title: str, detail: str, mend: str = "") -> dict[str, Any]:
    """A problem as RFC 9457 has it; `mend` is what the sender can do about it."""
    return {"type": PROBLEM + word, "title": title, "status": status, "detail": detail,
            "mend": mend}  # fmt: skip
