"""How cases end, single-agency beside cross-agency: each figure with the call that lists its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from crosstown.casebook.measures import Measure
from crosstown.cli.case import span

SHOWN: Final[Mapping[Measure, str]] = {
    Measure.CLOSED: "closed",
    Measure.OPEN: "open",
    Measure.LATE: "a record is late",
    Measure.HANDED_OFF: "handed off",
    Measure.PICKED_UP: "... and picked up",
    Measure.LOST: "... and lost: 14 days unanswered",
    Measure.PING_PONG: "... and handed back",
    Measure.RESOLVED: "a record said to be resolved",
    Measure.CLOSED_UNRESOLVED: "a record closed unresolved",
    Measure.REOPENED: "reopened within 60 days",
    Measure.ENRICHED: "enriched by another agency",
}
"""A line each."""
UNSAID: Final[Mapping[Measure, str]] = {
    Measure.PLACE_ONLY: "are joined across agencies by place and time alone: likely, not certain",
    Measure.NOT_SAID: "have a record of a system that says only closed, never resolved",
    Measure.UNTRACEABLE: "were handed to an agency that doesn't publish here, or that isn't named",
    Measure.NO_REPORT: "closed without a report: they have no first report to measure from",
    Measure.BACKWARDS: "closed before they were reported: clocks or habits of the source",
    Measure.TOO_LARGE: "are too large for one message, and aren't measured",
}
"""What can't be said of so many cases."""
_BOTH: Final = ("single_agency", "cross_agency")


def show(measures: Mapping[str, Mapping[str, Any]], out: Console) -> None:
    """Print the two kinds of case side by side, then what the figures can't say."""
    one, more = (measures[name] for name in _BOTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("How cases fare", no_wrap=True)
    table.add_column("one agency", justify="right", no_wrap=True)
    table.add_column("two or more", justify="right", no_wrap=True)
    table.add_column("cases --measure", style="dim", no_wrap=True)
    table.add_row("cases", f"{one['cases']:,}", f"{more['cases']:,}", "")
    handed_off = any(kind["counts"][Measure.HANDED_OFF.value] for kind in (one, more))
    for measure, label in SHOWN.items():
        if label.startswith("...") and not handed_off:
            continue
        counts = [kind["counts"][measure.value] for kind in (one, more)]
        call = measure.value if any(counts) else ""
        table.add_row(label, *(f"{n:,}" for n in counts), call)
        if measure is Measure.CLOSED:
            _spread(table, "first report to last close", "first_report_to_last_close", one, more,
                    "measured")  # fmt: skip
            _spread(table, "a record: report to end", "report_to_end_of_a_record", one, more, "")
        if measure is Measure.PICKED_UP:
            _spread(table, "picked up after", "handed_off_to_picked_up", one, more, "")
    out.print()
    out.print(table)
    _unsaid(one, more, lambda text: out.print(text, style="dim", markup=False), handed_off)


def _spread(
    table: Table, label: str, key: str, one: Mapping[str, Any], more: Mapping[str, Any], call: str
) -> None:
    kinds = [one[key], more[key]]
    if not any(kind["n"] for kind in kinds):
        return
    table.add_row(f"  {label}, n", *(f"{kind['n']:,}" for kind in kinds), call)
    table.add_row("    half within", *(_long(kind["median_seconds"]) for kind in kinds), "")
    table.add_row("    nine in ten within", *(_long(kind["p90_seconds"]) for kind in kinds), "")


def _long(seconds: int | None) -> str:
    return "-" if seconds is None else span(seconds)


def _unsaid(
    one: Mapping[str, Any], more: Mapping[str, Any], say: Callable[[str], None], handed_off: bool
) -> None:
    say("What these can't say:")
    say(
        "  - what was never published; and records that share neither a place nor a reference stay apart"
    )
    say("  - open cases have no end yet, so the slowest are missing from the times")
    say("  - that sharing made a case faster or slower: a case of more records has more to do")
    if not handed_off:
        say("  - no source here ever said that it handed something off; that isn't: there was none")
    for measure, why in UNSAID.items():
        n = one["counts"][measure.value] + more["counts"][measure.value]
        if n:
            say(f"  - {n:,} cases {why} (crosstown cases --measure {measure.value})")
    say("Each figure is defined, with an example, in docs/measures.md.")
