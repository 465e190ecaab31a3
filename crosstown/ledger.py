"""What this home has published and had acknowledged: each event's content as last said.

SQLite beside the home's other files. It is written only after the broker has acknowledged; who
deletes it only publishes everything again, which changes no case.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from crosstown.errors import Stop

_MANY: Final = 500
_ASK: Final = f"SELECT event_id, content FROM published WHERE event_id IN ({','.join('?' * _MANY)})"  # noqa: S608 - only question marks
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS published (
  event_id BLOB PRIMARY KEY, content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (
  scope TEXT NOT NULL, name TEXT NOT NULL, agency TEXT NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
"""


class Ledger:
    """The ledger in a file; a context manager. Several processes may use it at once."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(file, timeout=30, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
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

    def contents(self, event_ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """The content last acknowledged of each of these events that has any."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(event_ids), _MANY):
            some = event_ids[start : start + _MANY]
            padded = (*some, *[None] * (_MANY - len(some)))
            found.update(self._db.execute(_ASK, padded))
        return found

    def learn(self, said: Iterable[tuple[bytes, bytes]]) -> None:
        """Note (event id, content) pairs that were acknowledged, in that order."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR REPLACE INTO published VALUES (?, ?)", said)
        self._db.execute("COMMIT")

    def names(self) -> dict[tuple[str, str], str]:
        """The agencies' ids by (scope, name) under which this home has published."""
        return {(scope, name): agency
                for scope, name, agency in self._db.execute("SELECT * FROM names")}  # fmt: skip

    def learn_names(self, names: Mapping[tuple[str, str], str]) -> None:
        """Note under which ids undeclared agencies were published; the first one stays."""
        rows = [(scope, name, agency) for (scope, name), agency in names.items()]
        self._db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", rows)
