"""`crosstown cases`: the cases, the ones that cross most agencies first."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

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
    table = Table(box=None, pad_edge=False)
    for name in (
        "case",
        "jurisdiction",
        "agencies",
        "records",
        "events",
        "first",
        "last",
        "status",
    ):
        table.add_column(name, justify="right" if name in ("records", "events") else "left",
                         overflow="fold")  # fmt: skip
    shown = 0
    for row in islice(rows, None if limit else 50):
        shown += 1
        table.add_row(
            row["case_id"], row["jurisdiction"], ", ".join(row["agencies"]),
            str(len(row["records"])), str(row["events"]), (iso(row["first"]) or "")[:10],
            (iso(row["last"]) or "")[:10], row["status"],
        )  # fmt: skip
    if not shown:
        out.print("no case fits; see crosstown stats for what is there")
        return
    out.print(table)
    rest = sum(1 for _ in rows)
    if rest:
        out.print(f"... and {rest:,} more: --limit 0 -o json lists all", style="dim")
