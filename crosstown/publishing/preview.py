"""What publishing would say, without a broker: the first events, and the counts of whole files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosstown.completeness.tally import Expected
from crosstown.contracts.checked import Checked, Checker
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused
from crosstown.home import Home
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.publish import STDIN, FileReport, check_call, tally_of
from crosstown.publishing.rejects import closed
from crosstown.settings import Settings
from crosstown.source import Reject, Source

FIRST = 10
"""Rows of each file that are shown as events."""


@dataclass(slots=True)
class Preview:
    """One file: its first rows' events, how many there are, and what would be rejected."""

    report: FileReport
    events: int = 0
    first: list[Checked] = field(default_factory=list)


def preview(
    settings: Settings,
    repository: Repository,
    make: Callable[[Naming], Source],
    files: Sequence[Path],
    *,
    known_at: int | None = None,
    expected: Mapping[Path, Expected] | None = None,
) -> list[Preview]:
    """Read the files as publishing would; nothing is sent, written or remembered."""
    known_at = check_call(files, known_at)
    ledger = Home(settings.home).ledger
    names = {}
    if ledger.exists():
        with Ledger(ledger) as known:
            names = known.names()
    source = make(Naming(repository.agencies, names))
    source.survey([file for file in files if str(file) != STDIN])
    checker = Checker(repository, known_at, time.time_ns() // 1000)
    reports = [FileReport(file, tally=tally_of(file, expected)) for file in files]
    return [_file(report, checker, source) for report in reports]


def _file(report: FileReport, checker: Checker, source: Source) -> Preview:
    seen = Preview(report)
    shown = 0
    try:
        for row in checker.rows(source, report.file):
            if row == ():
                continue
            report.rows += 1
            if report.tally is not None:
                report.tally.row(closed(row) if isinstance(row, Reject) else row)
            if isinstance(row, Reject):
                seen.report.reject(closed(row))
                continue
            seen.events += len(row)
            if shown < FIRST:
                seen.first += row
                shown += 1
    except Refused as error:
        seen.report.refused, seen.report.mend = str(error), error.mend
    except OSError as error:
        seen.report.refused, seen.report.mend = f"unreadable: {error.strerror}", "look at the file"
    return seen
