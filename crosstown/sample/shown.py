"""The story that the demo shows: a cold January at 48 Harbor Street, told by six agencies.

Its address is in no street list, so that nothing else ever joins it, whatever the seed.
"""

from __future__ import annotations

from typing import Final

from crosstown.sample.city import City
from crosstown.sample.clock import DAY, HOUR, MINUTE
from crosstown.sample.record import Act, Record
from crosstown.sample.towns import RIVERTON, Address

_MONDAY: Final = 1_736_748_000  # 2025-01-13 00:00 in Riverton
_WHERE: Final = Address(48, "Harbor", "Street", "Riverside", "Apt 3")


def _at(day: int, hour: int, minute: int) -> int:
    return _MONDAY + day * DAY + hour * HOUR + minute * MINUTE


def shown_story(city: City) -> list[Record]:
    """Sixteen events of six agencies: two hand-offs, papers carried by hand, a frozen pipe."""
    sr, hi = city.number("riverton-311"), city.number("riverton-housing")
    ch, bp = city.number("xx-county-health"), city.number("riverton-buildings")
    who = "Linh Tran"
    return [
        Record("riverton-311", sr, RIVERTON, _WHERE, "HEAT", (
            Act("NEW", _at(0, 7, 42), due=_at(1, 7, 42),
                note=f"{who} 555-0142 no heat since Sunday, two small children in the home"),
            Act("XFER", _at(0, 9, 10), to="riverton-housing"),
            Act("DONE", _at(10, 16, 5), refs=(hi,))), "PHONE"),
        Record("riverton-housing", hi, RIVERTON, _WHERE, "H", (
            Act("RECEIVED", _at(0, 10, 5), refs=(sr,), note=who),
            Act("VIOLATION", _at(1, 13, 20), due=_at(8, 17, 0), note="49 F indoors, boiler off"),
            Act("REFERRED", _at(1, 16, 0), to="xx-county-health"),
            Act("PASSED", _at(10, 10, 30))), ""),
        Record("riverton-tenants", city.number("riverton-tenants"), RIVERTON, _WHERE, "heat", (
            Act("Carried papers", _at(3, 9, 15), refs=(hi, ch), hand=True,
                note="took the inspection report to the county by bus"),
            Act("Closed", _at(11, 18, 20))), who),
        Record("xx-county-health", ch, RIVERTON, _WHERE, "COLD", (
            Act("REFERRAL", _at(3, 10, 0), refs=(hi,), hand=True),
            Act("VISIT", _at(4, 14, 0), note="younger child has a cough"),
            Act("CLOSED", _at(11, 9, 40))), who),
        Record("riverton-buildings", bp, RIVERTON, _WHERE, "BOILER", (
            Act("FILED", _at(4, 11, 0), refs=(hi,), note="Harbor Holdings LLC"),
            Act("FINAL", _at(9, 15, 15))), ""),
        Record("riverton-water", city.number("riverton-water"), RIVERTON, _WHERE, "NOSUP", (
            Act("OPN", _at(5, 6, 20)), Act("RST", _at(5, 15, 45), note="frozen pipe thawed")), who),
    ]  # fmt: skip
