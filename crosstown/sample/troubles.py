"""What happens in the sample city on any day: one agency's records, and pairs that meet.

Every function takes the city and the time at which the trouble begins, and gives its records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crosstown.sample import words
from crosstown.sample.city import City
from crosstown.sample.clock import DAY, HOUR, MINUTE, office
from crosstown.sample.record import Act, Record
from crosstown.sample.slips import said_otherwise
from crosstown.sample.towns import NEIGHBOURS

_STREET_TOPICS: Final = (
    "POTHL", "POTHL", "LIGHT", "SIGN", "TRASH", "TRASH", "HEAT", "LEAK", "PESTS", "UNSAFE",
)  # fmt: skip
_DAYS_ALLOWED: Final = {"HEAT": 1, "LEAK": 2, "NOWTR": 1, "UNSAFE": 2, "BRNWTR": 3}
_HOME_TOPICS: Final = (("HEAT", "H"), ("MOLD", "M"), ("LEAK", "L"), ("PESTS", "P"), ("HEAT", "H"))
_HEALTH_TOPICS: Final = ("FOOD", "FOOD", "VERMIN", "LEAD", "COLD")


def due(topic: str, at: int) -> int:
    """When the 311 has promised to be done with a request."""
    return at + _DAYS_ALLOWED.get(topic, 5) * DAY


def plain_request(city: City, at: int) -> list[Record]:
    """A 311 request that the city deals with; some wait, some come back, some stay open."""
    dice, agency = city.dice, "riverton-311"
    topic, number = dice.pick(_STREET_TOPICS), city.number(agency)
    refs: tuple[str, ...] = ()
    if dice.chance(0.03):
        refs = (city.never_given("riverton-housing"),) if dice.chance(0.6) else (
            city.last(dice.pick(NEIGHBOURS).agency),)  # fmt: skip
    acts = [Act("NEW", at, due=due(topic, at), refs=refs, note=city.note())]
    then = office(at + dice.between(HOUR, 8 * HOUR))
    acts.append(Act("ASGN", then))
    if dice.chance(0.5):
        then = office(then + dice.between(HOUR, 2 * DAY))
        acts.append(Act("WORK", then))
    if dice.chance(0.1):
        then += dice.between(HOUR, DAY)
        acts.append(Act("PEND", then))
    if dice.chance(0.85):
        then = office(then + dice.between(2 * HOUR, 6 * DAY))
        acts.append(Act("DONE", then, note=city.note() if dice.chance(0.2) else ""))
        if dice.chance(0.04):
            then += dice.between(HOUR, 5 * DAY)
            acts += [Act("OPEN2", then), Act("DONE", office(then + dice.between(DAY, 4 * DAY)))]
    return [city.file(agency, number, city.address(), topic, *said_otherwise(dice, acts),
                      channel=dice.pick(words.SOURCES_311))]  # fmt: skip


def home_request(city: City, at: int) -> list[Record]:
    """A tenant calls the 311, which hands it to housing; now and then nobody picks it up."""
    dice, where = city.dice, city.address()
    topic, complaint = dice.pick(_HOME_TOPICS)
    sr = city.number("riverton-311")
    handed = office(at + dice.between(30 * MINUTE, 6 * HOUR))
    acts = [
        Act("NEW", at, due=due(topic, at), note=city.note()),
        Act("XFER", handed, to="riverton-housing"),
    ]
    if dice.chance(0.15):
        return [city.file("riverton-311", sr, where, topic, *acts, channel="PHONE")]
    hi = city.number("riverton-housing")
    late = dice.chance(0.1)
    received = office(
        handed + (dice.between(4 * DAY, 9 * DAY) if late else dice.between(HOUR, DAY))
    )
    planned = office(received + dice.between(HOUR, DAY))
    seen = office(planned + dice.between(DAY, 4 * DAY))
    named = (sr,) if dice.chance(0.8) else ()
    steps = [
        Act("RECEIVED", received, refs=named, note=dice.pick(words.PEOPLE)),
        Act("SCHEDULED", planned),
    ]
    end = seen
    if dice.chance(0.55):
        steps.append(Act("VIOLATION", seen, due=seen + 7 * DAY, note=city.note()))
        if dice.chance(0.8):
            end = office(seen + dice.between(5 * DAY, 14 * DAY))
            steps.append(Act("PASSED" if dice.chance(0.8) else "NO ACCESS", end))
    else:
        steps.append(Act("PASSED" if dice.chance(0.7) else "NO ACCESS", seen))
    if dice.chance(0.8):
        acts.append(Act("DONE", office(end + dice.between(HOUR, 2 * DAY)),
                        refs=(hi,) if dice.chance(0.6) else ()))  # fmt: skip
    return [
        city.file("riverton-311", sr, where, topic, *said_otherwise(dice, acts), channel="PHONE"),
        city.file("riverton-housing", hi, where, complaint, *steps),
    ]


def water_request(city: City, at: int) -> list[Record]:
    """Discolored or no water: the 311 hands it to the water authority, another body."""
    dice, where = city.dice, city.address()
    topic, problem = ("BRNWTR", "DISCOL") if dice.chance(0.5) else ("NOWTR", "NOSUP")
    sr, wo = city.number("riverton-311"), city.number("riverton-water")
    handed = at + dice.between(20 * MINUTE, 5 * HOUR)
    opened = handed + dice.between(20 * MINUTE, 20 * HOUR)
    sent = opened + dice.between(HOUR, 10 * HOUR)
    closed = sent + dice.between(2 * HOUR, 3 * DAY)
    order = [
        Act("OPN", opened, refs=(sr,)),
        Act("DSP", sent, note=city.note()),
        Act("RST" if problem == "NOSUP" else "SMP", closed - HOUR),
        Act("CLS", closed),
    ]
    acts = [Act("NEW", at, due=due(topic, at), note=city.note()),
            Act("XFER", handed, to="riverton-water"),
            Act("DONE", office(closed + dice.between(0, DAY)), refs=(wo,))]  # fmt: skip
    return [
        city.file("riverton-311", sr, where, topic, *acts, channel=dice.pick(words.SOURCES_311)),
        city.file("riverton-water", wo, where, problem, *said_otherwise(dice, order),
                  channel=dice.pick(words.PEOPLE)),
    ]  # fmt: skip


def water_order(city: City, at: int) -> list[Record]:
    """A main breaks, or a bill isn't paid; often the 311 hears of the hole in the street."""
    dice, where = city.dice, city.address()
    if dice.chance(0.4):
        shut = office(at + 20 * DAY)
        paid = office(shut + dice.between(DAY, 5 * DAY))
        acts = [Act("OPN", at), Act("SHO", shut, note=city.note()), Act("RST", paid),
                Act("CLS", paid + DAY)]  # fmt: skip
        return [city.file("riverton-water", city.number("riverton-water"), where, "SHUT",
                          *said_otherwise(dice, acts), channel=dice.pick(words.PEOPLE)),
        ]  # fmt: skip
    sent = at + dice.between(20 * MINUTE, 4 * HOUR)
    acts = [Act("OPN", at), Act("DSP", sent), Act("CLS", sent + dice.between(3 * HOUR, 2 * DAY))]
    found = [city.file("riverton-water", city.number("riverton-water"), where, "MAIN",
                       *said_otherwise(dice, acts))]  # fmt: skip
    if dice.chance(0.4):
        seen = at + dice.between(0, 6 * DAY)
        found.append(city.file(
            "riverton-311", city.number("riverton-311"), where, "POTHL",
            Act("NEW", seen, due=due("POTHL", seen), note=city.note()),
            Act("DONE", office(seen + dice.between(DAY, 8 * DAY))), channel="APP"))  # fmt: skip
    return found


