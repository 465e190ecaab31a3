"""The four towns of the sample county, their streets, and what can be wrong at an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crosstown.sample.dice import Dice

_RIVERTON_STREETS: Final = (
    "Alder", "Ash", "Aspen", "Baker", "Bayview", "Beech", "Birch", "Bluff", "Bridge", "Canal",
    "Cedar", "Chapel", "Cherry", "Chestnut", "Church", "Clay", "Cooper", "Cottonwood", "Court",
    "Depot", "Dewey", "Elm", "Farwell", "Ferry", "Foundry", "Franklin", "Garfield", "Grove",
    "Hickory", "Hill", "Jackson", "Juniper", "Lake", "Laurel", "Levee", "Lincoln", "Linden",
    "Locust", "Main", "Maple", "Market", "Mason", "Mill", "Mulberry", "Oak", "Orchard", "Park",
    "Pearl", "Pine", "Poplar", "Prospect", "Quarry", "River", "School", "Spring", "Spruce",
    "Summit", "Sycamore", "Union", "Walnut", "Water", "Willow",
)  # fmt: skip
_SMALL_TOWN_STREETS: Final = (
    "Adams", "Center", "Church", "Elm", "First", "High", "Main", "Maple", "Mill", "North",
    "Oak", "Second", "South", "State", "Third", "Washington",
)  # fmt: skip
_KINDS: Final = ("Street", "Avenue", "Street", "Road", "Street", "Place")


@dataclass(frozen=True, slots=True)
class Town:
    """A municipality: `prefix` begins its 311 numbers, `code` is the water utility's."""

    id: str
    name: str
    agency: str
    prefix: str
    code: str
    streets: tuple[str, ...]
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """A house; `kind` is Street, Avenue, Road or Place."""

    house: int
    street: str
    kind: str
    area: str
    unit: str = ""


RIVERTON: Final = Town(
    "us-xx-riverton", "Riverton", "riverton-311", "SR", "RIV", _RIVERTON_STREETS,
    ("Old Town", "Riverside", "Northgate", "The Flats", "Hillcrest"),
)  # fmt: skip
NEIGHBOURS: Final = (
    Town("us-xx-eastvale", "Eastvale", "eastvale-311", "ES", "EAS", _SMALL_TOWN_STREETS,
         ("East", "West")),
    Town("us-xx-millbrook", "Millbrook", "millbrook-311", "MS", "MIL", _SMALL_TOWN_STREETS,
         ("Center", "Mill End")),
    Town("us-xx-fairhaven", "Fairhaven", "fairhaven-311", "FS", "FAI", _SMALL_TOWN_STREETS,
         ("Harbor", "Uptown")),
)  # fmt: skip


def address(dice: Dice, town: Town, houses: int) -> Address:
    """Some house in town, on a street of `houses` houses; a street is of one kind and area."""
    which = dice.below(len(town.streets))
    unit = f"Apt {1 + dice.below(9)}" if dice.chance(0.2) else ""
    return Address(
        1 + dice.below(houses), town.streets[which], _KINDS[which % 6],
        town.areas[which % len(town.areas)], unit,
    )  # fmt: skip
