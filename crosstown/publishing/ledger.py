"""What this home has published and had acknowledged: each saying of each event.

A source that repeats itself publishes only what changed: the content that counts, said again, isn't
sent. Where it was said again with a time of its own it is kept as `later`: should an older saying of
another content come only then, the later one must follow it, or the older one would count.

SQLite beside the home's other files. It is written only after the broker has acknowledged; who
deletes it only publishes everything again, which changes no case.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from crosstown.errors import Stop, Unavailable
from crosstown.health.room import no_room

ROOM: Final = 1_000_000
"""Bytes that a new ledger may need before it can say anything."""
_MANY: Final = 500
_THESE: Final = ",".join("?" * _MANY)
_SAID: Final = f"SELECT event_id, known_at, content FROM said WHERE event_id IN ({_THESE})"  # noqa: S608 - only question marks
_LATER: Final = f"SELECT * FROM later WHERE event_id IN ({_THESE})"  # noqa: S608 - likewise
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS said (
  event_id BLOB, known_at INTEGER, content BLOB, PRIMARY KEY (event_id, known_at, content)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS later (
  event_id BLOB PRIMARY KEY, known_at INTEGER NOT NULL, content BLOB NOT NULL,
  topic TEXT NOT NULL, record TEXT NOT NULL, via TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejects (file TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (
  scope TEXT NOT NULL, name TEXT NOT NULL, agency TEXT NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Later:
    """What the content that counts was said again later, with a time of its own, and not sent."""

    event_id: bytes
    known_at: int
    content: bytes
    topic: str
    record: str
    via: str
    body: bytes


@dataclass(slots=True)
class Heard:
    """What this home has said of one event: (known_at, content) each, and the one `later`."""

    said: set[tuple[int, bytes]] = field(default_factory=set)
    later: Later | None = None

    def knows(self, known_at: int, content: bytes) -> bool:
        """Whether saying this adds nothing: said before, or the content that counts anyway."""
        if not self.said:
            return False
        _, counts = max(self.said)
        return counts == content or (known_at, content) in self.said

    def is_later(self, known_at: int, content: bytes) -> bool:
        """Whether the content that counts is heard at a time behind all that is known."""
        counts_since, counts = max(self.said)
        since = max(counts_since, self.later.known_at if self.later else counts_since)
        return counts == content and known_at > since


def _kept(file: Path) -> str | bytes:
    """A path as SQLite can keep it: as text, or as its bytes where they are none in UTF-8."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return os.fsencode(file)
    return str(file)


class Ledger:
    """The ledger in a file; a context manager. Several processes may use it at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, timeout=30, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            if full := file.parent.is_dir() and no_room(file.parent, ROOM):
                raise Unavailable(f"{file} can't be used: {full}",
                                  mend="make room there, then publish again") from None  # fmt: skip
            raise Stop(f"{file} can't be used: {error}",
                       mend="move it away: everything is then published once more") from None  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._db.close()

    def heard(self, event_ids: Sequence[bytes]) -> dict[bytes, Heard]:
        """What was acknowledged of each of these events that was ever said."""
        found: dict[bytes, Heard] = {}
        for start in range(0, len(event_ids), _MANY):
            some = event_ids[start : start + _MANY]
            padded = (*some, *[None] * (_MANY - len(some)))
            for event, known_at, content in self._db.execute(_SAID, padded):
                found.setdefault(event, Heard()).said.add((known_at, content))
            for row in self._db.execute(_LATER, padded):
                found.setdefault(row[0], Heard()).later = Later(*row)
        return found

    def learn(self, said: Iterable[tuple[bytes, int, bytes]], later: Iterable[Later]) -> None:
        """Note (event id, known_at, content) that were acknowledged, and what was heard later."""
        with self._writing():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO said VALUES (?, ?, ?)", said)
            self._db.executemany("INSERT OR REPLACE INTO later VALUES (?, ?, ?, ?, ?, ?, ?)",
                                 [astuple(one) for one in later])  # fmt: skip
            self._db.execute("COMMIT")

    def wrote_rejects(self, file: Path) -> None:
        """Remember where rejects were written, so that an erased record's can be taken out."""
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO rejects VALUES (?)", (_kept(file.absolute()),))

    def reject_files(self) -> list[Path]:
        """Every file into which this home ever wrote rejects."""
        return [
            Path(os.fsdecode(file))
            for (file,) in self._db.execute("SELECT file FROM rejects ORDER BY file")
        ]

    def forget(self, record: str) -> int:
        """Take out the bodies that are kept of a record; returns how many there were."""
        self._db.execute("PRAGMA secure_delete = ON")
        gone = self._db.execute("DELETE FROM later WHERE record = ?", (record,)).rowcount
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return gone

    def names(self) -> dict[tuple[str, str], str]:
        """The agencies' ids by (scope, name) under which this home has published."""
        return {(scope, name): agency
                for scope, name, agency in self._db.execute("SELECT * FROM names")}  # fmt: skip

    def learn_names(self, names: Mapping[tuple[str, str], str]) -> None:
        """Note under which ids undeclared agencies were published; the first one stays."""
        rows = [(scope, name, agency) for (scope, name), agency in names.items()]
        with self._writing():
            self._db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", rows)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """`Unavailable` where it can't be written now: what was acknowledged is then said once more."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise Unavailable(
                f"{self._file} can't be written: {error}",
                mend="make room there, then publish again: what is said twice counts once",
            ) from None
