"""Which messages of a compacted topic stand now: an index on the disk, made in one reading.

Memory is bounded: the index lies in a temporary file, and SQLite sorts it there. Of `accepted` the
keys alone say which content of an event counts. Source of that rule: docs/decisions/0008, "Versions".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Message

from crosstown.event.envelope import VIAS

_KEYED: Final = """
CREATE TABLE said (key BLOB, partition INTEGER, offset INTEGER, dead INTEGER)
"""
_SAYINGS: Final = """
CREATE TABLE said (event TEXT, content BLOB, known_at INTEGER, via INTEGER, partition INTEGER,
                   offset INTEGER, dead INTEGER)
"""
_LAST: Final = """
CREATE TABLE standing AS SELECT partition, offset FROM
  (SELECT partition, offset, dead, max(rowid) FROM said GROUP BY key) WHERE NOT dead
"""
_SINCE_ERASED: Final = """
CREATE TABLE standing AS SELECT partition, offset FROM said
  LEFT JOIN (SELECT key AS gone, max(rowid) AS at FROM said WHERE dead GROUP BY key) ON key = gone
  WHERE said.rowid > coalesce(at, 0)
"""
_ALIVE: Final = """
  (SELECT event, content, known_at, via, partition, offset, dead, max(rowid) FROM said
   GROUP BY event, content, known_at, via)
"""
_EVERY_SAYING: Final = f"""
CREATE TABLE standing AS SELECT partition, offset FROM {_ALIVE} WHERE NOT dead
"""  # noqa: S608 - ours
_COUNTING: Final = f"""
CREATE TABLE standing AS SELECT partition, offset FROM
  (SELECT partition, offset, shown,
     row_number() OVER (PARTITION BY event ORDER BY last DESC, content DESC) AS rank FROM
    (SELECT event, content, partition, offset,
       row_number() OVER (PARTITION BY event, content ORDER BY known_at, via) AS shown,
       max(known_at) OVER (PARTITION BY event, content) AS last
     FROM {_ALIVE} WHERE NOT dead)
   WHERE shown = 1)
WHERE rank = 1
"""  # noqa: S608 - ours
_VIA: Final = {via.encode(): index for index, via in enumerate(VIAS)}


class Standing:
    """What stands in one topic: `sayings` where its keys are those of `accepted`.

    With `history` every earlier message too, but nothing of what was erased.
    """

    def __init__(self, *, sayings: bool, history: bool) -> None:
        self.foreign = 0
        """Keys that are no saying's: somebody else wrote there."""
        self._sayings = sayings
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA temp_store = FILE")
        self._db.execute("PRAGMA cache_size = -16384")
        self._db.execute(_SAYINGS if sayings else _KEYED)
        every, now = (_EVERY_SAYING, _COUNTING) if sayings else (_SINCE_ERASED, _LAST)
        self._stands = every if history else now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:  # fmt: skip
        self._db.close()

    def hear(self, messages: Iterable[Message]) -> None:
        """Take a partition's messages in, in their order; foreign keys are no sayings."""
        rows = self._of_sayings(messages) if self._sayings else _of_keys(messages)
        marks = "?,?,?,?,?,?,?" if self._sayings else "?,?,?,?"
        self._db.execute("BEGIN")
        self._db.executemany(f"INSERT INTO said VALUES ({marks})", rows)  # noqa: S608 - marks
        self._db.execute("COMMIT")

    def settle(self) -> None:
        """All was heard: find what stands."""
        self._db.execute(self._stands)
        self._db.execute("DROP TABLE said")
        self._db.execute("CREATE INDEX at ON standing (partition, offset)")

    def offsets(self, partition: int, low: int, high: int) -> Iterator[int]:
        """The offsets in [low, high) of a partition's messages that stand, in order."""
        found = self._db.execute(
            "SELECT offset FROM standing WHERE partition = ? AND offset >= ? AND offset < ?"
            " ORDER BY offset", (partition, low, high))  # fmt: skip
        return (offset for (offset,) in found)

    def _of_sayings(self, messages: Iterable[Message]) -> Iterator[tuple[Any, ...]]:
        for message in messages:
            try:
                event, known_at, content, via = (message.key() or b"").split(b":")
                row = (event.decode(), bytes.fromhex(content.decode()), int(known_at), _VIA[via])
            except (ValueError, KeyError):
                self.foreign += 1
                continue
            yield (*row, message.partition(), message.offset(), message.value() is None)


def _of_keys(messages: Iterable[Message]) -> Iterator[tuple[Any, ...]]:
    for message in messages:
        yield message.key(), message.partition(), message.offset(), message.value() is None
