"""`crosstown demo`: from seven agencies' exports to one timeline, on real Kafka, in one command."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli import ending
from crosstown.cli.shell import err, out, settings
from crosstown.home import Endpoints, Home
from crosstown.settings import Settings

if TYPE_CHECKING:
    from crosstown.publishing.publish import FileReport


def command(
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            metavar="DIR",
            help="Where the sample city keeps its data.",
            envvar="CROSSTOWN_HOME",
            show_envvar=True,
            show_default="~/.crosstown-demo",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running afterwards, to look around.")
    ] = False,
) -> None:
    """See it work: seven agencies' exports about one city become one timeline, on real Kafka.

    Starts what it needs, and ends it again. Example: `crosstown demo`, or
    `crosstown demo --keep --home /tmp/try`
    """
    from crosstown import sample
    from crosstown.supervision import detached
    from crosstown.supervision.running import supervisor
    from crosstown.supervision.supervise import PROGRAMS

    chosen = settings(home or Path.home() / ".crosstown-demo")
    began = time.monotonic()
    place = Home(chosen.home).make()
    ran = supervisor(place) is not None
    _step(f"1. Seven agencies and three small towns export their half year, each in its own form,"
          f" into {place.path / 'sample'}")  # fmt: skip
    files = sample.write(place.path / "sample")
    for file in files:
        out.print(f"   {file.name:32} {_columns(file)}", style="dim", markup=False)
    _step(f"2. Kafka, a schema registry and {len(PROGRAMS)} programs start")
    if not (keep or ran):
        ending.in_order()
    try:
        with err.status("starting (the first time, Kafka is fetched: about a minute)"):
            now = detached.start(chosen)
        where = Endpoints(now.bootstrap, now.registry)
        out.print(f"   Kafka at {now.bootstrap}", style="dim")
        _publish(chosen, where, files)
        _join(chosen, where)
        _show(chosen)
        _step(f"That took {time.monotonic() - began:.0f} seconds. How to go on:")
        _go_on(chosen, files, keep or ran)
    finally:
        if not (keep or ran):
            with err.status("ending what was started"):
                detached.end(chosen)
    if not (keep or ran):
        out.print("Nothing of it runs any more.", style="dim")


def _step(text: str) -> None:
    out.print()
    out.print(text, style="bold", markup=False)


def _columns(file: Path) -> str:
    with file.open(encoding="utf-8-sig") as lines:
        head = lines.readline().strip()
    return head if len(head) < 70 else head[:67] + "..."


def _publish(chosen: Settings, where: Endpoints, files: list[Path]) -> None:
    from connectors import source
    from crosstown.contracts.repository import Repository
    from crosstown.publishing.publish import publish

    _step("3. Every row becomes an event under its agency's contract, and goes to Kafka")
    with err.status("publishing") as status:

        def progress(report: FileReport | None) -> None:
            status.update(
                "waiting for Kafka" if report is None else f"publishing {report.file.name}"
            )

        reports = publish(
            chosen, where, Repository.of(chosen),
            lambda naming: source("riverton", naming), files, progress=progress,
        )  # fmt: skip
    said = sum(one.published for one in reports)
    known = sum(one.already_known for one in reports)
    rejected = sum(one.rejected for one in reports)
    out.print(f"   {said:,} events published, {known:,} already known (duplicates, repeated dumps),"
              f" {rejected} rows rejected", style="dim")  # fmt: skip


def _join(chosen: Settings, where: Endpoints) -> None:
    from crosstown.casebook.lookup import Lookup
    from crosstown.cli.stats import wait_for_all

    _step("4. Intake holds each to its contract; the case program joins what belongs together")
    wait_for_all(chosen, where, 120)
    lookup = Lookup(chosen)
    found = lookup.stats(time.time_ns() // 1000)
    lookup.close()
    out.print(
        f"   {found['events']:,} events of {found['records']:,} records in {found['cases']:,} cases;"
        f" {found['cross_agency_cases']:,} cases cross agencies,"
        f" {found['cases_three_or_more']:,} join three or more", style="dim",
    )  # fmt: skip


def _show(chosen: Settings) -> None:
    from crosstown import sample
    from crosstown.casebook.lookup import Lookup
    from crosstown.cli.timeline import show

    _step("5. One of them, as everyone in it sees it:")
    out.print()
    lookup = Lookup(chosen)
    found = lookup.case(sample.showcase())
    lookup.close()
    show(found, chosen)


def _go_on(chosen: Settings, files: list[Path], runs: bool) -> None:
    from crosstown import sample

    home = f" --home {chosen.home}"
    lines = [
        *(() if runs else (f"crosstown up --detach{home}",)),
        f"crosstown cases --agencies 4{home}",
        f"crosstown case {sample.showcase()}{home}",
        f"crosstown stats{home}",
        f"crosstown publish riverton {files[0]} --dry-run",
        f"crosstown down{home}",
    ]
    called = _called()
    for line in lines:
        out.print(f"   {called}{line.removeprefix('crosstown')}", markup=False, soft_wrap=True)


def _called() -> str:
    """How to call the command from here: it may lie in an environment that no shell looks into."""
    ours = Path(sys.executable).with_name("crosstown")
    found = shutil.which("crosstown")
    if not ours.exists() or (found and Path(found).samefile(ours)):
        return "crosstown"
    near = ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours
    return str(near)
