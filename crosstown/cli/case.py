"""`crosstown case`: one case's timeline, for people or programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, iso, print_json, settings
from crosstown.errors import Stop

if TYPE_CHECKING:
    from crosstown.casebook.lookup import Found
    from crosstown.contracts.repository import Repository
    from crosstown.settings import Settings

TIMES = ("occurred_at", "due_at", "known_at")


def command(
    asked: Annotated[
        str,
        typer.Argument(
            metavar="RECORD|PLACE|CASE", help="A record or its number, a place, or a case id."
        ),
    ],
    jurisdiction: Annotated[str, typer.Option(help="Where several jurisdictions answer.")] = "",
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="TIME",
            help="As it was known then: 2025-01-31, or 2025-01-31T14:00, in the city's time.",
        ),
    ] = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show a case: who did what when, how it reached us, and why each record is in it.

    Examples: `crosstown case riverton-311/request/2025-004711`, `crosstown case 2025-004711`,
    `crosstown case "12 Elm Street"`, `crosstown case 2025-004711 --as-of 2025-02-01`
    """  # fmt: skip
    from dataclasses import replace

    from connectors.street import street_key
    from crosstown.backbone import generation
    from crosstown.casebook.leaving import leaving
    from crosstown.casebook.lookup import Lookup
    from crosstown.cli.backbone import backbone
    from crosstown.contracts.repository import Repository
    from crosstown.erasure.erasures import Key
    from crosstown.home import Home

    chosen = settings(home)
    where = backbone(chosen)
    lookup = Lookup(chosen)
    try:
        found = lookup.case(asked, jurisdiction, place=street_key(asked) if asked.strip() else "")
        if as_of:
            contracts = Repository.of(chosen)
            key = Key(Home(chosen.home).erasure_key(chosen))
            until = moment(as_of, chosen, contracts, found.jurisdiction)
            live = generation.live(chosen, where).with_windows(contracts)
            found = lookup.at(found, asked.strip(), until, live.window, key)
    finally:
        lookup.close()
    found = replace(found, case=leaving(found.case))
    if output is Output.JSON:
        print_json(as_json(found, asked))
    else:
        from crosstown.cli.timeline import show

        show(found, chosen)


def as_json(found: Found, asked: str) -> dict[str, Any]:
    """The case for programs (docs/decisions/0004): times are ISO 8601 UTC, `due_at` may be null."""
    case = found.case
    entries = [
        {name: iso(value) if name in TIMES else value for name, value in entry.items()}
        | {"late_by": late_by(entry), "corrected": entry["event_id"] in found.corrected}
        for entry in case["entries"]
    ]
    links = [
        {"rule": one["rule"], "from": one["from"], "to": one["to"],
         "event_from": one["event_from"], "event_to": one["event_to"] or None,
         "seconds": one["seconds"], "why": why(one)}
        for one in case["links"]
    ]  # fmt: skip
    return {
        "case_id": found.case_id, "asked": asked, "version": found.version,
        "digest": case["digest"], "jurisdiction": found.jurisdiction, "status": case["status"],
        "agencies": case["agencies"], "records": list(found.records),
        "events": case["entry_count"], "first": iso(case["first"]), "last": iso(case["last"]),
        "entries": entries, "links": links,
        "pointers": [
            {"record": one.record, "named_by": one.named_by,
             "jurisdiction": one.jurisdiction or None, "case_id": one.case_id or None}
            for one in found.pointers
        ],
        "people": [
            {"kind": one["kind"], "event_id": one["event_id"], "agency": one["agency"],
             "record": one["record"], "other": one["other"], "why": one["why"], "at": iso(one["at"])}
            for one in case["people"]
        ],
        "as_of": iso(found.as_of), "flags": case["flags"],
        "truncated": case["entry_count"] > len(entries) or case["link_count"] > len(links),
    }  # fmt: skip


LATE_AFTER: Final = 48 * 3_600
"""Seconds: a nightly file tells within 24 hours; with one night missed within 48."""


def late_by(entry: dict[str, Any]) -> int | None:
    """How many seconds after it happened an entry became known, if that is over 48 hours."""
    seconds = int(entry["known_at"] - entry["occurred_at"]) // 1_000_000
    return seconds if seconds > LATE_AFTER else None


def moment(text: str, chosen: Settings, contracts: Repository, jurisdiction: str) -> int:
    """A time as typed, in microseconds UTC; one without zone is the city's, a day is its end."""
    import datetime as dt
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(chosen.timezone or contracts.agencies.timezone(jurisdiction))
    try:
        at = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise Stop(f"{text!r} is no time",
                   mend="say 2025-01-31, 2025-01-31T14:00 or 2025-01-31T14:00Z") from None  # fmt: skip
    if len(text.strip()) <= 10:  # a day: all that was known by its end
        at += dt.timedelta(days=1) - dt.timedelta(microseconds=1)
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return int((at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1))


def why(link: dict[str, Any]) -> str:
    """A link's reason in words."""
    if link["why"]:
        return str(link["why"])
    if link["rule"] == "ref":
        return f"{link['from']} names {link['to']}"
    return f"same place and concern, {span(link['seconds'])} apart"


def span(seconds: int) -> str:
    """A length of time as people say it: the largest unit, rounded down.

    >>> span(45), span(7_200), span(200_000)
    ('45 seconds', '2 hours', '2 days')
    """
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
