"""`crosstown cases`: the cases, the ones that cross most agencies first."""

from __future__ import annotations

import time
from enum import Enum
from typing import Annotated

import typer
from rich.markup import escape

from crosstown.casebook.measures import Measure
from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    iso,
    out,
    print_json_lines,
    settings,
)
from crosstown.event.envelope import Via


class Status(Enum):
    """What a case may be."""

    OPEN = "open"
    CLOSED = "closed"


class By(Enum):
    """Which cases come first."""

    AGENCIES = "agencies"
    RECORDS = "records"
    SECONDS = "seconds"


def command(
    *,
    agencies: Annotated[int, typer.Option(min=1, help="At least so many agencies.")] = 1,
    at_most: Annotated[int, typer.Option(min=0, help="At most so many agencies; 0: any.")] = 0,
    place: Annotated[str, typer.Option(help="Only cases at this place.")] = "",
    jurisdiction: Annotated[str, typer.Option(help="Only cases of this jurisdiction.")] = "",
    status: Annotated[Status | None, typer.Option(help="Only open ones, or closed ones.")] = None,
    measure: Annotated[
        Measure | None, typer.Option(help="Only cases that a figure counts: docs/measures.md.")
    ] = None,
    enriched_by: Annotated[
        str, typer.Option(metavar="AGENCY", help="Only cases of others that this one added to.")
    ] = "",
    enriched_for: Annotated[
        str, typer.Option(metavar="AGENCY", help="Only cases that others added to for this one.")
    ] = "",
    via: Annotated[Via | None, typer.Option(help="Only cases with an event that came so.")] = None,
    by: Annotated[
        By, typer.Option(help="Which first: most agencies, records, or seconds to the last close.")
    ] = By.AGENCIES,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 = all.")] = 0,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List cases, those that cross most agencies first.

    Examples: `crosstown cases --agencies 3`, `crosstown cases --measure lost`
    """
    from itertools import islice

    from connectors.street import street_key
    from crosstown.casebook.lookup import Lookup, Order
    from crosstown.cli.backbone import backbone
    from crosstown.cli.case import span
    from crosstown.cli.timeline import Names

    chosen = settings(home)
    backbone(chosen)
    lookup = Lookup(chosen)
    found = lookup.cases(
        agencies=agencies, at_most=at_most, place=place,
        written=street_key(place) if place else "", jurisdiction=jurisdiction,
        status=status.value if status else "", via=via.value if via else "", measure=measure,
        order=Order[by.name], now=time.time_ns() // 1000, enriched_by=enriched_by,
        enriched_for=enriched_for,
    )  # fmt: skip
    rows = islice(found, limit or None)
    if output is Output.JSON:
        print_json_lines(
            {**row, "first": iso(row["first"]), "last": iso(row["last"])} for row in rows
        )
        return
    shown, names = 0, dict[str, Names]()
    for row in islice(rows, None if limit else 25):
        shown += 1
        where = row["jurisdiction"]
        local = names.setdefault(where, Names(chosen, where)).local
        color = "yellow" if row["status"] == "open" else "green"
        records, events = len(row["records"]), row["events"]
        out.print(
            f"[bold]{row['case_id']}[/]  [{color}]{row['status']:6}[/]"
            f"  {local(row['first']):%Y-%m-%d} to {local(row['last']):%Y-%m-%d}"
        )
        took = "" if row["seconds"] is None else f", {span(row['seconds'])} to the last close"
        out.print(
            f"    {where}  {records} record{'s' * (records != 1)},"
            f" {events} event{'s' * (events != 1)}{took}"
        )
        out.print(f"    {escape(', '.join(row['agencies']))}", style="dim")
    if not shown:
        out.print("no case fits; see crosstown stats for what is there")
        return
    rest = sum(1 for _ in rows)
    if rest:
        out.print(f"... and {rest:,} more: --limit N, or -o json for all", style="dim")
