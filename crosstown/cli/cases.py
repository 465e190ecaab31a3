"""`crosstown cases`: the cases, the ones that cross most agencies first."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    iso,
    out,
    print_json_lines,
    settings,
)


def command(
    agencies: Annotated[int, typer.Option(min=1, help="At least so many agencies.")] = 1,
    place: Annotated[str, typer.Option(help="Only cases at this place.")] = "",
    jurisdiction: Annotated[str, typer.Option(help="Only cases of this jurisdiction.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 = all.")] = 0,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List cases, those that cross most agencies first.

    Example: `crosstown cases --agencies 3`
    """
    from itertools import islice

    from crosstown.cli.backbone import backbone
    from crosstown.home import Home
    from crosstown.lookup import Lookup

    chosen = settings(home)
    backbone(chosen)
    lookup = Lookup(Home(chosen.home).casebook)
    found = lookup.cases(agencies=agencies, place=place, jurisdiction=jurisdiction)
    rows = islice(found, limit or None)
    if output is Output.JSON:
        print_json_lines(
            {**row, "first": iso(row["first"]), "last": iso(row["last"])} for row in rows
        )
        return
    shown = 0
    for row in islice(rows, None if limit else 25):
        shown += 1
        color = "yellow" if row["status"] == "open" else "green"
        out.print(
            f"[bold]{row['case_id']}[/]  [{color}]{row['status']:6}[/]  {row['jurisdiction']}"
            f"  {(iso(row['first']) or '')[:10]} to {(iso(row['last']) or '')[:10]}"
            f"  {len(row['records'])} records, {row['events']} events"
        )
        out.print(f"    {escape(', '.join(row['agencies']))}", style="dim")
    if not shown:
        out.print("no case fits; see crosstown stats for what is there")
        return
    rest = sum(1 for _ in rows)
    if rest:
        out.print(f"... and {rest:,} more: --limit N, or -o json for all", style="dim")
