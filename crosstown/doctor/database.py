"""Whether the casebook's database answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from crosstown.casebook.casebook import connect
from crosstown.doctor.finding import OPERATIONS, Finding, Severity
from crosstown.errors import CrosstownError
from crosstown.home import Home
from crosstown.settings import Settings


@dataclass(frozen=True, slots=True)
class Database:
    """`problem` is what the database says, empty where it answers; `file`: a SQLite file's name."""

    file: str
    problem: str
    mend: str = ""


def look(settings: Settings) -> Database:
    """Connect and read, as `crosstown cases` does; a file that isn't there yet is no fault."""
    file = "" if settings.casebook else str(Home(settings.home).casebook)
    if file and not Home(settings.home).casebook.exists():
        return Database(file, "")
    try:
        db = connect(settings, read_only=True)
        try:
            db.tables()
        finally:
            db.close()
    except CrosstownError as error:
        return Database(file, str(error), error.mend)
    except (sqlite3.Error, OSError) as error:
        return Database(file, str(error))
    return Database(file, "")


def judge(database: Database) -> Iterator[Finding]:
    """A database that doesn't answer, or a file that is none."""
    if not database.problem:
        return
    if database.file:
        yield Finding(
            "casebook", Severity.CRITICAL, f"the casebook {database.file} can't be read", OPERATIONS,
            f"{database.problem}; it holds nothing that can't be computed again",
            ("crosstown down", f"mv {database.file} {database.file}.broken", "crosstown up --detach"),
        )  # fmt: skip
        return
    yield Finding(
        "casebook", Severity.CRITICAL, "the casebook's database doesn't answer",
        "whoever runs PostgreSQL",
        f"{database.problem}; cases can't be looked up, and what comes meanwhile is caught up later",
        (database.mend or "look at CROSSTOWN_CASEBOOK", "pg_isready -h HOST -p 5432"),
    )  # fmt: skip
