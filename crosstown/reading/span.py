"""Which part of a topic is asked for: from one moment, or offset, up to another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from crosstown.errors import Stop

By = Literal["occurred", "known", "offset"]
Bound = dt.date | dt.datetime | str | int | None
BY: Final[tuple[By, ...]] = ("occurred", "known", "offset")
_MEND: Final = "say 2025-01-31, 2025-01-31T14:00-06:00, or a date or datetime of Python's"


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on and before `until`: moments in UTC, offsets where `by` says so; None: open."""

    by: By = "occurred"
    since: Any = None
    until: Any = None

    @property
    def open(self) -> bool:
        """Whether nothing lies outside."""
        return self.since is None and self.until is None

    @property
    def timed(self) -> bool:
        """Whether a row's time decides."""
        return self.by != "offset" and not self.open

    def holds(self, first: Any, last: Any = None) -> bool:
        """Whether a moment lies inside, or any part of what lasts from `first` to `last`."""
        return (self.since is None or (first if last is None else last) >= self.since) and (
            self.until is None or first < self.until
        )

    def offsets(self, low: int, high: int) -> tuple[int, int]:
        """The offsets of [low, high) that can lie inside."""
        if self.by != "offset":
            return low, high
        since, until = self.since or 0, high if self.until is None else self.until
        return max(low, since), min(high, until)


def span_of(by: str, since: Bound, until: Bound, timezone: str = "") -> Span:
    """The span of a call; days begin in `timezone`, empty: in UTC. Raises `Stop` saying how."""
    if by not in BY:
        raise Stop(f"by={by!r} isn't known", mend=f"one of {', '.join(BY)}")
    read = _offset if by == "offset" else _moment
    found = Span(by, read(since, timezone), read(until, timezone))
    if found.since is not None and found.until is not None and found.until < found.since:
        raise Stop(f"until ({until}) lies before since ({since})", mend="change them round")
    return found


def _offset(value: Bound, _timezone: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Stop(f"{value!r} is no offset", mend="with by='offset' say whole numbers from 0 on")
    return value


def _moment(value: Bound, timezone: str) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            day = len(value) <= len("2025-01-31")
            value = dt.date.fromisoformat(value) if day else dt.datetime.fromisoformat(value)
        except ValueError:
            raise Stop(f"{str(value)[:40]!r} is no time", mend=_MEND) from None
    if not isinstance(value, dt.date):
        raise Stop(f"{value!r} is no time", mend=f"{_MEND}; numbers are for by='offset'")
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day, tzinfo=ZoneInfo(timezone or "UTC"))
    if value.tzinfo is None:
        if not timezone:
            raise Stop(f"{value} has no zone", mend=f"{_MEND}; or set CROSSTOWN_TIMEZONE")
        value = value.replace(tzinfo=ZoneInfo(timezone))
    return value.astimezone(dt.UTC)
