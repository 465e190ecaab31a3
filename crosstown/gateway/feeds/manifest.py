"""What an agreement's receiver is told of it: its terms, where it stands, what its feed holds. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.plain import as_fields, sentences
from crosstown.agreements.rules import Ground
from crosstown.agreements.words import DAY, Standing


def in_short(agreement: Agreement, now: Standing) -> dict[str, Any]:
    """One agreement in a list."""
    return {
        "id": agreement.id, "kind": agreement.kind, "gives": agreement.gives,
        "providers": list(agreement.providers), "purpose": agreement.purpose,
        "ways": list(agreement.delivery.ways), "standing": _standing(now),
        "manifest": f"/feeds/{agreement.id}", "messages": f"/feeds/{agreement.id}/events",
    }  # fmt: skip


def manifest(
    agreement: Agreement, ground: Ground, now: Standing, schema: dict[str, Any], kept: tuple[int, int]
) -> dict[str, Any]:  # fmt: skip
    """All of one; `kept` are the first and the last number that the feed holds, 0 where it has none."""
    first, last = kept
    return {
        **in_short(agreement, now),
        "terms": agreement.terms,
        "in_words": dict(sentences(agreement, ground)),
        "agreement": as_fields(agreement, ground),
        "delete_by": _delete_by(agreement, now),
        "first": first, "last": last, "count": last - first + 1 if first else 0,
        "schema": schema,
    }  # fmt: skip


def _delete_by(agreement: Agreement, now: Standing) -> str | None:
    """When all that was received must be deleted; it can't be called back."""
    if agreement.delete_within_days is None or now.state not in ("revoked", "expired"):
        return None
    return iso(now.ends + agreement.delete_within_days * DAY)


def _standing(now: Standing) -> dict[str, Any]:
    return {
        "state": now.state, "why": now.why,
        "begins": iso(now.begins) if now.begins else None,
        "ends": iso(now.ends) if now.ends else None,
    }  # fmt: skip


def iso(at: int) -> str:
    """Microseconds UTC as ISO 8601."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at)
    return moment.isoformat().replace("+00:00", "Z")
