"""`crosstown stats`: the figures of all that has been joined."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from crosstown.cli import outcomes
from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings

OPENED: Final = {
    "cases": "cases", "cross_agency_cases": "cases --agencies 2",
    "cases_three_or_more": "cases --agencies 3", "open_cases": "cases --status open",
    "largest_case_records": "cases --by records --limit 1",
    "dead_letters": "tail dead-letters",
}  # fmt: skip
"""Which call lists what a figure counts."""
LABELS = {
    "events": "events that count", "records": "records", "cases": "cases",
    "cross_agency_cases": "... with two or more agencies",
    "cases_three_or_more": "... with three or more agencies",
    "open_cases": "... open now", "largest_case_records": "records in the largest case",
    "runaway_cases": "cases too large for one message",
    "dead_letters": "dead letters",
}  # fmt: skip


def command(
    wait: Annotated[
        bool, typer.Option("--wait", help="First wait until all that has been published is in.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="S", help="How long to wait, in seconds.")
    ] = 120,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """The figures: events, records, cases, how many cross agencies, how events arrived.

    Example: `crosstown stats --wait`
    """
    from crosstown.casebook.lookup import Lookup
    from crosstown.cli.backbone import backbone, warn_of_lag

    chosen = settings(home)
    where = backbone(chosen)
    if wait:
        wait_for_all(chosen, where, timeout)
    if not wait:
        warn_of_lag(chosen)
    lookup = Lookup(chosen)
    found = lookup.stats(time.time_ns() // 1000)
    lookup.close()
    if output is Output.JSON:
        print_json(found)
    else:
        show(found)


def wait_for_all(chosen: Any, where: Any, timeout: float) -> None:
    """Wait with a line that says what is still to come."""
    from crosstown.cli.backbone import dead_programs
    from crosstown.supervision.waiting import Waiting

    with err.status("waiting for what was published to be joined") as status:
        Waiting(
            chosen, where, timeout, lambda: dead_programs(chosen),
            lambda text: status.update(f"waiting: {text}"),
        ).run()  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """The figures for people."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(style="dim", no_wrap=True)
    for key, label in LABELS.items():
        call = f"crosstown {OPENED[key]}" if key in OPENED and found[key] else ""
        table.add_row(f"{found[key]:,}", label, call)
    out.print(table)
    vias = ", ".join(f"{via} {n:,}" for via, n in found["by_via"].items())
    out.print(
        f"how events arrived: {vias or 'none yet'} (their cases: crosstown cases --via {next(iter(found['by_via']), 'batch')})"
    )
    if len(found["by_jurisdiction"]) > 1:
        places = ", ".join(f"{name} {n:,}" for name, n in found["by_jurisdiction"].items())
        out.print(f"cases by jurisdiction: {places} (crosstown cases --jurisdiction ...)")
    if found["dead_letters"]:
        reasons = ", ".join(f"{why} {n:,}" for why, n in found["dead_letters_by_reason"].items())
        out.print(f"dead letters by reason: {reasons} (see them: crosstown tail dead-letters)")
    out.print(f"digest {found['digest']}")
    outcomes.show(found["measures"], out)
