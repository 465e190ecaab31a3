"""Whether the contract repository can be read: without it no program starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crosstown.contracts.repository import Repository, shipped
from crosstown.doctor.finding import Finding, Severity
from crosstown.errors import CrosstownError
from crosstown.settings import Settings


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading it."""

    path: str
    problem: str = ""
    mend: str = ""


def look(settings: Settings) -> Read:
    """Read it as each program does at its start."""
    path = str(settings.schemas or shipped())
    try:
        Repository.of(settings)
    except CrosstownError as error:
        return Read(path, str(error), error.mend)
    except OSError as error:
        return Read(path, str(error), "look at CROSSTOWN_SCHEMAS")
    return Read(path)


def judge(read: Read) -> Iterator[Finding]:
    """A repository that no program can start with."""
    if read.problem:
        yield Finding(
            "contracts", Severity.CRITICAL, f"the contracts in {read.path} can't be read",
            "whoever last changed the contracts", read.problem,
            (f"crosstown check {read.path}", *([read.mend] if read.mend else [])),
        )  # fmt: skip
