"""Where the casebook lies: a SQLite file, or PostgreSQL by a setting; one way to ask either.

Statements are written once, with `:name` and `?` as SQLite has them; rows are asked by name.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from crosstown.casebook.schema import COUNTING, VIEWS
from crosstown.errors import Stop, Unavailable

if TYPE_CHECKING:
    import psycopg

Row = Mapping[str, Any]
_WRITER: Final = 0x63726F7373
"""The advisory lock that the one writer of a PostgreSQL casebook holds."""


class Store(Protocol):
    """One connection to a casebook."""

    name: str

    @property
    def words(self) -> Mapping[str, str]:
        """What this database has for the words in braces of `casebook_schema`."""

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows of a query."""

    def stream(self, sql: str) -> Iterator[tuple[list[str], Sequence[Any]]]:
        """A reader's own query: each row with the names of its columns, as they come."""

    def run(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """One statement."""

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """One statement for each of the values."""

    def transaction(self) -> Any:
        """A context: all or nothing."""

    def tables(self) -> set[str]:
        """The names of the casebook's tables and views that are there."""

    def grants(self) -> list[str]:
        """What others may do with the views, as statements that grant it again."""

    def tidy(self) -> None:
        """Leave nothing of deleted rows behind; outside a transaction."""

    def close(self) -> None:
        """Give the connection back."""


LOCKED: Final = 10.0
"""Seconds for which another process may hold the file before it's said."""
_ELSEWHERE: Final = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)  # fmt: skip
"""What SQLite says when the fault is the disk's or the folder's."""


