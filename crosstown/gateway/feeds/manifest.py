"""What an agreement's receiver is told of it: its terms, where it stands, what its feed holds. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any

from crosstown.agreements.agreement import Agreement
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
    agreement: Agreement, now: Standing, schema: dict[str, Any] | None, first: int, last: int
) -> dict[str, Any]:
    """All of one; `schema` is None where the feed has said nothing yet."""
    said = agreement.model_dump(mode="json", exclude={"delivery"})
    return {
        **in_short(agreement, now),
        "terms": agreement.terms,
        "agreement": said,
        "obligations": obligations(agreement, now),
        "first": first, "last": last, "count": last - first + 1 if first else 0,
        "schema": schema,
    }  # fmt: skip


def obligations(agreement: Agreement, now: Standing) -> list[str]:
    """What the receiver must do, in sentences."""
    found = [f"Use it for this alone: {agreement.purpose}"]
    if agreement.basis is not None:
        found.append(f"Passing it on: {agreement.basis.redisclosure}")
    if agreement.delete_within_days is not None:
        days = agreement.delete_within_days
        if now.state in ("revoked", "expired"):
            found.append(
                f"Delete what you got by {iso(now.ends + days * DAY)}; it can't be called back."
            )
        else:
            found.append(f"Delete what you got within {days} days of its end.")
    return found


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
