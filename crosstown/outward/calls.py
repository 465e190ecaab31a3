"""What a webhook's call says: a message, a challenge, a sign of life, the end. Pure.

Each is a CloudEvent in JSON (structured mode), whose id is the call's id too: the same message has the
same id, however often it's sent.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Standing
from crosstown.moments import moment
from crosstown.outward.signing import answer_to

MEDIA: Final = "application/cloudevents+json; charset=utf-8"
SAID: Final = "crosstown.feed.message"
CHALLENGE: Final = "crosstown.webhook.challenge"
HEARTBEAT: Final = "crosstown.webhook.heartbeat"
ENDED: Final = "crosstown.agreement.ended"


class Call(NamedTuple):
    """One call: its id and its body."""

    name: str
    body: bytes


def message(agreement: str, number: int, said_at: int, line: str) -> Call:
    """One message of the feed, a line of NDJSON; `said_at` (microseconds UTC) is when the feed said it."""
    return _call(agreement, str(number), SAID, said_at, line)


def challenge(agreement: str, nonce: str, at: int) -> Call:
    """Asks whether who answers there has the secret; nothing goes to an address that hasn't said so."""
    return _call(agreement, f"challenge-{nonce}", CHALLENGE, at, json.dumps({"challenge": nonce}))


def answers(secrets: list[str], nonce: str, body: bytes) -> bool:
    """Whether a body answers a challenge: `{"answer": ...}`, made with one of the secrets."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    answer = said.get("answer") if isinstance(said, dict) else None
    return isinstance(answer, str) and answer in [answer_to(one, nonce) for one in secrets]


def heartbeat(agreement: str, number: int, at: int) -> Call:
    """Says that there is nothing behind `number`: silence and a broken line look different."""
    return _call(agreement, f"heartbeat-{at}", HEARTBEAT, at, json.dumps({"number": number}))


def ended(agreement: Agreement, stands: Standing, number: int, at: int) -> Call:
    """Says that it's over."""
    said = json.dumps(ending(agreement, stands, number))
    return _call(agreement.id, f"ended-{stands.ends}", ENDED, at, said)


def ending(agreement: Agreement, stands: Standing, number: int) -> dict[str, Any]:
    """Why it's over, how far it came, and by when what was received must be deleted."""
    return {"state": stands.state, "why": stands.why, "number": number,
            "delete_within_days": agreement.delete_within_days}  # fmt: skip


def _call(agreement: str, what: str, kind: str, at: int, data: str) -> Call:
    name = f"{agreement}-{what}"
    head = {
        "specversion": "1.0", "id": name, "source": f"/feeds/{agreement}", "type": kind,
        "time": moment(at).isoformat().replace("+00:00", "Z"), "datacontenttype": "application/json",
    }  # fmt: skip
    return Call(name, f'{json.dumps(head)[:-1]}, "data": {data}}}'.encode())