class Sqlite:
    """A SQLite file; readers and the writer never wait for one another."""

    words: Final = {
        "int": "integer", "blob": "blob", "empty": "delete from {0}",
        "at": "strftime('%Y-%m-%d %H:%M:%S', {0} / 1000000, 'unixepoch')",
        "agency": "substr({0}, 1, instr({0}, '/') - 1)",
        "after_dot": "substr({0}, instr({0}, '.') + 1)",
    }  # fmt: skip

    def __init__(self, file: Path, *, read_only: bool) -> None:
        self.name = str(file)
        self._file = file
        if read_only:
            self._db = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
            self._db.execute("pragma query_only = on")
        else:
            with self._taken():
                self._db = sqlite3.connect(file, timeout=LOCKED, isolation_level=None)
                self._db.execute("pragma journal_mode = wal")
                self._db.execute("pragma synchronous = normal")
                self._db.execute("pragma secure_delete = on")
                file.chmod(0o600)  # payloads are in it
        self._db.row_factory = sqlite3.Row

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows of a query."""
        return self._db.execute(sql, values).fetchall()

    def stream(self, sql: str) -> Iterator[tuple[list[str], Sequence[Any]]]:
        """A reader's own query: each row with the names of its columns, as they come."""
        try:
            found = self._db.execute(sql)
            names = [one[0] for one in found.description or ()]
            yield names, ()
            for row in found:
                yield names, tuple(row)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise Stop(f"the casebook says: {error}", mend=_VIEWS) from None

    def run(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """One statement."""
        self._db.execute(sql, values)

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """One statement for each of the values."""
        self._db.executemany(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; `Unavailable` while the file can't be written."""
        with self._taken():
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("rollback")
                raise

    @contextmanager
    def _taken(self) -> Iterator[None]:
        """What stands in the way of writing is somebody else's, and passes."""
        try:
            yield
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Unavailable(f"{self.name} is locked by another process; {_open_in(self._file)}",
                                  mend="end that process, or wait until it is done") from None  # fmt: skip
            if code in _ELSEWHERE:
                raise Unavailable(f"{self.name} can't be written: {error}",
                                  mend=f"look at its disk: df -h {shlex.quote(self.name)}") from None  # fmt: skip
            raise

    def tables(self) -> set[str]:
        """The names of tables and views that are there."""
        found = self._db.execute("select name from sqlite_master where type in ('table', 'view')")
        return {row["name"] for row in found}

    def grants(self) -> list[str]:
        """None: who may read the file may read it all."""
        return []

    def tidy(self) -> None:
        """Deleted rows were overwritten; the log of changes that still has them is emptied."""
        self._db.execute("pragma wal_checkpoint(truncate)").fetchall()

    def close(self) -> None:
        """Give the file back."""
        self._db.close()


def _open_in(file: Path) -> str:
    """Which other processes have a file open, in words."""
    import psutil  # type: ignore[import-untyped]

    from crosstown.processes.living import holding

    found = []
    for process in holding(file):
        with suppress(psutil.Error):
            found.append(f"{process.name()} (pid {process.pid})")
    shown = ", ".join(sorted(found))
    return f"open in {shown}" if shown else "no process that has it open can be seen"


class Postgres:
    """A PostgreSQL database, schema `crosstown`."""

    words: Final = {
        "int": "bigint", "blob": "bytea", "empty": "truncate {0}", "at": "to_timestamp({0} / 1000000.0)",
        "agency": "split_part({0}, '/', 1)", "after_dot": "split_part({0}, '.', 2)",
    }  # fmt: skip

    def __init__(self, url: str, *, read_only: bool) -> None:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
        from psycopg.rows import dict_row

        try:
            about = conninfo_to_dict(url)
            self.name = f"{about.get('host', 'localhost')}/{about.get('dbname', '')}"
            db: psycopg.Connection[dict[str, Any]] = psycopg.connect(
                url, autocommit=True, row_factory=dict_row, connect_timeout=5,
                application_name="crosstown",
            )  # fmt: skip
        except psycopg.ProgrammingError as error:
            raise Stop(f"CROSSTOWN_CASEBOOK can't be read: {_line(error)}",
                       mend="say e.g. postgresql://user:password@host/database") from None  # fmt: skip
        except psycopg.OperationalError as error:
            raise Unavailable(f"no casebook in PostgreSQL: {_line(error)}",
                              mend="look at CROSSTOWN_CASEBOOK: host, database, user, password") from None  # fmt: skip
        self._db = db
        self._errors = psycopg.Error
        self._depends = psycopg.errors.DependentObjectsStillExist
        if read_only:
            db.execute("set default_transaction_read_only = on")
            db.execute("set statement_timeout = '60s'")
        db.execute("set search_path = crosstown")
        db.execute("set client_min_messages = warning")

    def claim(self) -> None:
        """Be the one writer; `Unavailable` while another is."""
        try:
            found = self._db.execute(
                "select pg_try_advisory_lock(%s) as mine", [_WRITER]
            ).fetchone()
            if found is None or not found["mine"]:
                raise Unavailable(f"another casebook program writes to {self.name}",
                                  mend="end it: one writes, many may read")  # fmt: skip
            self._db.execute("create schema if not exists crosstown")
        except self._errors as error:
            raise Unavailable(f"PostgreSQL at {self.name}: {_line(error)}",
                              mend="the casebook's user needs the right to create a schema") from None  # fmt: skip

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._said():
            return list(
                self._db.execute(
                    _translated(sql) if values else sql.encode(), values or None
                ).fetchall()
            )

    def stream(self, sql: str) -> Iterator[tuple[list[str], Sequence[Any]]]:
        """A reader's own query: each row with the names of its columns, as they come."""
        from psycopg.rows import tuple_row

        try:
            with (
                self._db.transaction(),
                self._db.cursor("asked", row_factory=tuple_row) as found,
            ):
                found.execute(sql.encode())
                names = [one.name for one in found.description or ()]
                yield names, ()
                for row in found:
                    yield names, row
        except self._errors as error:
            raise Stop(f"the casebook says: {_line(error)}", mend=_VIEWS) from None

    def run(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """One statement."""
        with self._said():
            self._db.execute(_translated(sql) if values else sql.encode(), values or None)

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """One statement for each of the values."""
        if values:
            with self._said(), self._db.cursor() as cursor:
                cursor.executemany(_translated(sql), values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with self._said(), self._db.transaction():
            yield

    def tables(self) -> set[str]:
        """The names of tables and views that are there."""
        found = self.rows(
            "select table_name from information_schema.tables where table_schema = 'crosstown'"
        )
        return {row["table_name"] for row in found}

    def grants(self) -> list[str]:
        """What others may do with the views, as statements that grant it again; columns aside."""
        return [row["again"] for row in self.rows(_GRANTS) if row["view"] in VIEWS]

    def tidy(self) -> None:
        """Dead rows are removed from the tables' files."""
        for table in sorted(one for one in self.tables() if one.startswith("raw_")):
            self.run(f"vacuum {table}")

    def close(self) -> None:
        """Give the connection back."""
        self._db.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except self._depends as error:
            raise Stop(f"what others built stands on the casebook's views: {_line(error)}",
                       mend="drop it, let the casebook start, build it again on the new views") from None  # fmt: skip
        except self._errors as error:
            raise Unavailable(f"PostgreSQL at {self.name}: {_line(error)}",
                              mend="see its log; the program tries again") from None  # fmt: skip


_GRANTS: Final = """
select c.relname as view, format('grant %s on %I to %s%s', a.privilege_type, c.relname,
  case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
  case when a.is_grantable then ' with grant option' else '' end) as again
from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
where n.nspname = 'crosstown' and c.relkind = 'v' and a.grantee <> c.relowner
order by 1, 2"""
_VIEWS: Final = (
    "crosstown sql without a query lists the views; docs/casebook.md has an example for each"
)


@lru_cache(maxsize=256)
def _translated(sql: str) -> bytes:
    """A statement of ours as psycopg has it."""
    escaped = sql.replace("%", "%%").replace("?", "%s")
    return re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", escaped).encode()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def filled(text: str, words: Mapping[str, str]) -> str:
    """A statement with a dialect's words in it: `{int}`, `{at:column}`; and `{counting}`."""
    words = {**words, "counting": COUNTING}
    return re.sub(
        r"\{(\w+)(?::([\w.]+))?\}",
        lambda found: words[found[1]].replace("{0}", found[2] or ""),
        text,
    )
