"""Which store for the state of `cases`: SQLite twice, LMDB, RocksDB, on values of a neighbourhood's size.

python -m bench.stores    needs `pip install lmdb rocksdict` beside the dev group; without them SQLite only
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

COUNT, READS, BATCH = 200_000, 100_000, 5_000
Items = list[tuple[bytes, bytes]]


class Store(Protocol):
    """A store of bytes by key."""

    def put(self, items: Items) -> None:
        """All of these, in one transaction."""

    def get(self, key: bytes) -> bytes | None:
        """One value."""


class OneTable:
    """SQLite: keys and values in one table."""

    tables = "create table pair (key blob primary key, value blob) without rowid"

    def __init__(self, folder: Path) -> None:
        self.run = sqlite3.connect(folder / "store.sqlite", isolation_level=None).execute
        for pragma in ("journal_mode = wal", "synchronous = normal", "secure_delete = on",
                       "cache_size = -65536"):  # fmt: skip
            self.run(f"pragma {pragma}")
        for table in self.tables.split(";"):
            self.run(table)

    def put(self, items: Items) -> None:
        self.run("begin")
        for item in items:
            self.run("insert or replace into pair values (?, ?)", item)
        self.run("commit")

    def get(self, key: bytes) -> bytes | None:
        found = self.run("select value from pair where key = ?", (key,)).fetchone()
        return bytes(found[0]) if found else None


class TwoTables(OneTable):
    """SQLite as `crosstown/cases/state_store.py` has it: an index of keys, and bodies by number."""

    tables = (
        "create table node (key blob primary key, body integer) without rowid;"
        "create table body (id integer primary key, value blob)"
    )

    def put(self, items: Items) -> None:
        self.run("begin")
        for key, value in items:
            found = self.run("select body from node where key = ?", (key,)).fetchone()
            if found:
                self.run("update body set value = ? where id = ?", (value, found[0]))
            else:
                number = self.run("insert into body (value) values (?)", (value,)).lastrowid
                self.run("insert into node values (?, ?)", (key, number))
        self.run("commit")

    def get(self, key: bytes) -> bytes | None:
        found = self.run("select body from node where key = ?", (key,)).fetchone()
        if not found:
            return None
        return bytes(self.run("select value from body where id = ?", found).fetchone()[0])


class Lmdb:
    """LMDB, synced once a transaction."""

    def __init__(self, folder: Path) -> None:
        lmdb: Any = import_module("lmdb")
        self.env = lmdb.open(str(folder / "store"), map_size=4 << 30, sync=False)

    def put(self, items: Items) -> None:
        with self.env.begin(write=True) as transaction:
            for key, value in items:
                transaction.put(key, value)
        self.env.sync()

    def get(self, key: bytes) -> bytes | None:
        with self.env.begin() as transaction:
            found: bytes | None = transaction.get(key)
            return found


class RocksDb:
    """RocksDB with its defaults, its log synced once a batch."""

    def __init__(self, folder: Path) -> None:
        self.rocksdict: Any = import_module("rocksdict")
        options = self.rocksdict.Options(raw_mode=True)
        self.store = self.rocksdict.Rdict(str(folder / "store"), options)

    def put(self, items: Items) -> None:
        batch = self.rocksdict.WriteBatch(raw_mode=True)
        for key, value in items:
            batch.put(key, value)
        self.store.write(batch)
        self.store.flush_wal(True)

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self.store.get(key)
        return found


def rates(make: Callable[[Path], Store], folder: Path) -> list[float]:
    """Writes, reads, reads of what isn't there, rewrites: each a second."""
    dice = random.Random(1)
    values = [dice.randbytes(900) for _ in range(64)]
    keys = [f"us-xx-riverton/riverton-311/request/SR-{n}".encode() for n in range(COUNT)]
    shuffled = dice.sample(keys, COUNT)
    store = make(folder)

    def put(order: list[bytes], shift: int) -> None:
        for at in range(0, len(order), BATCH):
            some = order[at : at + BATCH]
            store.put([(key, values[(i + shift) % 64]) for i, key in enumerate(some)])

    def get(order: Iterable[bytes], there: bool) -> None:
        for key in order:
            assert (store.get(key) is not None) is there  # noqa: S101

    return [
        COUNT / _seconds(lambda: put(shuffled, 0)),
        READS / _seconds(lambda: get(shuffled[:READS], there=True)),
        READS / _seconds(lambda: get([key + b"x" for key in shuffled[:READS]], there=False)),
        READS / _seconds(lambda: put(keys[:READS], 1)),
    ]


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Print the table."""
    print("| store | write/s | read/s | absent/s | rewrite/s |\n|---|--:|--:|--:|--:|")
    for make in (TwoTables, OneTable, Lmdb, RocksDb):
        folder = Path(tempfile.mkdtemp(prefix="crosstown-stores-"))
        try:
            found = rates(make, folder)
            print(f"| {make.__name__} | " + " | ".join(f"{one:,.0f}" for one in found) + " |")
        except ImportError as error:
            print(f"{make.__name__} isn't measured: {error}", file=sys.stderr)
        finally:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
