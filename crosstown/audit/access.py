"""Whom what goes out is reported to before it does: the log of who got what, as those see it who deliver. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """At most `count` messages, numbers `first` to `last` of a feed, are about to go to `agency`."""

    agency: str
    agreement: str
    purpose: str
    way: str
    first: int
    last: int
    count: int


class Access(Protocol):
    """The access log; the real one is `log.AccessLog`."""

    def append(
        self, *, agency: str, agreement: str, purpose: str, way: str, first: int, last: int,
        count: int,
    ) -> None:  # fmt: skip
        """Return once it is written for good; `Unavailable` or `Refused` where not: then nothing goes out."""


@dataclass(slots=True)
class Remembered:
    """The same in memory."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def append(self, **said: Any) -> None:
        """Remember an entry."""
        self.entries.append(said)