def noise(city: City, at: int) -> list[Record]:
    """A loud night: the police hear of it, and sometimes the 311 the next morning."""
    dice, where = city.dice, city.address()
    sent = at + dice.between(5 * MINUTE, 50 * MINUTE)
    found = [city.file(
        "riverton-police", city.number("riverton-police"), where, "NOISE",
        Act("RCVD", at, note=dice.pick(words.PEOPLE)), Act("DISP", sent),
        Act("ADVISED" if dice.chance(0.6) else "GONE", sent + dice.between(10 * MINUTE, HOUR),
            note=city.note()))]  # fmt: skip
    if dice.chance(0.3):
        morning = office(at)
        found.append(city.file(
            "riverton-311", city.number("riverton-311"), where, "NOISE",
            Act("NEW", morning, due=due("NOISE", morning), note=city.note()),
            Act("XFER", morning + HOUR, to="riverton-police"),
            Act("DONE", office(morning + DAY)), channel="WEB"))  # fmt: skip
    return found


def police_call(city: City, at: int) -> list[Record]:
    """Trespass, parking, a welfare check, a quarrel about a lease."""
    dice = city.dice
    sent = at + dice.between(5 * MINUTE, 90 * MINUTE)
    topic = dice.pick(("TRESP", "PARK", "WELCK", "DISPUTE"))
    acts = [Act("RCVD", at, note=dice.pick(words.PEOPLE)), Act("DISP", sent),
            Act("REPORT", sent + dice.between(15 * MINUTE, 2 * HOUR), note=city.note()),
    ]  # fmt: skip
    return [
        city.file("riverton-police", city.number("riverton-police"), city.address(), topic, *acts)
    ]


