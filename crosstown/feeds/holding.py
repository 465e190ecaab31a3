"""Which agreements hold at a moment, by what their parties have said up to then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Standing, Word, standing


class Holding:
    """The agreements of a repository and all that was said of them."""

    def __init__(self, agreements: Iterable[Agreement]) -> None:
        self.agreements = {one.id: one for one in agreements}
        self._words: defaultdict[str, list[Word]] = defaultdict(list)

    def hear(self, words: Iterable[Word]) -> None:
        """Take in what was said, in any order."""
        for word in words:
            self._words[word.agreement].append(word)

    def standing(self, agreement: str, now: int) -> Standing:
        """Where one stands at `now`, microseconds UTC."""
        return standing(self.agreements[agreement], self._words[agreement], now)

    def standings(self, now: int) -> dict[str, Standing]:
        """Where all stand at `now`."""
        return {name: self.standing(name, now) for name in self.agreements}

    def in_force(self, now: int) -> list[Agreement]:
        """Those that hold at `now`."""
        return [one for name, one in self.agreements.items() if self.standing(name, now).holds]
