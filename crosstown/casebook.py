"""The casebook: `timelines` as a SQLite file that the command line reads, and the desk will.

Its offsets are written in the same SQL transaction as what they stand behind, so every message has
its effect once. A casebook of another cluster's log is thrown away and read anew. The tables are
Crosstown's own for now; documented views come later.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import fastavro

from crosstown.errors import Stop
from crosstown.formats import DEAD_LETTER, TIMELINE, plain
from crosstown.own_values import body_of

log = logging.getLogger(__name__)

VERSION: Final = 1
TOPICS: Final = ("timelines", "dead-letters")
_TIMELINE: Final = fastavro.parse_schema(plain(TIMELINE))
_DEAD_LETTER: Final = fastavro.parse_schema(plain(DEAD_LETTER))
_TABLES: Final = """
create table about (key text primary key, value text not null) without rowid;
create table offsets (
  topic text, partition integer, next integer not null, primary key (topic, partition)
) without rowid;
create table cases (
  case_id text primary key, jurisdiction text not null, record text not null,
  version integer not null, digest text not null, status text not null,
  first integer not null, last integer not null,
  agencies text not null, agency_count integer not null, record_count integer not null,
  event_count integer not null, link_count integer not null, flags text not null,
  body blob not null
);
create table vias (
  case_id text, via text, events integer not null, primary key (case_id, via)
) without rowid;
create table places (place text, case_id text, primary key (place, case_id)) without rowid;
create index places_of_case on places (case_id);
create table records (
  key text primary key, jurisdiction text not null, record text not null, number text not null,
  case_id text not null
) without rowid;
create index records_by_record on records (record);
create index records_by_number on records (number);
create index records_by_case on records (case_id);
create table dead_letters (
  partition integer, "offset" integer, reason text not null, detail text not null,
  topic text not null, source_partition integer not null, source_offset integer not null,
  produced_at integer not null, primary key (partition, "offset")
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the casebook takes it in."""

    topic: str
    partition: int
    offset: int
    value: bytes | None


def connect(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to the casebook; readers and the writer never wait for one another."""
    if read_only:
        db = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
        db.row_factory = sqlite3.Row
        return db
    db = sqlite3.connect(file, timeout=30, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    return db


class Casebook:
    """The one writer of a home's casebook."""

    def __init__(self, file: Path, cluster: str) -> None:
        self._db = connect(file)
        self._prepare(file, cluster)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def offsets(self) -> dict[tuple[str, int], int]:
        """Where to go on reading, per topic and partition."""
        rows = self._db.execute("select topic, partition, next from offsets")
        return {(topic, partition): at for topic, partition, at in rows}

    def apply(self, rows: Iterable[Row]) -> None:
        """Take messages in and remember how far, as one SQL transaction."""
        latest: dict[str, dict[str, Any]] = {}
        letters: list[tuple[Any, ...]] = []
        ends: dict[tuple[str, int], int] = {}
        for row in rows:
            ends[row.topic, row.partition] = row.offset + 1
            if row.value is None:
                continue
            try:
                body = body_of(row.value)
                if row.topic != "timelines":
                    letters.append(_letter(row, body))
                    continue
                said = _timeline(body)
            except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
                letters += _unreadable(row, error)
                continue
            latest[f"{said['jurisdiction']}\0{said['record']}"] = said
        with self._transaction():
            for said in latest.values():
                self._record(said)
            self._db.executemany(
                "insert or replace into dead_letters values (?,?,?,?,?,?,?,?)", letters
            )
            self._db.executemany(
                "insert or replace into offsets values (?,?,?)",
                [(topic, partition, end) for (topic, partition), end in ends.items()],
            )

    def _record(self, said: Mapping[str, Any]) -> None:
        from crosstown.identity import case_key

        db, record, case = self._db, said["record"], said["case"]
        key = case_key(said["jurisdiction"], record)
        db.execute(
            "insert or replace into records values (?,?,?,?,?)",
            (key, said["jurisdiction"], record, record.split("/", 2)[2], said["case_id"]),
        )
        db.execute("delete from vias where case_id = ?", (key,))
        if case is None:
            db.execute("delete from cases where case_id = ?", (key,))
            db.execute("delete from places where case_id = ?", (key,))
            return
        db.execute(
            "insert or replace into cases values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (key, said["jurisdiction"], record, said["version"], case["digest"], case["status"],
             case["first"], case["last"], json.dumps(case["agencies"]), len(case["agencies"]),
             case["record_count"], case["entry_count"], case["link_count"],
             json.dumps(case["flags"]), said["body"]),
        )  # fmt: skip
        db.executemany(
            "insert into vias values (?,?,?)", [(key, *one) for one in case["vias"].items()]
        )
        if not case["flags"]:  # of a capped timeline the older places stay: they lead here still
            db.execute("delete from places where case_id = ?", (key,))
        places = {entry["place"] for entry in case["entries"]} - {""}
        db.executemany(
            "insert or ignore into places values (?,?)", [(place, key) for place in places]
        )

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("begin immediate")
        return self._db

    def _prepare(self, file: Path, cluster: str) -> None:
        tables = {name for (name,) in self._db.execute("select name from sqlite_master")}
        about = dict(self._db.execute("select key, value from about")) if "about" in tables else {}
        if int(about.get("version", VERSION)) > VERSION:
            raise Stop(
                f"{file} was written by a newer Crosstown",
                mend="use that one, or move the file away",
            )
        if about.get("cluster") == cluster:
            return
        with self._transaction() as db:
            for table in tables:
                if not table.startswith("sqlite_"):
                    db.execute(
                        f'drop {"index" if _is_index(db, table) else "table"} if exists "{table}"'
                    )
            for statement in _TABLES.split(";\n"):
                db.execute(statement)
            db.executemany(
                "insert into about values (?,?)", [("version", str(VERSION)), ("cluster", cluster)]
            )


def _is_index(db: sqlite3.Connection, name: str) -> bool:
    with closing(db.execute("select type from sqlite_master where name = ?", (name,))) as found:
        row = found.fetchone()
    return row is not None and row[0] == "index"


def read_timeline(body: bytes) -> dict[str, Any]:
    """A message of `timelines`, without its frame, as plain fields; times are microseconds."""
    return cast("dict[str, Any]", fastavro.schemaless_reader(BytesIO(body), _TIMELINE, None))


def _timeline(body: bytes) -> dict[str, Any]:
    said = read_timeline(body)
    if said["record"].count("/") < 2:
        raise ValueError(f"{said['record']!r} is no record")
    return {**said, "body": body}


def _unreadable(row: Row, error: Exception) -> Iterator[tuple[Any, ...]]:
    """What others wrote to a topic of ours: among the dead letters it counts as one.

    Of `timelines` the watcher writes the dead letter, with the bytes.
    """
    why = f"{type(error).__name__}: {error}"
    log.warning("%s/%d/%d is passed over: %s", row.topic, row.partition, row.offset, why)
    if row.topic != "timelines":
        yield (row.partition, row.offset, "not-a-dead-letter", why[:2_000], row.topic,
               row.partition, row.offset, 0)  # fmt: skip


def _letter(row: Row, body: bytes) -> tuple[Any, ...]:
    said = cast("dict[str, Any]", fastavro.schemaless_reader(BytesIO(body), _DEAD_LETTER, None))
    return (row.partition, row.offset, said["reason"], said["detail"], said["topic"],
            said["partition"], said["offset"], said["produced_at"])  # fmt: skip
