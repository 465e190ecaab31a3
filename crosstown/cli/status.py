"""`crosstown status`: what runs, where it answers, where its metrics are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException
from rich.table import Table
from rich.text import Text

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    err,
    iso,
    minute,
    out,
    print_json,
    settings,
)
from crosstown.doctor.finding import length
from crosstown.errors import CrosstownError
from crosstown.health.asking import unready
from crosstown.home import Endpoints, Home
from crosstown.settings import Settings
from crosstown.supervision.lag import lags
from crosstown.supervision.running import Process, Running, gateway_url, running

DAY: Final = 86_400.0
FOLLOWING: Final = ("intake", "cases", "casebook")
"""The programs that read on and on; how far each is behind is a figure."""
if TYPE_CHECKING:
    from crosstown.pausing.pause_log import Pause

COLOURS = {"running": "green", "failed": "red", "stopped": "dim"}


def command(home: HomeOption = None, output: OutputOption = Output.HUMAN) -> None:
    """Say what runs, where it answers, and what was started again.

    Example: `crosstown status`, or `crosstown status -o json` for programs.
    """
    from crosstown.supervision.supervise import NAMES

    given = settings(home)
    now = running(given, NAMES)
    show(now, given, output)
    there = any(one.name == "broker" and one.state == "running" for one in now.processes)
    if there and output is Output.HUMAN and _swap_is_unfinished(given, now):
        out.print("a rebuild is swapped in and wasn't finished: crosstown rebuild", markup=False)


def _swap_is_unfinished(given: Settings, now: Running) -> bool:
    from crosstown.backbone import generation

    try:
        live = generation.live(given, Endpoints(now.bootstrap, now.registry))
    except CrosstownError:
        return False
    return live.before is not None


def _paused(given: Settings, now: Running) -> list[Pause]:
    """Who is paused, as Kafka says; none where it doesn't answer."""
    from crosstown.pausing.pause_log import read

    if not any(one.name == "broker" and one.state == "running" for one in now.processes):
        return []
    try:
        said = read(given, Endpoints(now.bootstrap, now.registry), timeout=2)
    except (CrosstownError, KafkaException):
        return []
    return sorted((one for one in said.values() if one.paused), key=lambda one: one.at)


def show(now: Running, given: Settings, output: Output) -> None:
    """Print what runs and how far it is behind, for people or programs."""
    behind = lags(now.metrics, FOLLOWING)
    not_ready = unready(now.metrics, [one.name for one in now.processes if one.name != "broker"])
    held = _paused(given, now)
    home = given.home
    pushed = gateway_url(Home(home), now)
    if output is Output.JSON:
        print_json({
            "bootstrap": now.bootstrap,
            "registry": now.registry,
            "gateway": pushed,
            "metrics": dict(now.metrics),
            "processes": [
                {"name": one.name, "pid": one.pid, "state": one.state, "restarts": one.restarts,
                 "lag": behind.get(one.name), "ready": one.state == "running" and
                 not not_ready.get(one.name), "why": not_ready.get(one.name, [])}
                for one in now.processes
            ],
            "paused": [
                {"agency": pause.agency, "by": pause.by, "because": pause.because,
                 "since": iso(pause.at)}
                for pause in held
            ],
        })  # fmt: skip
        return
    _tabulate(now, behind)
    _explain(now, home, behind, not_ready)
    for pause in held:
        out.print(f"{pause.agency} is paused since {minute(pause.at)} by {pause.by}: "
                  f"{pause.because}", markup=False)  # fmt: skip
    _say_where(now, home, pushed)


def _say_where(now: Running, home: Path, pushed: str) -> None:
    if now.supervised:
        at = f", gateway {pushed}" if pushed else ""
        out.print(f"Kafka {now.bootstrap}, registry {now.registry}{at}, home {home}", markup=False)
    elif any(one.pid for one in now.processes):
        err.print("nobody keeps these running: crosstown up, or crosstown down", markup=False)
    else:
        err.print(f"nothing of ours runs under {home}: crosstown up --detach", markup=False)


def _tabulate(now: Running, behind: Mapping[str, int | None]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("process", "state", "pid", "restarts", "lag", "metrics"):
        table.add_column(column)
    for one in now.processes:
        table.add_row(
            one.name, Text(one.state, COLOURS.get(one.state, "yellow")),
            str(one.pid or ""), str(one.restarts), _lag(behind, one), now.metrics.get(one.name, ""),
        )  # fmt: skip
    out.print(table)


def _explain(
    now: Running,
    home: Path,
    behind: Mapping[str, int | None],
    not_ready: Mapping[str, list[str]],
) -> None:
    """Say of each process that isn't well what is wrong."""
    for one in now.processes:
        if one.state in ("failed", "restarting") and one.why:
            out.print(f"{one.name} {one.why}", markup=False)
        elif one.state == "running" and one.why and (since := _since(now.ended.get(one.name, 0))):
            out.print(f"{one.name} runs again, after {one.restarts} starts; {since} it {one.why}",
                      markup=False)  # fmt: skip
        for why in not_ready.get(one.name, ()) if one.state == "running" else ():
            out.print(f"{one.name} isn't ready: {why}", markup=False)
        if behind.get(one.name, 0) is None and one.state == "running" and one.name not in not_ready:
            out.print(f"{one.name} waits, or doesn't answer: see {home}/logs/{one.name}.log",
                      markup=False)  # fmt: skip


def _since(ended: float) -> str:
    """How long ago, in words; empty where it's over a day, or never was."""
    ago = time.time() - ended
    if ago > DAY:
        return ""
    return f"{length(ago)} ago"


def _lag(behind: Mapping[str, int | None], one: Process) -> str:
    found = behind.get(one.name, -1)
    return "?" if found is None else f"{found:,}" if found >= 0 else ""
