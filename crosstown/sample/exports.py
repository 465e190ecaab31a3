"""How each agency's old system writes its records into a CSV export: columns, codes, time formats.

`rows` gives a record's rows with the file that each goes to. Some systems write
a line for each step, some one wide row a record; the 311 and the water utility dump twice, with a
week in both dumps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from crosstown.sample import words
from crosstown.sample.clock import (
    DAY,
    HOUR,
    MINUTE,
    compact,
    day_month,
    dispatch,
    iso_local,
    iso_utc,
    iso_zone,
    offset,
    spreadsheet,
    us_am_pm,
)  # fmt: skip
from crosstown.sample.columns import FILES
from crosstown.sample.record import Act, Record
from crosstown.sample.towns import NEIGHBOURS, Address

Row = tuple[str, list[str]]
"""A file's name and the cells of one row in it."""

_SECOND_DUMP: Final = 1_735_711_200  # 2025-01-01 00:00 in Riverton

_SHORT: Final = {"Street": "St", "Avenue": "Ave", "Road": "Rd", "Place": "Pl"}


def _plain(a: Address) -> str:
    return f"{a.house} {a.street} {a.kind}"


def _shouting(a: Address) -> str:
    unit = f", {a.unit.upper()}" if a.unit else ""
    return f"{a.house} {a.street.upper()} {_SHORT[a.kind].upper()}{unit}"


def _dotted(a: Address) -> str:
    return f"{a.house} {a.street} {_SHORT[a.kind]}. {a.unit}".rstrip()


