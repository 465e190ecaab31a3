"""The stories of the sample city: one trouble, four agencies or more, county health among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crosstown.sample import words
from crosstown.sample.city import City
from crosstown.sample.clock import DAY, HOUR, MINUTE, office
from crosstown.sample.record import Act, Record
from crosstown.sample.slips import said_otherwise
from crosstown.sample.troubles import due


def cold_home(city: City, at: int) -> list[Record]:
    """No heat: 311, housing, a boiler without a permit, a nurse, and the tenants' union."""
    dice, where, who = city.dice, city.address(), city.dice.pick(words.PEOPLE)
    sr, hi = city.number("riverton-311"), city.number("riverton-housing")
    bp, ch = city.number("riverton-buildings"), city.number("xx-county-health")
    handed = office(at + HOUR)
    planned = office(handed + 2 * HOUR)
    seen = office(planned + dice.between(DAY, 2 * DAY))
    told = office(seen + DAY)
    filed, visit = office(seen + dice.between(HOUR, 3 * DAY)), office(told + 2 * DAY)
    mended = office(filed + dice.between(4 * DAY, 9 * DAY))
    found = [
        city.file("riverton-311", sr, where, "HEAT", *said_otherwise(dice, [
            Act("NEW", at, due=due("HEAT", at), note=city.note()),
            Act("XFER", handed, to="riverton-housing"),
            Act("DONE", office(mended + DAY), refs=(hi,))]), channel="PHONE"),
        city.file("riverton-housing", hi, where, "H",
            Act("RECEIVED", planned, refs=(sr,), note=who),
            Act("SCHEDULED", planned + HOUR),
            Act("VIOLATION", seen, due=seen + 5 * DAY, note=city.note()),
            Act("REFERRED", seen + HOUR, to="xx-county-health"),
            Act("PASSED", mended)),
        city.file("riverton-buildings", bp, where, "BOILER",
            Act("FILED", filed, refs=(hi,), note=who),
            Act("NO PERMIT", office(filed + DAY), due=filed + 10 * DAY, note=city.note()),
            Act("FINAL", mended - HOUR)),
        city.file("xx-county-health", ch, where, "COLD",
            Act("REFERRAL", told, refs=(hi,), hand=True),
            Act("VISIT", visit, note=city.note()), Act("CLOSED", office(max(mended, visit) + 2 * DAY)),
            channel=who),
        city.file("riverton-tenants", city.number("riverton-tenants"), where, "heat",
            Act("Call", office(at + DAY, 10, 20), refs=(sr,), note=city.note()),
            Act("Carried papers", seen + 6 * HOUR, refs=(hi, ch), hand=True),
            Act("Accompanied", visit), channel=who),
    ]  # fmt: skip
    if dice.chance(0.5):
        frozen = at + dice.between(DAY, 4 * DAY)
        found.append(city.file("riverton-water", city.number("riverton-water"), where, "NOSUP",
            Act("OPN", frozen), Act("RST", frozen + 9 * HOUR), Act("CLS", frozen + DAY),
            channel=who))  # fmt: skip
    return found


