"""`crosstown completeness`: is anything missing, from the source's own count to what partners got."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    err,
    out,
    print_json_lines,
    settings,
)
from crosstown.errors import NotFound, Stop, TimedOut

if TYPE_CHECKING:
    from crosstown.completeness.counted import Count
    from crosstown.completeness.flow import Delivered, Difference, Flow

SHOWN: Final = 20
"""So many differences people are shown; programs get all that are named."""


def command(
    day: Annotated[
        str, typer.Option(metavar="DAY", help="Only what sources said on this day (UTC).")
    ] = "",
    contract: Annotated[str, typer.Option(help="Only this contract, owner/name.")] = "",
    timeout: Annotated[
        float, typer.Option(min=0, metavar="S", help="How long to wait until all has passed.")
    ] = 60,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """What each source counted, and what was published, accepted, joined and delivered of it.

    Example: `crosstown completeness --day 2026-03-02 --contract riverton-housing/inspections`

    Each difference is named, down to the record. Exit code 3: there are some.
    """  # fmt: skip
    from crosstown.cli.backbone import backbone
    from crosstown.completeness.answer import completeness
    from crosstown.contracts.repository import Repository

    _check(day)
    chosen = settings(home)
    there = Repository.of(chosen).contracts
    if contract and contract not in there:
        raise NotFound(f"no contract {contract} is here", candidates=tuple(sorted(there)),
                       mend="owner/name, as crosstown check names them")  # fmt: skip
    where = backbone(chosen)
    settled = _settle(chosen, where, timeout)
    with err.status("reading what was published") as status:
        flows = completeness(chosen, where, day, contract,
                             lambda n: status.update(f"read: {n:,} messages"))  # fmt: skip
    if output is Output.JSON:
        print_json_lines(as_json(one) for one in flows)
    else:
        show(flows)
    if not settled:
        err.print("not all has passed yet: what is missing may only be late; see crosstown status")
    if any(not one.complete for one in flows):
        raise typer.Exit(3)


def _check(day: str) -> None:
    try:
        good = not day or dt.date.fromisoformat(day).isoformat() == day
    except ValueError:
        good = False
    if not good:
        raise Stop(f"{day[:40]!r} is no day", mend="say e.g. 2026-03-02")


def _settle(chosen: Any, where: Any, timeout: float) -> bool:
    from crosstown.cli.stats import wait_for_all

    try:
        wait_for_all(chosen, where, timeout)
    except TimedOut as error:
        err.print(str(error), markup=False)
        return False
    return True


def as_json(flow: Flow) -> dict[str, Any]:
    """One row for programs."""
    states = flow.states
    return {
        "day": flow.slot.day, "contract": flow.slot.contract, "agency": flow.slot.agency,
        "counts": [_count(one) for one in flow.counts],
        "published": flow.published, "cut": flow.cut, "accepted": flow.accepted,
        "dead_letters": dict(sorted(flow.dead.items())), "erased": states["erased"],
        "under_way": states["under-way"], "not_accepted": states["not-accepted"],
        "joined": states["joined"], "aside": states["aside"], "not_joined": states["not-joined"],
        "delivered": [
            {"agreement": one.agreement, "receiver": one.receiver, "due": one.due, "told": one.told}
            for one in _delivered(flow)
        ],
        "differences": [
            {"stage": one.stage, "record": one.record, "at": one.at, "why": one.why}
            for one in flow.differences
        ],
        "more_differences": flow.more, "complete": flow.complete,
    }  # fmt: skip


def _count(one: Count) -> dict[str, Any]:
    return {"unit": one.unit, "counted": one.counted, "how": one.how, "file": one.file,
            "read": one.read, "rejected": one.rejected, "said": one.said, "known": one.known}  # fmt: skip


def _delivered(flow: Flow) -> list[Delivered]:
    return [one for _, one in sorted(flow.delivered.items())]


def show(flows: Sequence[Flow]) -> None:
    """A table for people, and below it what is missing."""
    if not flows:
        out.print("nothing was published or counted then; see crosstown stats for what is there")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("day", no_wrap=True)
    table.add_column("contract", overflow="fold")
    for column in ("counted", "read", "published", "accepted", "dead", "joined", "delivered"):
        table.add_column(column, justify="right")
    for one in flows:
        table.add_row(*_cells(one))
    out.print(table)
    differences = [(one, difference) for one in flows for difference in one.differences]
    for flow, difference in differences[:SHOWN]:
        out.print(Text(_line(flow, difference)))
    rest = len(differences) - SHOWN + sum(one.more for one in flows)
    if rest > 0:
        out.print(f"... and {rest:,} more differences: -o json for all, --day, --contract for some")
    cut = sorted({f"{one.slot.contract} of {one.slot.agency}" for one in flows if one.cut})
    if cut:
        out.print(Text(f"what was erased, or is too old, lies on these topics no more, with all before"
                       f" it: {', '.join(cut)}"))  # fmt: skip
    if not differences:
        out.print("Nothing is missing, as far as anybody has counted.")


def _cells(flow: Flow) -> Iterable[Text]:
    contract = flow.slot.contract or "(none)"
    whose = "" if contract.startswith(f"{flow.slot.agency}/") else f" of {flow.slot.agency}"
    due = sum(one.due for one in flow.delivered.values())
    told = sum(one.told for one in flow.delivered.values())
    plain = [
        flow.slot.day, contract + whose, _sum(one.counted for one in flow.counts),
        _sum(one.read for one in flow.counts), f"{flow.published:,}", f"{flow.accepted:,}",
        f"{flow.dead.total():,}", f"{flow.states['joined'] + flow.states['aside']:,}",
        f"{told:,} of {due:,}" if due else "-",
    ]  # fmt: skip
    return [Text(cell, "" if flow.complete else "yellow") for cell in plain]


def _sum(counted: Iterable[int | None]) -> str:
    """A dash where nobody has counted: that is something else than none."""
    known = [one for one in counted if one is not None]
    return f"{sum(known):,}" if known else "-"


def _line(flow: Flow, difference: Difference) -> str:
    what = f" {difference.record}" if difference.record else ""
    at = f" ({difference.at})" if difference.at else ""
    return f"{flow.slot.day} {flow.slot.contract}: {difference.stage}:{what} {difference.why}{at}"
