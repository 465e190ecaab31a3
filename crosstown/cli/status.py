"""`crosstown status`: what runs, where it answers, where its metrics are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings
from crosstown.errors import CrosstownError
from crosstown.home import Endpoints, Home
from crosstown.lag import lags
from crosstown.running import Process, Running, gateway_url, running
from crosstown.settings import Settings

FOLLOWING: Final = ("intake", "cases", "casebook")
"""The programs that read on and on; how far each is behind is a figure."""
COLOURS = {"running": "green", "failed": "red", "stopped": "dim"}


def command(home: HomeOption = None, output: OutputOption = Output.HUMAN) -> None:
    """Say what runs, where it answers, and what was started again.

    Example: `crosstown status`, or `crosstown status -o json` for programs.
    """
    from crosstown.supervise import NAMES

    given = settings(home)
    now = running(given, NAMES)
    show(now, given.home, output)
    there = any(one.name == "broker" and one.state == "running" for one in now.processes)
    if there and output is Output.HUMAN and _swap_is_unfinished(given, now):
        out.print("a rebuild is swapped in and wasn't finished: crosstown rebuild", markup=False)


def _swap_is_unfinished(given: Settings, now: Running) -> bool:
    from crosstown import generation

    try:
        live = generation.live(given, Endpoints(now.bootstrap, now.registry))
    except CrosstownError:
        return False
    return live.before is not None


def show(now: Running, home: Path, output: Output) -> None:
    """Print what runs and how far it is behind, for people or programs."""
    behind = lags(now.metrics, FOLLOWING)
    pushed = gateway_url(Home(home), now)
    if output is Output.JSON:
        print_json({
            "bootstrap": now.bootstrap,
            "registry": now.registry,
            "gateway": pushed,
            "metrics": dict(now.metrics),
            "processes": [
                {"name": one.name, "pid": one.pid, "state": one.state, "restarts": one.restarts,
                 "lag": behind.get(one.name)}
                for one in now.processes
            ],
        })  # fmt: skip
        return
    table = Table(box=None, pad_edge=False)
    for column in ("process", "state", "pid", "restarts", "lag", "metrics"):
        table.add_column(column)
    for one in now.processes:
        table.add_row(
            one.name, Text(one.state, COLOURS.get(one.state, "yellow")),
            str(one.pid or ""), str(one.restarts), _lag(behind, one), now.metrics.get(one.name, ""),
        )  # fmt: skip
    out.print(table)
    for one in now.processes:
        if one.state in ("failed", "restarting") and one.why:
            out.print(f"{one.name} {one.why}", markup=False)
        if behind.get(one.name, 0) is None and one.state == "running":
            out.print(f"{one.name} waits, or doesn't answer: see {home}/logs/{one.name}.log",
                      markup=False)  # fmt: skip
    if now.supervised:
        at = f", gateway {pushed}" if pushed else ""
        out.print(f"Kafka {now.bootstrap}, registry {now.registry}{at}, home {home}", markup=False)
    elif any(one.pid for one in now.processes):
        err.print("nobody keeps these running: crosstown up, or crosstown down", markup=False)
    else:
        err.print(f"nothing of ours runs under {home}: crosstown up --detach", markup=False)


def _lag(behind: Mapping[str, int | None], one: Process) -> str:
    found = behind.get(one.name, -1)
    return "?" if found is None else f"{found:,}" if found >= 0 else ""
