"""Where in its topic each number of a feed lies. Pure.

Numbers have no gap and grow with the offsets, but offsets have gaps: a transaction's end takes one.
So what is known of one number bounds where all others lie.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 10_000
"""Places that are remembered; above it every other one is forgotten."""


@dataclass(slots=True)
class Places:
    """What is known of where numbers lie, in one feed."""

    _known: list[tuple[int, int]] = field(default_factory=list)

    def learn(self, number: int, offset: int) -> None:
        """A number was seen at an offset."""
        at = bisect_left(self._known, (number, 0))
        if at < len(self._known) and self._known[at][0] == number:
            self._known[at] = (number, offset)
            return
        insort(self._known, (number, offset))
        if len(self._known) > MOST:
            self._known = self._known[::2]

    def between(self, number: int, low: int, high: int) -> tuple[int, int]:
        """The first and the last offset at which a number can lie, if at all; `low`, `high` bound it.

        `low` is the first offset that is kept, `high` the one behind the last.
        """
        at = bisect_left(self._known, (number, 0))
        if at < len(self._known):
            later, offset = self._known[at]
            high = min(high, offset - (later - number))
        if at:
            earlier, offset = self._known[at - 1]
            low = max(low, offset + (number - earlier))
        return low, max(low, high)

    def forget(self) -> None:
        """The topic was made anew."""
        self._known.clear()
