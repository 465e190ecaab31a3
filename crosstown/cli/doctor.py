"""`crosstown doctor`: what is wrong here, whose it is, why, and what to type."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.text import Text

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings

if TYPE_CHECKING:
    from crosstown.doctor.examination import Report
    from crosstown.doctor.finding import Finding

COLOURS: Final = {"critical": "bold red", "warning": "yellow", "note": "dim"}


def command(home: HomeOption = None, output: OutputOption = Output.HUMAN) -> None:
    """Look for what is wrong: for each finding its cause, whose it is, and what to type.

    Changes nothing, and works where nothing runs. Ends with 0 where all is well (notes are allowed),
    3 with warnings, 5 where something can't be taken or told now.

    Example: `crosstown doctor`, or `crosstown doctor -o json` for programs.
    """
    from crosstown.doctor.examination import examine
    from crosstown.doctor.finding import EXIT

    given = settings(home)
    with err.status("looking") as status:
        report = examine(given, lambda left: status.update(f"looking at {', '.join(left)}"))
    where = f" --home {shlex.quote(str(home))}" if _named(home) else ""
    if output is Output.JSON:
        print_json(as_json(report, where))
    else:
        show(report, where)
    if code := EXIT[report.severity]:
        raise typer.Exit(code)


def _named(home: Path | None) -> bool:
    """Whether somebody who types the mend must name the home, too."""
    return home is not None and str(home) != os.environ.get("CROSSTOWN_HOME", "")


def typed(line: str, where: str) -> str:
    """A line of a mend as it is typed: at a home that was named, its name is part of it."""
    return f"{line}{where}" if line.startswith("crosstown ") else line


def as_json(report: Report, where: str = "") -> dict[str, Any]:
    """For programs; `where` is what a command needs to find the home."""
    return {
        "severity": report.severity.word if report.findings else "ok",
        "findings": [
            {"check": one.check, "severity": one.severity.word, "what": one.what, "whose": one.whose,
             "cause": one.cause, "mend": [typed(line, where) for line in one.mend]}
            for one in report.findings
        ],
        "checks": [
            {"name": one.check, "state": one.state, "why": one.why} for one in report.results
        ],
        "seconds": round(report.seconds, 3),
    }  # fmt: skip


def show(report: Report, where: str) -> None:
    """The gravest first; then what wasn't looked at; last, what was."""
    for one in report.findings:
        _finding(one, where)
    for result in report.results:
        if result.state == "skipped":
            out.print(f"not looked at: {result.check} ({result.why})", markup=False)
    well = [one.check for one in report.results if one.state == "ok"]
    if well:
        out.print(f"well: {', '.join(well)}", markup=False)
    out.print(f"{_counted(report.findings)} in {report.seconds:.1f} s", markup=False)


def _finding(one: Finding, where: str) -> None:
    out.print(
        Text.assemble((one.severity.word.upper(), COLOURS[one.severity.word]), "  ", one.what)
    )
    out.print(f"  whose: {one.whose}", markup=False)
    out.print(f"  cause: {one.cause}", markup=False)
    for line in one.mend:
        out.print(f"  -> {typed(line, where)}", markup=False)
    out.print()


def _counted(findings: Sequence[Finding]) -> str:
    words = [one.severity.word for one in findings]
    said = [
        f"{words.count(word)} {word}" for word in ("critical", "warning", "note") if word in words
    ]
    return ", ".join(said) if said else "nothing is wrong, as far as was looked,"
