"""Publishing a source's files: what is new goes to Kafka, what can't be said is a reject."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crosstown.completeness.counted import CONTRACT
from crosstown.completeness.tally import MEND, Expected, Tally
from crosstown.contracts.checked import HOUR, Checker
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.home import Endpoints, Home
from crosstown.moments import day_of
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.rejects import Lines, Rejects, check_place, closed
from crosstown.publishing.sending import PATIENCE, Sending
from crosstown.settings import Settings
from crosstown.source import Reject, Said, Source

STDIN: Final = "-"
Progress = Callable[["FileReport | None"], None]
"""Called with the file that is being read now and then, and with None while the broker is away."""


@dataclass(slots=True)
class FileReport:
    """What became of one file; `refused` says why where it couldn't be read as a whole."""

    file: Path
    rows: int = 0
    published: int = 0
    already_known: int = 0
    rejected: int = 0
    refused: str = ""
    mend: str = ""
    rejects: Path | None = None
    rejects_problem: str = ""
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Reject] = field(default_factory=dict)
    tally: Tally | None = None
    """What was found of it beside what the source had counted; None: nobody said how many there are."""
    not_counted: str = ""
    """Why the source's count couldn't be kept; empty: it was, or there is none."""

    def arrived(self, new: bool) -> None:
        """Count one event: acknowledged as new, or already known."""
        if new:
            self.published += 1
        else:
            self.already_known += 1

    def reject(self, one: Reject) -> None:
        """Count one row that says nothing that can be sent."""
        self.rejected += 1
        reason = one.reason.partition(":")[0]
        self.reasons[reason] += 1
        self.examples.setdefault(reason, one)


class NotAcknowledged(Unavailable):
    """The broker or the registry went away; `reports` say what had arrived by then."""

    def __init__(self, error: Unavailable, reports: list[FileReport]) -> None:
        done = sum(one.published for one in reports)
        super().__init__(f"{error}; {done:,} events were acknowledged", mend=error.mend)
        self.reports = reports


def check_call(files: Sequence[Path], known_at: int | None) -> int:
    """The call's `known_at`, microseconds UTC; `Stop` where a file is missing or it lies ahead."""
    for file in files:
        if str(file) != STDIN and not file.is_file():
            what = "is a folder" if file.is_dir() else "isn't there"
            raise Stop(f"{file} {what}; nothing was sent", mend="name the files to publish")
    now = time.time_ns() // 1000
    if known_at is not None and known_at > now + HOUR:
        raise Stop("--known-at is over an hour in the future", mend="say when the source said so")
    return now if known_at is None else known_at


def publish(
    settings: Settings,
    endpoints: Endpoints,
    repository: Repository,
    make: Callable[[Naming], Source],
    files: Sequence[Path],
    *,
    known_at: int | None = None,
    rejects: Path | None = None,
    progress: Progress = lambda _: None,
    patience: float = PATIENCE,
    expected: Mapping[Path, Expected] | None = None,
) -> list[FileReport]:
    """Publish the files of a source; what was said before and acknowledged isn't sent again.

    `expected` is what the source itself has counted, by file: it is published, too, once all else is
    acknowledged, with what was found.

    Raises `Stop` before anything is sent, `NotAcknowledged` where the cluster doesn't answer.
    """
    said_when, known_at = known_at, check_call(files, known_at)
    if rejects is not None and any(_same(rejects, file) for file in files):
        raise Stop(f"{rejects} is one of the files to publish", mend="give --rejects another name")
    reports: list[FileReport] = []
    with Ledger(Home(settings.home).ledger) as ledger:
        ours = set(ledger.reject_files())
        for place in [rejects] if rejects is not None else map(_beside, files):
            check_place(place, ours)
        naming = Naming(repository.agencies, ledger.names())
        source = make(naming)
        source.survey([file for file in files if str(file) != STDIN])
        now = known_at if said_when is None else _clock()
        by_and_by = any(str(file) == STDIN for file in files)
        checker = Checker(repository, known_at, now, _clock if by_and_by else None)
        try:
            with (
                Sending(settings, endpoints, ledger, lambda: progress(None), patience) as sending,
                _rejects_of_all(rejects) as common,
            ):
                for file in files:
                    reports.append(FileReport(file, tally=tally_of(file, expected)))
                    with _rejects_of(file, common) as own:
                        _file(reports[-1], checker, source, sending, own, progress)
                    reports[-1].rejects_problem = own.problem
                sending.finish()
                for report in reports:
                    _say_count(report, checker, repository, sending)
                sending.finish()
        except Unavailable as error:
            raise NotAcknowledged(error, reports) from None
        finally:
            ledger.learn_names(naming.given)
            for report in reports:
                if report.rejects is not None:
                    ledger.wrote_rejects(report.rejects)
    return reports


