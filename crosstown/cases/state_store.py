"""A shard's local store: a SQLite file of neighbourhoods, and the offset that they stand at.

Every write is of committed data and one SQLite transaction. A fold from the offset is right even
where a part stands further on, since the state is a function of the set of sayings. Whatever is in
doubt is deleted: the log has it all. Chosen by `bench/stores.py`; docs/decisions/0014.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from crosstown.cases.neighbourhoods import Kept
from crosstown.errors import Unavailable

log = logging.getLogger(__name__)

FORMAT: Final = "1"
_PRAGMAS: Final = (
    "locking_mode = exclusive", "journal_mode = wal", "synchronous = normal", "secure_delete = on",
    "cache_size = -65536",
)  # fmt: skip
_TABLES: Final = """
create table about (name text primary key, value text not null) without rowid;
create table place (id integer primary key, name text not null unique);
create table hood (
  id integer primary key, place integer not null, records integer not null, waits integer not null,
  body blob not null
);
create index figures on hood (records, waits, place);
create table node (
  place integer not null, node text not null, hood integer not null, primary key (place, node)
) without rowid;
create table word (content blob not null, known_at integer not null, envelope blob not null,
  primary key (content, known_at)) without rowid;
"""


class StateStore:
    """One shard's store; `offset` is where the log is to be read from, `away` what only it holds.

    Where no file can be made or opened it lies in memory; where reading fails the file is deleted
    and `Unavailable` raised: the next start makes a new one from the log.
    """

    def __init__(self, path: Path, of: str) -> None:
        """`of` says whose state it is: a store of something else is deleted."""
        self._path = path
        self._in_file = True
        self._connection = self._open(of)
        self.offset = int(self._said("offset") or 0)
        self.away: dict[int, int] = dict(self._rows("select id, records from hood"))
        """Of each neighbourhood that isn't in memory, the number of its records."""
        self.records = sum(self.away.values())
        self._next = max(self.away, default=0) + 1
        self._places = self._known_places()

    @property
    def size(self) -> int:
        """How large its files are, bytes; 0 where it lies in memory."""
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists()) if self._in_file else 0

    def find(self, jurisdiction: str, node: str) -> int:
        """The neighbourhood that a node belongs to; 0 = none that only the store has."""
        if not self.away:
            return 0
        found = self._rows(
            "select hood from node where place = ? and node = ?",
            (self._places.get(jurisdiction), node),
        )
        hood = int(found[0][0]) if found else 0
        return hood if hood in self.away else 0

    def body(self, hood: int) -> bytes:
        """Its sayings."""
        ((body,),) = self._rows("select body from hood where id = ?", (hood,))
        return bytes(body)

    def fetched(self, hood: int) -> None:
        """It's in memory now."""
        self.records -= self.away.pop(hood, 0)

    def put_away(self, hood: int, records: int) -> None:
        """It isn't in memory any more."""
        self.away[hood] = records
        self.records += records

    def jurisdictions(self) -> list[str]:
        """All of which something was ever kept."""
        return list(self._places)

    def new_id(self) -> int:
        """A number for a neighbourhood that was never kept."""
        self._next += 1
        return self._next - 1

    def nodes(self, jurisdiction: str) -> Iterable[tuple[str, int]]:
        """All nodes of a jurisdiction that aren't in memory, each with its neighbourhood."""
        rows = self._rows(
            "select node, hood from node where place = ?", (self._places.get(jurisdiction),)
        )
        return [(node, hood) for node, hood in rows if hood in self.away]

    def waiting(self) -> list[tuple[str, int]]:
        """What must be in memory, since something in it is to be forgotten: jurisdiction and number."""
        return self._rows(
            "select p.name, h.id from hood h join place p on p.id = h.place where waits"
        )

    def words(self) -> list[tuple[bytes, int, bytes]]:
        """All that was said of erasing: content, known_at, envelope."""
        return self._rows("select content, known_at, envelope from word")

    def write(
        self, kept: Iterable[Kept], words: Iterable[tuple[bytes, int, bytes]] = (),
        offset: int | None = None,
    ) -> bool:  # fmt: skip
        """Keep neighbourhoods and words on erasing, and where the log is to be read from.

        False, and nothing written, where the disk is full or broken: what is there stays good.
        """
        run = self._connection.execute
        anew = False
        try:
            run("begin immediate")
            for one in kept:
                anew |= one.anew
                self._keep(one)
            for word in words:
                run("insert or ignore into word values (?, ?, ?)", word)
            if offset is not None:
                run("insert or replace into about values ('offset', ?)", (str(offset),))
            run("commit")
            if anew:  # leave nothing of what was forgotten in the log of writes
                run("pragma wal_checkpoint(truncate)")
        except sqlite3.Error as error:
            log.error("the local store can't be written: %s", error)  # noqa: TRY400
            if self._connection.in_transaction:
                self._connection.rollback()
            self._places = self._known_places()
            return False
        if offset is not None:
            self.offset = offset
        return True

    def limit(self, pages: int) -> int:
        """Let the file grow to so many pages at most; gives the limit that it had."""
        ((before,),) = self._rows("pragma max_page_count")
        self._rows(f"pragma max_page_count = {pages:d}")
        return int(before)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def discard(self) -> None:
        """Delete it: it's in doubt."""
        self._connection.close()
        if self._in_file:
            delete(self._path)

    def _keep(self, one: Kept) -> None:
        run = self._connection.execute
        place = self._places.get(one.jurisdiction)
        if place is None:
            place = self._places[one.jurisdiction] = len(self._places) + 1
            run("insert into place values (?, ?)", (place, one.jurisdiction))
        for number in one.joined:
            run("delete from hood where id = ?", (number,))
        if one.anew:
            for number in (one.id, *one.joined):
                run("delete from node where hood = ?", (number,))
        if not one.body:
            run("delete from hood where id = ?", (one.id,))
            return
        run(
            "insert or replace into hood values (?, ?, ?, ?, ?)",
            (one.id, place, one.records, one.waits, one.body),
        )
        self._connection.executemany(
            "insert or replace into node values (?, ?, ?)",
            [(place, node, one.id) for node in one.nodes],
        )

    def _open(self, of: str) -> sqlite3.Connection:
        try:
            return self._connected(str(self._path), of)
        except sqlite3.OperationalError as error:
            log.warning("no local store, all is kept in memory: %s: %s", self._path, error)
            self._in_file = False
            return self._connected(":memory:", of)
        except sqlite3.DatabaseError as error:
            log.warning("%s is made anew from the log: %s", self._path, error)
            delete(self._path)
            return self._connected(str(self._path), of)

    @staticmethod
    def _connected(path: str, of: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, timeout=1)
        try:
            run = connection.execute
            for pragma in _PRAGMAS:
                run(f"pragma {pragma}")
            if not run("select 1 from sqlite_master").fetchone():
                connection.executescript(f"begin; {_TABLES} commit;")
                run("insert into about values ('of', ?)", (f"{FORMAT} {of}",))
            if run("select value from about where name = 'of'").fetchone() != (f"{FORMAT} {of}",):
                raise sqlite3.DatabaseError("it's of another topic or version")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _known_places(self) -> dict[str, int]:
        return {name: number for number, name in self._rows("select id, name from place")}

    def _said(self, name: str) -> str | None:
        found = self._rows("select value from about where name = ?", (name,))
        return found[0][0] if found else None

    def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.ProgrammingError:  # closed: the shard is another's now
            raise Unavailable(f"the local store {self._path.name} is closed") from None
        except sqlite3.DatabaseError as error:
            self.discard()
            raise Unavailable(
                f"the local store {self._path.name} is broken and deleted: {error}",
                mend="nothing is lost: the next start makes it anew from the log",
            ) from None


def delete(path: Path) -> None:
    """Delete a store's files."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def clear(folder: Path, groups: Collection[str]) -> None:
    """Delete the stores of groups that are no more: those of an earlier generation."""
    for file in folder.glob("cases*.sqlite"):
        if file.name.partition("-")[0] not in groups:
            delete(file)