def brown_water(city: City, at: int) -> list[Record]:
    """Discolored water: lead is found, the county orders a new pipe, buildings permits it."""
    dice, where, who = city.dice, city.address(), city.dice.pick(words.PEOPLE)
    sr, wo = city.number("riverton-311"), city.number("riverton-water")
    ch, bp = city.number("xx-county-health"), city.number("riverton-buildings")
    opened = at + dice.between(HOUR, 20 * HOUR)
    lab = office(opened + dice.between(8 * DAY, 14 * DAY))
    told = office(lab + 4 * HOUR)
    visit = office(told + dice.between(DAY, 4 * DAY))
    result = office(visit + 3 * DAY)
    filed = office(result + dice.between(DAY, 6 * DAY))
    return [
        city.file("riverton-311", sr, where, "BRNWTR",
            Act("NEW", at, due=due("BRNWTR", at), note=city.note()),
            Act("XFER", at + 30 * MINUTE, to="riverton-water"),
            Act("DONE", office(lab + DAY), refs=(wo,)), channel="WEB"),
        city.file("riverton-water", wo, where, "LEAD", *said_otherwise(dice, [
            Act("OPN", opened, refs=(sr,)), Act("SMP", opened + 5 * HOUR, note=city.note()),
            Act("LAB", lab), Act("REF", lab + HOUR, to="xx-county-health"),
            Act("CLS", office(filed + 15 * DAY))]), channel=who),
        city.file("xx-county-health", ch, where, "LEAD",
            Act("REFERRAL", told, refs=(wo,)),
            Act("VISIT", visit, note=city.note()), Act("SAMPLE", visit + 20 * MINUTE),
            Act("LAB", result),
            Act("ORDER", result + HOUR, due=visit + 20 * DAY),
            Act("CLOSED", office(filed + 12 * DAY)), channel=who),
        city.file("riverton-buildings", bp, where, "PLUMB",
            Act("FILED", filed, refs=(ch,), note=who), Act("ISSUED", office(filed + DAY)),
            Act("OK", office(filed + 8 * DAY)), Act("FINAL", office(filed + 10 * DAY))),
        city.file("riverton-tenants", city.number("riverton-tenants"), where, "water",
            Act("Call", office(at + 2 * DAY, 10, 20), refs=(sr,), note=city.note()),
            Act("Carried papers", visit - DAY, refs=(wo, ch), hand=True), channel=who),
    ]  # fmt: skip


def damp_home(city: City, at: int) -> list[Record]:
    """Mold: the tenants' union knows first, and the offices hear of it one after the other."""
    dice, where, who = city.dice, city.address(), city.dice.pick(words.PEOPLE)
    rtu, hi = city.number("riverton-tenants"), city.number("riverton-housing")
    ch, sr = city.number("xx-county-health"), city.number("riverton-311")
    called = office(at, 10, 20)
    asked = office(called + dice.between(DAY, 3 * DAY))
    received = office(asked + dice.between(HOUR, 2 * DAY))
    seen = office(received + dice.between(2 * DAY, 6 * DAY))
    told = office(seen + DAY)
    visit = office(told + dice.between(DAY, 5 * DAY))
    return [
        city.file("riverton-tenants", rtu, where, "mold",
            Act("Call", called, note=city.note()), Act("Letter", office(called + DAY)),
            Act("Carried papers", told - HOUR, refs=(hi,), hand=True),
            Act("Accompanied", visit, refs=(ch,)),
            Act("Closed", visit + 21 * DAY), channel=who),
        city.file("riverton-311", sr, where, "MOLD",
            Act("NEW", asked, due=due("MOLD", asked), refs=(rtu,), note=city.note()),
            Act("XFER", asked + 2 * HOUR, to="riverton-housing"),
            Act("PEND", office(seen + DAY)), Act("DONE", office(visit + 8 * DAY)), channel="APP"),
        city.file("riverton-housing", hi, where, "M",
            Act("RECEIVED", received, refs=(sr, rtu), note=who),
            Act("VIOLATION", seen, due=seen + 14 * DAY, note=city.note()),
            Act("REFERRED", seen + HOUR, to="xx-county-health"),
            Act("PASSED" if dice.chance(0.7) else "VIOLATION", office(seen + 16 * DAY))),
        city.file("xx-county-health", ch, where, "MOLD", *said_otherwise(dice, [
            Act("REFERRAL", told, refs=(hi,)),
            Act("SCHEDULED", told + HOUR), Act("VISIT", visit, note=city.note()),
            Act("ORDER", visit + 2 * HOUR, due=visit + 14 * DAY)]), channel=who),
    ]  # fmt: skip


