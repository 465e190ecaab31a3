"""What all commands share: `--home`, `-o`, output for people or programs, errors as exit codes.

Exit codes (docs/decisions/0004): 0 all; 1 an inner fault; 2 usage, not found; 3 rejected; 4 timed
out; 5 cluster unreachable; 130 Ctrl-C.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer
from rich.text import Text

from crosstown.cli.screen import Screen
from crosstown.errors import CrosstownError, NotFound, Stop
from crosstown.settings import Settings, settings_of

INTERRUPTED: Final = 130


class Output(Enum):
    """For whom a command prints."""

    HUMAN = "human"
    JSON = "json"


HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Where this installation keeps its data.",
                 envvar="CROSSTOWN_HOME", show_envvar=True, show_default="~/.crosstown"),
]  # fmt: skip
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="For people, or JSON for programs.")
]

out = Screen(highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())
err = Screen(stderr=True, highlight=False, emoji=False, soft_wrap=not sys.stderr.isatty())


def any_text() -> None:
    """Let standard output take whatever agencies write: UTF-8 but for a terminal, which has its own."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


def settings(home: Path | None) -> Settings:
    """The settings of this call; `--home` overrides `CROSSTOWN_HOME`."""
    return settings_of(home)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_json_lines(values: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines on standard output."""
    for value in values:
        print_json(value)


def sure(question: str, risk: str) -> bool:
    """Ask somebody at a terminal; `Stop` with the risk where nobody is there to be asked."""
    if not sys.stdin.isatty():
        raise Stop(risk, mend="say --yes if that is meant")
    return typer.confirm(question, err=True)


def iso(micros: int | None) -> str | None:
    """Microseconds UTC as ISO 8601 with `Z`; None stays None."""
    if micros is None:
        return None
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return moment.isoformat().replace("+00:00", "Z")


def minute(micros: int) -> str:
    """Microseconds UTC for people, to the minute."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def guarded(command: Any, args: Sequence[str]) -> int:
    """Run a command; whatever it raises becomes a message and an exit code, never a stack trace."""
    try:
        code = command.main(args=list(args), prog_name="crosstown", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence
        return _code_of(error)
    if code == INTERRUPTED:  # typer keeps the interruption itself, and says nothing
        err.print("stopped")
    return code if isinstance(code, int) else 0


def _code_of(error: BaseException) -> int:
    """Say what is wrong, and give its exit code."""
    match error:
        case CrosstownError():
            _say(error)
            return error.exit_code
        case typer.TyperException():  # usage: with the command's own words
            cast("Any", error).show()
            return int(cast("Any", error).exit_code)
        case typer.Exit():
            return error.exit_code
        case typer.Abort() | KeyboardInterrupt():
            err.print("stopped")
            return INTERRUPTED
        case _:
            return _inner_fault(error)


def _say(error: CrosstownError) -> None:
    _wrong(str(error))
    if isinstance(error, NotFound):
        for candidate in error.candidates:
            err.print(f"  {candidate}", markup=False)
    if error.mend:
        err.print(f"  -> {error.mend}", markup=False)


def _wrong(text: str) -> None:
    err.print(Text.assemble(("crosstown:", "bold red"), " ", text))


def _inner_fault(error: BaseException) -> int:
    _wrong(f"a fault of ours: {type(error).__name__}: {error}")
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix=f"crosstown-fault-{stamp}-", suffix=".txt", delete=False,
            encoding="utf-8", errors="backslashreplace",
        ) as file:  # fmt: skip
            traceback.print_exception(error, file=file)
    except OSError as why:
        err.print(f"  -> no file for a bug report can be written: {why.strerror}", markup=False)
    else:
        err.print(f"  -> what happened, for a bug report: {file.name}", markup=False)
    return 1
