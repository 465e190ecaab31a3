"""How long something has been as it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


class Since:
    """For each thing what it was when it was last another, and since when. No clock of its own."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[object, float]] = {}

    def seconds(self, now_is: Mapping[K, object], now: float) -> dict[K, float]:
        """For how many seconds each has been as it is; what isn't named is forgotten."""
        self._seen = {
            one: self._seen[one] if self._seen.get(one, (None,))[0] == value else (value, now)
            for one, value in now_is.items()
        }
        return {one: now - self._seen[one][1] for one in now_is}
