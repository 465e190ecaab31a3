"""`crosstown case`: one case's timeline, for people or programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, iso, print_json, settings

if TYPE_CHECKING:
    from crosstown.lookup import Found

TIMES = ("occurred_at", "due_at", "known_at")


def command(
    asked: Annotated[
        str,
        typer.Argument(
            metavar="RECORD|PLACE|CASE", help="A record or its number, a place, or a case id."
        ),
    ],
    jurisdiction: Annotated[str, typer.Option(help="Where several jurisdictions answer.")] = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show a case: who did what when, how it reached us, and why each record is in it.

    Examples: `crosstown case riverton-311/request/2025-004711`, `crosstown case 2025-004711`,
    `crosstown case "12 Elm Street"`
    """  # fmt: skip
    from connectors.street import street_key
    from crosstown.cli.backbone import backbone
    from crosstown.lookup import Lookup

    chosen = settings(home)
    backbone(chosen)
    lookup = Lookup(chosen)
    found = lookup.case(asked, jurisdiction, place=street_key(asked) if asked.strip() else "")
    lookup.close()
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
        "flags": case["flags"],
        "truncated": case["entry_count"] > len(entries) or case["link_count"] > len(links),
    }  # fmt: skip


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