def _night_after(at: int, hour: int) -> int:
    """The first `hour` o'clock of a night after `at`, when a nightly extract runs."""
    local = at + offset(at)
    return (local // DAY + 1) * DAY + hour * HOUR - offset(at)


def _dumped(name: str, said: int, row: list[str]) -> Iterator[Row]:
    if said < _SECOND_DUMP:
        yield f"{name}-2024.csv", row
    if said >= _SECOND_DUMP - 7 * DAY:
        yield f"{name}-2025.csv", row


def _numbered(record: Record) -> Iterator[tuple[str, Act]]:
    line = 0
    for act in record.acts:
        line += not act.again
        yield str(line), act


def _three_one_one(r: Record) -> Iterator[Row]:
    topic, address = words.TOPICS_311[r.topic], _plain(r.address)
    for line, a in _numbered(r):
        said = a.said or a.at + 2 * MINUTE
        text = words.STATUS_311[a.code]
        yield from _dumped("riverton-311", said, [
            r.number, line, a.code, text, iso_local(a.at), r.topic, topic, r.channel, address,
            r.address.area, words.SHORT_NAMES[a.to], iso_local(a.due) if a.due else "",
            " ".join(a.refs), "Y" if a.void else "", iso_local(said), a.note,
        ])  # fmt: skip


def _housing(r: Record) -> Iterator[Row]:
    cells = dict.fromkeys(FILES["riverton-housing.csv"], "")
    cells |= {
        "Inspection No": r.number, "Complaint": r.topic,
        "Complaint Text": words.COMPLAINTS_HOUSING[r.topic],
        "Address": _shouting(r.address), "Ward": r.address.area,
    }  # fmt: skip
    for a in r.acts:
        if a.code == "RECEIVED":
            cells["Received"] = us_am_pm(a.at)
            cells["311 No"] = " ".join(n for n in a.refs if n.startswith("SR-"))
            cells["See Also"] = ", ".join(n for n in a.refs if not n.startswith("SR-"))
            cells["Tenant Name"] = a.note
            continue
        if a.code == "SCHEDULED":
            cells["Scheduled"] = us_am_pm(a.at)
        elif a.code == "REFERRED":
            cells["Referred On"], cells["Referred To"] = us_am_pm(a.at), words.NAMES[a.to]
        elif cells["Inspected"]:
            cells["Re-Inspected"], cells["Re-Result"] = us_am_pm(a.at), a.code
        else:
            cells["Inspected"], cells["Result"] = us_am_pm(a.at), a.code
            cells["Comply By"] = us_am_pm(a.due) if a.due else ""
        cells["Inspector Notes"] = a.note or cells["Inspector Notes"]
    yield "riverton-housing.csv", list(cells.values())


def _buildings(r: Record) -> Iterator[Row]:
    cells = dict.fromkeys(FILES["riverton-buildings.csv"], "")
    cells |= {
        "PERMIT_ID": r.number, "WORK_CLASS": r.topic, "WORK_DESC": words.WORK_BUILDINGS[r.topic],
        "STREET_NO": str(r.address.house), "WARD": r.address.area,
        "STREET": f"{r.address.street} {r.address.kind}".upper(),
    }  # fmt: skip
    for a in r.acts:
        match a.code:
            case "FILED":
                cells["FILED"], cells["RELATED_NO"] = day_month(a.at), " ".join(a.refs)
                cells["APPLICANT"] = a.note
            case "ISSUED":
                cells["ISSUED"] = day_month(a.at)
            case "FINAL":
                cells["FINALED"] = day_month(a.at)
            case finding:
                cells["VISITED"], cells["FINDING"] = day_month(a.at), finding
                cells["CURE_BY"] = day_month(a.due) if a.due else ""
                cells["REMARKS"] = a.note
    yield "riverton-buildings.csv", list(cells.values())


def _police(r: Record) -> Iterator[Row]:
    cells = dict.fromkeys(FILES["riverton-police.csv"], "")
    cells |= {
        "INC": r.number, "CALL_TYPE": r.topic, "CALL_DESC": words.CALLS_POLICE[r.topic],
        "LOC": _shouting(r.address), "BEAT": r.address.area,
    }  # fmt: skip
    for a in r.acts:
        match a.code:
            case "RCVD":
                cells["RCVD"], cells["RELATED"] = dispatch(a.at), " ".join(a.refs)
                cells["REPORTING_PARTY"] = a.note
            case "DISP":
                cells["DISPATCHED"] = dispatch(a.at)
            case dispo:
                cells["CLEARED"], cells["DISPO"] = dispatch(a.at), dispo
                cells["REFERRED_TO"], cells["NARRATIVE"] = words.SHORT_NAMES[a.to], a.note
    yield "riverton-police.csv", list(cells.values())


def _water(r: Record) -> Iterator[Row]:
    problem, address = words.PROBLEMS_WATER[r.topic], _dotted(r.address)
    for line, a in _numbered(r):
        said = a.said or _night_after(a.at, 4)
        yield from _dumped("riverton-water", said, [
            r.number, line, a.code, words.STEPS_WATER[a.code], compact(a.at), r.town.code, address,
            r.address.area, r.topic, problem, words.SHORT_NAMES[a.to], "/".join(a.refs),
            "X" if a.void else "", compact(said), r.channel, a.note,
        ])  # fmt: skip


def _health(r: Record) -> Iterator[Row]:
    program, address = words.PROGRAMS_HEALTH[r.topic], f"{_plain(r.address)}, {r.town.name}"
    for line, a in _numbered(r):
        yield "xx-county-health.csv", [
            r.number, line, r.town.name, address, r.address.area, r.topic, program, a.code,
            words.EVENTS_HEALTH[a.code], iso_zone(a.at), iso_zone(a.due) if a.due else "",
            "; ".join(a.refs), words.NAMES[a.to] if a.to else "", "hand" if a.hand else "system",
            iso_zone(a.said or _night_after(a.at, 6)), r.channel, a.note,
        ]  # fmt: skip


def _tenants(r: Record) -> Iterator[Row]:
    address = f"{_plain(r.address)} {r.address.unit}".rstrip()
    for line, a in _numbered(r):
        yield "riverton-tenants.csv", [
            r.number, line, spreadsheet(a.at), a.code, r.topic, address, r.address.area,
            ", ".join(a.refs), "yes" if a.hand else "no", "25" if a.hand else "",
            words.VOLUNTEERS[a.at % len(words.VOLUNTEERS)], r.channel, a.note,
            spreadsheet(a.said or a.at + 5 * HOUR),
        ]  # fmt: skip


def _neighbour(r: Record) -> Iterator[Row]:
    opened, *closed = r.acts
    yield f"{r.agency}.csv", [
        r.number, f"{r.town.name} 311", r.topic, words.TOPICS_311[r.topic], _plain(r.address),
        r.address.area, iso_utc(opened.at), iso_utc(closed[-1].at) if closed else "",
        " ".join(opened.refs), opened.note,
    ]  # fmt: skip


_WRITERS: Final[dict[str, Callable[[Record], Iterator[Row]]]] = {
    "riverton-311": _three_one_one, "riverton-housing": _housing,
    "riverton-buildings": _buildings, "riverton-police": _police, "riverton-water": _water,
    "xx-county-health": _health, "riverton-tenants": _tenants,
    **{town.agency: _neighbour for town in NEIGHBOURS},
}  # fmt: skip


def rows(record: Record) -> Iterator[Row]:
    """The rows that the record's agency exports, each with its file."""
    return _WRITERS[record.agency](record)