def empty_house(city: City, at: int) -> list[Record]:
    """A vacant building: police, 311, buildings and, because of the rats, county health."""
    dice, where = city.dice, city.address()
    sr, bp = city.number("riverton-311"), city.number("riverton-buildings")
    inc = city.number("riverton-police")
    told = at + dice.between(DAY, 5 * DAY)
    filed = office(told + dice.between(HOUR, 2 * DAY))
    seen = office(filed + dice.between(DAY, 4 * DAY))
    again = seen + dice.between(2 * DAY, 8 * DAY)
    heard = office(again + DAY)
    return [
        city.file("riverton-police", inc, where, "TRESP",
            Act("RCVD", at, note=city.note()), Act("DISP", at + 20 * MINUTE),
            Act("REPORT", at + HOUR, note=city.note())),
        city.file("riverton-311", sr, where, "UNSAFE", *said_otherwise(dice, [
            Act("NEW", told, due=due("UNSAFE", told), note=city.note()),
            Act("XFER", office(told + HOUR), to="riverton-buildings"),
            Act("DONE", office(seen + 2 * DAY), refs=(bp,))]), channel="APP"),
        city.file("riverton-buildings", bp, where, "VACANT",
            Act("FILED", filed, refs=(sr, inc)),
            Act("UNSAFE", seen, due=seen + 21 * DAY, note=city.note()),
            *([Act("FINAL", office(seen + 25 * DAY))] if dice.chance(0.6) else [])),
        city.file("riverton-police", city.number("riverton-police"), where, "TRESP",
            Act("RCVD", again, refs=(bp,)), Act("DISP", again + 15 * MINUTE),
            Act("REFERRED", again + HOUR, to="xx-county-health", note=city.note())),
        city.file("xx-county-health", city.number("xx-county-health"), where, "VERMIN",
            Act("REFERRAL", heard, refs=(bp,), hand=True),
            Act("VISIT", office(heard + 2 * DAY), note=city.note()),
            Act("ORDER", office(heard + 2 * DAY) + HOUR, due=again + 18 * DAY)),
    ]  # fmt: skip


def loud_site(city: City, at: int) -> list[Record]:
    """Work at night and without a permit: noise first, then the dust and what is in it."""
    dice, where, who = city.dice, city.address(), city.dice.pick(words.PEOPLE)
    inc, sr = city.number("riverton-police"), city.number("riverton-311")
    bp, ch = city.number("riverton-buildings"), city.number("xx-county-health")
    told = office(at + 6 * HOUR)
    stopped = office(told + dice.between(DAY, 3 * DAY))
    heard = office(stopped + 4 * HOUR)
    visit = office(heard + dice.between(DAY, 5 * DAY))
    return [
        city.file("riverton-police", inc, where, "NOISE",
            Act("RCVD", at, note=who), Act("DISP", at + 12 * MINUTE),
            Act("REFERRED", at + HOUR, to="riverton-buildings", note=city.note())),
        city.file("riverton-311", sr, where, "NOISE",
            Act("NEW", told, due=due("NOISE", told), refs=(inc,), note=city.note()),
            Act("XFER", told + HOUR, to="riverton-buildings"),
            Act("DONE", office(stopped + 3 * DAY)), channel="PHONE"),
        city.file("riverton-buildings", bp, where, "STRUCT",
            Act("FILED", told + 30 * MINUTE, refs=(inc, sr), note=who),
            Act("STOP WORK", stopped, due=stopped + 14 * DAY, note=city.note())),
        city.file("xx-county-health", ch, where, "LEAD", *said_otherwise(dice, [
            Act("REFERRAL", heard, refs=(bp,)),
            Act("VISIT", visit, note=city.note()), Act("SAMPLE", visit + 15 * MINUTE),
            Act("LAB", office(visit + 4 * DAY)), Act("CLOSED", office(visit + 7 * DAY))]),
            channel=who),
        city.file("riverton-housing", city.number("riverton-housing"), where, "S",
            Act("RECEIVED", heard + HOUR, refs=(bp,), note=who),
            Act("PASSED" if dice.chance(0.5) else "VIOLATION", office(visit + DAY))),
    ]  # fmt: skip


STORIES: Final[tuple[Callable[[City, int], list[Record]], ...]] = (
    cold_home, cold_home, brown_water, damp_home, empty_house, loud_site,
)  # fmt: skip
