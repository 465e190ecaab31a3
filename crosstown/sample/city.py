"""The sample city's registers: who has given out which number, and where things happen."""

from __future__ import annotations

from typing import Final

from crosstown.sample import words
from crosstown.sample.clock import DAY, END
from crosstown.sample.dice import Dice
from crosstown.sample.record import Act, Record
from crosstown.sample.towns import NEIGHBOURS, RIVERTON, Address, Town, address

_FIRST: Final = {
    "riverton-311": ("SR", 1_400_000), "riverton-housing": ("HI", 20_000),
    "riverton-buildings": ("BP", 70_000), "riverton-police": ("INC", 310_000),
    "riverton-water": ("WO", 880_000), "xx-county-health": ("CH", 50_000),
    "riverton-tenants": ("RTU", 1_200),
    **{town.agency: (town.prefix, 200_000) for town in NEIGHBOURS},
}  # fmt: skip

_WORN: Final = 0.04
"""How likely a trouble is at one of the worn buildings, where more than one thing goes wrong."""


class City:
    """Throws, numbers and addresses of one run; `houses` is how long a street of Riverton is."""

    def __init__(self, seed: int, events: int) -> None:
        self.dice = Dice(seed)
        self.houses = max(40, events // 190)
        self._given = {agency: first for agency, (_, first) in _FIRST.items()}
        self._worn = [
            address(self.dice, RIVERTON, self.houses)
            for _ in range(min(4_000, max(30, events // 250)))
        ]

    def number(self, agency: str) -> str:
        """The agency's next number."""
        self._given[agency] += 1
        return f"{_FIRST[agency][0]}-{self._given[agency]}"

    def never_given(self, agency: str) -> str:
        """A number that looks right and that the agency has never given out."""
        return f"{_FIRST[agency][0]}-9{self._given[agency]}"

    def last(self, agency: str) -> str:
        """The number that the agency gave out last."""
        return f"{_FIRST[agency][0]}-{self._given[agency]}"

    def address(self, town: Town = RIVERTON) -> Address:
        """Somewhere in town."""
        if town is not RIVERTON:
            return address(self.dice, town, self.houses // 3)
        if self.dice.chance(_WORN):
            return self.dice.pick(self._worn)
        return address(self.dice, town, self.houses)

    def note(self) -> str:
        """Free text as clerks write it: with a name and a telephone number."""
        dice = self.dice
        return f"{dice.pick(words.PEOPLE)} 555-01{dice.below(90) + 10} {dice.pick(words.REMARKS)}"

    def file(
        self,
        agency: str,
        number: str,
        where: Address,
        topic: str,
        *acts: Act,
        town: Town = RIVERTON,
        channel: str = "",
    ) -> Record:
        """A record, without what happened after the last export."""
        if acts[-1].at >= END - DAY:
            acts = tuple(act for act in acts if act.at < END)
        return Record(agency, number, town, where, topic, acts, channel)
