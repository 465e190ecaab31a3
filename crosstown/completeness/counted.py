"""What a source counted, as it is said: an event under `any/counts`, and what is kept of it.

A count passes intake like any other event, so nobody counts for another agency, and it survives as
long as its events do. It is of no case: its type begins with `source.`, which the join passes over.
Pure. Source of the rules: docs/decisions/0027.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

CONTRACT: Final = "any/counts"
ASIDE: Final = "source."
"""The beginning of the types that are in no case; intake lets no other contract use it."""
COUNTED: Final = "source.counted"
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()
NAMED: Final = 100
"""So many records are named of each kind; the figures count all."""
Unit = Literal["rows", "events", "records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many there are of one contract and day, by the source's own word.

    `read` to `rejects` are what a call of ours found in the export; None where nobody read one.
    """

    agency: str
    contract: str
    day: str
    counted: int
    how: str
    unit: Unit = "rows"
    file: str = ""
    read: int | None = None
    rejected: int | None = None
    said: int | None = None
    known: int | None = None
    refused: str = ""
    missing: Sequence[str] = field(default_factory=tuple)
    unlisted: Sequence[str] = field(default_factory=tuple)
    rejects: Sequence[str] = field(default_factory=tuple)

    @property
    def record(self) -> str:
        """Its own name: another count of the same export on the same day takes its place."""
        what = sha256(f"{self.contract}\n{self.file}\n{self.unit}".encode()).hexdigest()[:16]
        return f"{self.agency}/count/{self.day}.{what}"

    def body(self, jurisdiction: str, now: int) -> dict[str, Any]:
        """The fields of `any/counts`; `now` is microseconds UTC."""
        return {
            "agency": self.agency, "record": self.record, "occurred_at": now,
            "jurisdiction": jurisdiction, "contract": self.contract, "day": dt.date.fromisoformat(self.day).toordinal() - _EPOCH,
            "unit": self.unit, "counted": self.counted, "how": self.how, "file": self.file,
            "read": self.read, "rejected": self.rejected, "said": self.said, "known": self.known,
            "refused": self.refused, "missing": list(self.missing[:NAMED]),
            "unlisted": list(self.unlisted[:NAMED]), "rejects": list(self.rejects[:NAMED]),
        }  # fmt: skip


def count_of(agency: str, body: Mapping[str, Any]) -> Count | None:
    """The count in an opened body of `any/counts` (its day a date), said by `agency`.

    None where it is about another agency's contract: nobody counts for others.
    """
    owner = str(body["contract"]).partition("/")[0]
    if owner not in (agency, "any"):
        return None
    return Count(
        agency=agency, contract=body["contract"], day=body["day"].isoformat(), counted=body["counted"],
        how=body["how"], unit=body["unit"], file=body["file"], read=body["read"],
        rejected=body["rejected"], said=body["said"], known=body["known"], refused=body["refused"],
        missing=tuple(body["missing"]), unlisted=tuple(body["unlisted"]),
        rejects=tuple(body["rejects"]),
    )  # fmt: skip
