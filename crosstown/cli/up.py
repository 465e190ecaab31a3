"""`crosstown up`: start Kafka, the registry and the programs, and keep them running."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.status import Status
from rich.text import Text

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, settings
from crosstown.cli.status import COLOURS, show
from crosstown.errors import Stop
from crosstown.log_lines import log_as
from crosstown.settings import Settings
from crosstown.supervision.running import Process, Running, running

log = logging.getLogger(__name__)


def command(
    home: HomeOption = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all runs; it goes on by itself.")
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, help="How many shards, at the first start.", show_default="1"),
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Start everything and keep it running; Ctrl-C ends it in order.

    Example: `crosstown up --detach`, then `crosstown status`, and `crosstown down` at the end.
    """
    given = settings(home)
    if partitions is not None:
        given = given.model_copy(update={"partitions": partitions})
    if _runs_already(given) and not detach:
        err.print(f"it runs already under {given.home}; see: crosstown status", markup=False)
        return
    (_in_background if detach else _in_foreground)(given, output)


def _runs_already(given: Settings) -> bool:
    now = running(given, ())
    if now.supervised and now.partitions and "partitions" in given.model_fields_set:
        there, asked = _shards(given, now), given.partitions
        if asked != there:
            raise Stop(
                f"it runs already, with {there} partitions, not {asked}",
                mend=f"another number takes a rebuild: crosstown rebuild --swap --partitions {asked}",
            )
    return now.supervised


def _shards(given: Settings, now: Running) -> int:
    """How many there are: a rebuild may have changed it since the start."""
    from crosstown.backbone import generation, kafka
    from crosstown.home import Endpoints

    where = Endpoints(now.bootstrap, now.registry)
    admin = kafka.wait_for_broker(given, where, timeout=10)
    live = generation.live(given, where)
    return len(admin.list_topics(timeout=10).topics[live.accepted].partitions)


def _in_background(given: Settings, output: Output) -> None:
    from crosstown.supervision import detached

    with _starting() as shown:
        now = detached.start(given, seen=lambda now: shown.update(list(now.processes)))
    show(now, given, output)


def _in_foreground(given: Settings, output: Output) -> None:
    from crosstown.embedded.jars import classpath
    from crosstown.supervision.supervise import RunsAlready, Supervisor

    if given.embedded:
        classpath(given)
    ctrl_c = threading.Event()
    if not err.is_terminal:
        log_as(given.log, "supervisor")
    with _starting() as shown:

        def ready() -> None:
            shown.stop()
            _all_runs(given, output)

        one = Supervisor(given, _say, ready=ready)

        def stop(number: int, _frame: Any) -> None:
            if number == signal.SIGINT:
                ctrl_c.set()
            shown.stop()
            one.stopping.set()

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
        shown.follow(one)
        try:
            one.run()
        except RunsAlready as error:
            err.print(str(error), markup=False)
    if ctrl_c.is_set():
        raise KeyboardInterrupt


def _all_runs(given: Settings, output: Output) -> None:
    """Say what runs; where the log is for programs, as a line of it."""
    from crosstown.supervision.supervise import NAMES

    if given.log == "json" and not err.is_terminal:
        log.info("all of it runs")
        return
    show(running(given, NAMES), given, output)
    err.print("Ctrl-C ends it." if err.is_terminal else "all of it runs")


def _say(text: str) -> None:
    """To whoever looks at a terminal, else into the log."""
    if err.is_terminal:
        err.print(text, markup=False)
    else:
        log.info("%s", text)


class _Shown:
    """The line that says what is starting; nothing where nobody looks."""

    def __init__(self) -> None:
        self._parts: Any = ()
        self._status = Status(self, console=err) if err.is_terminal else None
        if self._status:
            self._status.start()

    def update(self, parts: list[Process]) -> None:
        """Show these from now on."""
        self._parts = parts

    def follow(self, supervisor: Any) -> None:
        """Show the parts of `supervisor`, as they are at each moment."""
        self._parts = supervisor.parts

    def stop(self) -> None:
        """Take the line away."""
        if self._status:
            self._status.stop()

    def __rich__(self) -> Text:
        words = [(f" {part.name}", COLOURS.get(part.state, "yellow")) for part in self._parts]
        return Text.assemble("starting", *words)


@contextlib.contextmanager
def _starting() -> Iterator[_Shown]:
    shown = _Shown()
    try:
        yield shown
    finally:
        shown.stop()
