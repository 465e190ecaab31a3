"""What an answer to a webhook means, and when to call again. Pure."""

from __future__ import annotations

from typing import Final, Literal

Verdict = Literal["taken", "refuses", "again", "gone"]
FIRST: Final = 1.0
"""Seconds before the second try; each further wait is twice as long ..."""
LONGEST: Final = 3_600.0
"""... up to an hour."""
REFUSALS: Final = 5
"""A message that a receiver refuses so often by itself is set aside."""
IN_A_ROW: Final = 3
"""So many messages in a row may be set aside; then the receiver is at fault, and nothing is skipped."""
_REFUSES: Final = frozenset((400, 413, 415, 422))


def verdict(status: int) -> Verdict:
    """What a status says: taken (2xx), it refuses this very message, gone for good (410), or try again.

    A redirect isn't followed: whoever moved says the new address in the agreement.
    """
    if 200 <= status < 300:
        return "taken"
    if status == 410:
        return "gone"
    return "refuses" if status in _REFUSES else "again"


def wait(failures: int, retry_after: str, chance: float) -> float:
    """Seconds before the next try after so many failures in a row.

    `chance` from 0 to 1 spreads it over 0.75 to 1.25 of itself, so that many don't come at once; what
    the receiver asked for in seconds (Retry-After) is the least.
    """
    usual: float = min(LONGEST, FIRST * 2.0 ** min(max(failures - 1, 0), 20))
    asked = min(LONGEST, float(retry_after[:6])) if retry_after.isdecimal() else 0.0
    return max(asked, usual * (0.75 + chance / 2))