def _clock() -> int:
    return time.time_ns() // 1000


def _file(
    report: FileReport, checker: Checker, source: Source, sending: Sending, rejects: Rejects,
    progress: Progress,
) -> None:  # fmt: skip
    lines = Lines(report.file)
    try:
        for row in checker.rows(source, report.file):
            if row == ():
                sending.push()
                progress(report)
                continue
            report.rows += 1
            if report.tally is not None:
                report.tally.row(closed(row) if isinstance(row, Reject) else row)
            if isinstance(row, Reject):
                whole = (
                    row if row.raw else Reject(row.row, row.column, row.reason, lines.line(row.row))
                )
                shown = closed(whole)
                report.reject(shown)
                rejects.add(report.file, shown)
                continue
            for event in row:
                sending.send(event, report.arrived)
            if report.rows % 1000 == 0:
                progress(report)
    except Refused as error:
        report.refused, report.mend = str(error), error.mend
    except OSError as error:
        report.refused, report.mend = f"unreadable: {error.strerror}", "look at the file"
    finally:
        lines.close()
    progress(report)
    if report.rejected:
        report.rejects = rejects.path


def tally_of(file: Path, expected: Mapping[Path, Expected] | None) -> Tally | None:
    """What a file is held against while it is read; None where nobody has counted it."""
    found = (expected or {}).get(file)
    return None if found is None else Tally(found)


def _say_count(
    report: FileReport, checker: Checker, repository: Repository, sending: Sending
) -> None:
    """Publish the source's count of one file as the word of the agency whose rows they are."""
    if report.tally is None:
        return
    of = report.tally.of()
    agency = None if isinstance(of, str) else repository.agencies.get(of[1])
    if isinstance(of, str) or agency is None or of[0] not in repository.contracts:
        why = of if isinstance(of, str) else f"no contract {of[0]} of {of[1]} is here"
        report.not_counted = f"{why}; {MEND}"
        return
    name = "stdin" if str(report.file) == STDIN else report.file.name
    count = report.tally.count(*of, day=day_of(checker.known_at), file=name,
                               known=report.already_known, refused=report.refused)  # fmt: skip
    said = count.body(agency.jurisdiction, checker.now)
    sending.send(checker.check(Said(CONTRACT, agency.id, said, 0, checker.now)), lambda _new: None)


@contextmanager
def _rejects_of_all(path: Path | None) -> Iterator[Rejects | None]:
    if path is None:
        yield None
    else:
        with Rejects(path, several=True) as rejects:
            yield rejects


def _rejects_of(file: Path, common: Rejects | None) -> Rejects | nullcontext[Rejects]:
    if common is not None:
        return nullcontext(common)
    return Rejects(_beside(file), several=False)


def _beside(file: Path) -> Path:
    name = "stdin" if str(file) == STDIN else file.name
    return file.with_name(f"{name}.rejects.csv")


def _same(one: Path, file: Path) -> bool:
    """Whether both are one file that is there, however they are spelt."""
    try:
        return str(file) != STDIN and one.samefile(file)
    except OSError:
        return False