def permit(city: City, at: int) -> list[Record]:
    """Somebody builds, with a permit."""
    dice, filed = city.dice, office(at)
    issued = office(filed + dice.between(2 * DAY, 20 * DAY))
    acts = [Act("FILED", filed, note=dice.pick(words.PEOPLE)), Act("ISSUED", issued)]
    if dice.chance(0.7):
        visited = office(issued + dice.between(5 * DAY, 30 * DAY))
        acts.append(Act("OK", visited))
        acts.append(Act("FINAL", office(visited + dice.between(DAY, 10 * DAY))))
    topic = dice.pick(("BOILER", "PLUMB", "ELEC", "STRUCT", "DEMO", "SIDEWK"))
    return [city.file("riverton-buildings", city.number("riverton-buildings"), city.address(),
                      topic, *acts)]  # fmt: skip


def health_visit(city: City, at: int) -> list[Record]:
    """County health comes to Riverton on its own account."""
    dice, referred = city.dice, office(at)
    visited = office(referred + dice.between(DAY, 9 * DAY))
    acts = [Act("REFERRAL", referred), Act("SCHEDULED", referred + 2 * HOUR),
            Act("VISIT", visited, note=city.note()),
            Act("CLOSED", office(visited + dice.between(DAY, 12 * DAY)))]  # fmt: skip
    return [city.file("xx-county-health", city.number("xx-county-health"), city.address(),
                      dice.pick(_HEALTH_TOPICS), *said_otherwise(dice, acts),
                      channel=dice.pick(words.PEOPLE))]  # fmt: skip


def tenant_contact(city: City, at: int) -> list[Record]:
    """A tenant comes to the tenants' union; some of its papers are carried to an office by hand."""
    dice, called = city.dice, office(at, 10, 20)
    acts = [Act("Call", called, note=city.note())]
    if dice.chance(0.5):
        acts.append(Act("Letter", office(called + dice.between(DAY, 5 * DAY))))
    if dice.chance(0.3):
        refs = (city.last("riverton-housing"),) if dice.chance(0.3) else ()
        acts.append(Act("Carried papers", acts[-1].at + 2 * HOUR, hand=True, refs=refs))
    return [city.file("riverton-tenants", city.number("riverton-tenants"), city.address(),
                      dice.pick(("heat", "mold", "leak", "repairs")), *said_otherwise(dice, acts),
                      channel=dice.pick(words.PEOPLE))]  # fmt: skip


def next_town(city: City, at: int) -> list[Record]:
    """A neighbour's own 311, and the two bodies that work in all four towns."""
    dice = city.dice
    town = dice.pick(NEIGHBOURS)
    where, number = city.address(town), city.number(town.agency)
    kind = dice.below(4)
    topic = ("POTHL", "BRNWTR", "MOLD", "TRASH")[kind]
    refs = (city.last("riverton-311"),) if dice.chance(0.06) else ()
    acts = [Act("NEW", at, refs=refs, note=city.note())]
    if dice.chance(0.8):
        acts.append(Act("DONE", office(at + dice.between(DAY, 9 * DAY))))
    found = [city.file(town.agency, number, where, topic, *acts, town=town)]
    then = at + dice.between(2 * HOUR, 2 * DAY)
    if kind == 1:
        order = [
            Act("OPN", then, refs=(number,)),
            Act("SMP", then + DAY),
            Act("CLS", then + 4 * DAY),
        ]
        found.append(city.file("riverton-water", city.number("riverton-water"), where, "DISCOL",
                               *order, town=town, channel=dice.pick(words.PEOPLE)))  # fmt: skip
    if kind == 2 or (kind == 1 and dice.chance(0.5)):
        referred = office(then + DAY)
        visit = [Act("REFERRAL", referred, refs=(number,), hand=dice.chance(0.3)),
                 Act("VISIT", office(referred + 2 * DAY), note=city.note()),
                 Act("CLOSED", office(referred + 6 * DAY))]  # fmt: skip
        found.append(city.file("xx-county-health", city.number("xx-county-health"), where,
                               "MOLD" if kind == 2 else "LEAD", *visit, town=town,
                               channel=dice.pick(words.PEOPLE)))  # fmt: skip
    return found


EVERYDAY: Final[tuple[Callable[[City, int], list[Record]], ...]] = (
    *(plain_request,) * 9, *(home_request,) * 5, *(water_request,) * 3, *(water_order,) * 2,
    *(noise,) * 4, *(police_call,) * 3, *(permit,) * 4, *(health_visit,) * 2,
    *(tenant_contact,) * 2, *(next_town,) * 6,
)  # fmt: skip
"""Each as often as it happens."""
