"""`crosstown reciprocity`: what each agency gives and gets under agreements in force."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    iso,
    out,
    print_json_lines,
    settings,
)
from crosstown.errors import NotFound, Stop

if TYPE_CHECKING:
    from crosstown.reciprocity.balance import Asked, Balance
    from crosstown.reciprocity.shares import Share


class Way(Enum):
    """Whose events are listed."""

    GIVES = "gives"
    GETS = "gets"


def command(
    agency: Annotated[str, typer.Argument(help="Only this agency.")] = "",
    events: Annotated[
        Way | None, typer.Option(help="List the events that it gives, or gets, with their records.")
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """What each agency gives and gets: events, records, how soon, cases enriched, requests answered.

    Examples: `crosstown reciprocity`, `crosstown reciprocity riverton-housing --events gives`

    Each figure is defined, with an example, in docs/measures.md.
    """
    from crosstown.cli.backbone import backbone, warn_of_lag
    from crosstown.reciprocity.report import report

    if events is not None and not agency:
        raise Stop("whose events?", mend="crosstown reciprocity AGENCY --events gives")
    chosen = settings(home)
    where = backbone(chosen)
    warn_of_lag(chosen)
    found = report(chosen, where, time.time_ns() // 1000)
    known = [one for one in found.balances if agency in ("", one.agency)]
    if not known:
        raise NotFound(f"no agency {agency} is declared or shares anything",
                       candidates=tuple(one.agency for one in found.balances),
                       mend="see crosstown agencies")  # fmt: skip
    if events is not None:
        list_events(_of(found.shares, agency, events), output)
    elif output is Output.JSON:
        print_json_lines({**asdict(one), "at": iso(found.now)} for one in known)
    else:
        show([one for one in known if agency or not one.empty])


def _of(shares: Iterable[Share], agency: str, way: Way) -> list[Share]:
    if way is Way.GIVES:
        return [one for one in shares if one.provider == agency]
    return [one for one in shares if one.receiver == agency]


def list_events(shares: Sequence[Share], output: Output) -> None:
    """The events behind the figures, a line each; one that two agreements cover stands twice."""
    rows = sorted(
        shares, key=lambda one: (one.agreement, one.record, one.occurred_at, one.event_id)
    )
    if output is Output.JSON:
        print_json_lines(as_json(one) for one in rows)
        return
    for one in rows:
        told = f"told {iso(one.told_at)}" if one.told_at is not None else "not told yet"
        out.print(Text(f"{one.agreement}: {one.record} ({one.contract}, {iso(one.occurred_at)}),"
                       f" {told}"))  # fmt: skip
    if not rows:
        out.print("nothing under any agreement in force; see crosstown agreements list")


def as_json(one: Share) -> dict[str, Any]:
    """One event that goes out, for programs."""
    return {
        "agreement": one.agreement, "provider": one.provider, "receiver": one.receiver,
        "contract": one.contract, "record": one.record, "event_id": one.event_id,
        "occurred_at": iso(one.occurred_at), "known_at": iso(one.said_at),
        "told_at": iso(one.told_at),
    }  # fmt: skip


def show(balances: Sequence[Balance]) -> None:
    """The balances for people, and which call lists what a figure counts."""
    if not balances:
        out.print(
            "no agreement is in force and nobody asked for one; see crosstown agreements list"
        )
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("agency", overflow="fold")
    table.add_column("")
    for column in ("partners", "events", "records", "not told", "median", "cases enriched"):
        table.add_column(column, justify="right")
    table.add_column("requests", overflow="fold")
    for one in balances:
        for way, side, asked in (
            ("gives", one.gives, one.was_asked),
            ("gets", one.gets, one.asked_for),
        ):
            table.add_row(
                one.agency if way == "gives" else "", way,
                *(f"{n:,}" for n in (side.partners, side.events, side.records, side.untold)),
                _span(side.after.median_seconds), f"{side.enriched:,}",
                _asked("was asked" if way == "gives" else "asked", asked),
            )  # fmt: skip
    out.print(table)
    name = balances[0].agency
    out.print(
        f"the events: crosstown reciprocity {name} --events gives; the cases: crosstown cases"
        f" --enriched-by {name}, --enriched-for {name}; each figure: docs/measures.md"
    )


def _span(seconds: int | None) -> str:
    from crosstown.cli.case import span

    return "-" if seconds is None else span(seconds)


def _asked(what: str, asked: Asked) -> str:
    parts = [f"{n} {name}" for name, n in asdict(asked).items() if n]
    return f"{what}: {', '.join(parts)}" if parts else ""
