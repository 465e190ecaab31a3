"""Moments as microseconds since 1970 UTC, and as ISO 8601 writes them."""

from __future__ import annotations

import datetime as dt
from typing import Final

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO: Final = dt.timedelta(microseconds=1)


def micros(moment: dt.datetime) -> int:
    """A moment with a zone as microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICRO


def moment(value: int) -> dt.datetime:
    """Microseconds since 1970 as a moment in UTC."""
    return _EPOCH + dt.timedelta(microseconds=value)


def day_of(value: int) -> str:
    """The day on which a moment lies in UTC, YYYY-MM-DD."""
    return moment(value).date().isoformat()


def instant(text: str) -> int:
    """A time in ISO 8601 with its zone as microseconds UTC; raises `ValueError` saying how."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time; say e.g. 2026-01-05T14:30:00-05:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text[:40]!r} has no zone; say e.g. 2026-01-05T14:30:00-05:00, or ...Z")
    return micros(moment)
