"""What the doctor says of one thing that isn't as it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Severity(IntEnum):
    """How much it matters: a note may stay so, a warning can wait until morning."""

    NOTE = 0
    WARNING = 1
    CRITICAL = 2
    """Something can't be taken or told now, or will be lost."""

    @property
    def word(self) -> str:
        """As people and programs read it."""
        return self.name.lower()


EXIT: Final = {Severity.NOTE: 0, Severity.WARNING: 3, Severity.CRITICAL: 5}
OPERATIONS: Final = "operations (who runs this machine)"
KAFKA: Final = "whoever runs the Kafka cluster"
FEW: Final = 4
"""So many names stand in a finding; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: what is wrong, whose it is, why, and what to type, a line each."""

    check: str
    severity: Severity
    what: str
    whose: str
    cause: str
    mend: tuple[str, ...]


def worst(findings: Sequence[Finding]) -> Severity:
    """The greatest severity; a note where there is nothing."""
    return max((one.severity for one in findings), default=Severity.NOTE)


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def asked(agency: str, contacts: Mapping[str, str]) -> str:
    """Whose it is where it's an agency's: its id, and whom to ask there."""
    at = contacts.get(agency, "")
    return f"{agency} ({at})" if at and at != agency else agency


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count:.0f} bytes"


def length(seconds: float) -> str:
    """A length of time as people read it: 95 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
