"""Whom what goes out is reported to before it does: the log of who got what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


class Access(Protocol):
    """The access log, as those see it who deliver."""

    def append(
        self, *, agency: str, agreement: str, purpose: str, way: str, first: int, last: int,
        count: int,
    ) -> None:  # fmt: skip
        """Write down that an agency gets at most these numbers; raises `Unavailable`: don't deliver."""


@dataclass(slots=True)
class Remembered:
    """The same in memory."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def append(self, **said: Any) -> None:
        """Remember an entry."""
        self.entries.append(said)
