"""The casebook: `accepted`, `timelines` and `dead-letters` as SQL, for the command line and analysts.

Its offsets are written in the same SQL transaction as what they stand behind, so every message has
its effect once. A casebook of another cluster's log is emptied, one with other tables thrown away, and
read anew. A message without value takes away what stood under its key. Source: docs/decisions/0011.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from crosstown.casebook.measures import measure
from crosstown.casebook.schema import TABLES, VERSION, VIEWS
from crosstown.casebook.store import Postgres, Sqlite, Store, filled
from crosstown.erasure.erasures import RESERVED, Erasures, Key
from crosstown.errors import Stop, Unavailable
from crosstown.event.envelope import VIAS, read_long, read_prefix
from crosstown.event.identity import case_key
from crosstown.home import Home
from crosstown.registry.read_back import Reading, read_letter
from crosstown.settings import Settings

log = logging.getLogger(__name__)

_FRAME: Final = 5
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the casebook takes it in; `topic` is `accepted`, `timelines` or `dead-letters`."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def connect(settings: Settings, *, read_only: bool = False) -> Store:
    """A connection to the casebook that the settings name.

    Raises `Unavailable` where there is none (yet), `Stop` where the setting can't be read.
    """
    if settings.casebook:
        return Postgres(settings.casebook.get_secret_value(), read_only=read_only)
    return Sqlite(Home(settings.home).casebook, read_only=read_only)


class Casebook:
    """The one writer of a casebook."""

    def __init__(self, db: Store, cluster: str, reading: Reading, key: Key) -> None:
        self._db = db
        self._reading = reading
        self._key = key
        try:
            if isinstance(db, Postgres):
                db.claim()
            self._prepare(cluster)
        except BaseException:
            db.close()
            raise

    def close(self) -> None:
        """Give the connection back."""
        self._db.close()

    def try_writing(self) -> None:
        """Whether it can be written now; `Unavailable` where not."""
        with self._db.transaction():
            pass

    def offsets(self) -> dict[tuple[str, int], int]:
        """Where to go on reading, per topic and partition."""
        rows = self._db.rows('select topic, "partition", next from raw_offsets')
        return {(row["topic"], row["partition"]): row["next"] for row in rows}

    def cases(self) -> tuple[int, int]:
        """How many cases there are, and how many of them are runaways."""
        (one,) = self._db.rows(
            "select count(*) as cases, coalesce(sum(case when flags <> '[]' then 1 else 0 end), 0)"
            " as runaway from raw_cases"
        )
        return int(one["cases"]), int(one["runaway"])

    def apply(self, rows: Iterable[Row]) -> None:
        """Take messages in and remember how far, as one SQL transaction."""
        batch = _Batch()
        ends: dict[tuple[str, int], int] = {}
        for row in rows:
            ends[row.topic, row.partition] = row.offset + 1
            _take(row, batch, self._reading)
        now = time.time_ns() // 1000
        with self._db.transaction():
            self._write_versions(batch)
            self._write_timelines(batch)
            self._write_letters(batch)
            forgotten = batch.erasing and self._forget()
            self._upsert("raw_offsets", 2, ("topic", '"partition"', "next", "applied_at"),
                         [(topic, part, end, now) for (topic, part), end in ends.items()])  # fmt: skip
        if batch.gone or forgotten:
            self._db.tidy()

    def _write_versions(self, batch: _Batch) -> None:
        if batch.versions:
            self._upsert("raw_versions", 4, _VERSION, list(batch.versions.values()))
            self._upsert("raw_refs", 2, ("event_id", "ref"), list(batch.refs))
        for key in batch.dead_versions:
            event, known_at, content, via = key
            self._db.run("delete from raw_versions where event_id = ? and content = ?"
                         " and known_at = ? and via = ?", (event, content, known_at, via))  # fmt: skip
        touched = {key[0] for key in (*batch.versions, *batch.dead_versions)}
        for chunk in _chunks(sorted(touched)):
            marks = ",".join("?" * len(chunk))
            found = self._db.rows(
                "select event_id, jurisdiction, record, type, step, content, known_at, via"  # noqa: S608
                f" from raw_versions where event_id in ({marks})", chunk)  # fmt: skip
            self._db.run(f"delete from raw_events where event_id in ({marks})", chunk)  # noqa: S608
            events = list(_events(found))
            self._upsert("raw_events", 2, _EVENT, events)
            if len(events) < len(chunk):  # some were erased whole
                gone = set(chunk) - {event[0] for event in events}
                for event in gone:
                    self._db.run("delete from raw_refs where event_id = ?", (event,))

    def _write_timelines(self, batch: _Batch) -> None:
        said = batch.timelines.values()
        keys = [(key,) for key in batch.timelines]
        for table in _OF_CASE:
            self._db.many(f"delete from {table} where case_id = ?", keys)  # noqa: S608
        self._db.many("delete from raw_records where key = ?", [(key,) for key in batch.dead_keys])
        capped = {one["key"] for one in said if one["case"] is not None and one["case"]["flags"]}
        self._db.many("delete from raw_places where case_id = ?",
                      [key for key in keys if key[0] not in capped])  # fmt: skip
        told = [one for one in said if one["record"]]
        self._upsert("raw_records", 1, ("key", "jurisdiction", "record", "number", "case_id"), [
            (one["key"], one["jurisdiction"], one["record"], one["record"].split("/", 2)[2],
             one["case_id"]) for one in told
        ])  # fmt: skip
        heads = [(one, one["case"]) for one in told if one["case"] is not None]
        self._upsert("raw_cases", 1, _CASE, [_case(one, case) for one, case in heads])
        self._upsert("raw_vias", 2, ("case_id", "via", "events"), [
            (one["key"], *via) for one, case in heads for via in case["vias"].items()
        ])  # fmt: skip
        self._upsert("raw_places", 2, ("place", "case_id"), [
            (place, one["key"]) for one, case in heads
            for place in {entry["place"] for entry in case["entries"]} - {""}
        ])  # fmt: skip
        self._upsert("raw_links", 2, _LINK, [
            (one["key"], i, *(link[name] for name in _LINK_FIELDS))
            for one, case in heads for i, link in enumerate(case["links"])
        ])  # fmt: skip
        self._upsert("raw_people", 2, _PERSON, [
            (one["key"], i, *(person[name] for name in _PERSON[2:]))
            for one, case in heads for i, person in enumerate(case["people"])
        ])  # fmt: skip

        measured = [(one["key"], measure(case)) for one, case in heads]
        self._upsert("raw_measures", 1, _MEASURES, [
            (key, int(m.whole), m.first_report_at, m.last_close_at, int(m.ping_pong), int(m.enriched),
             int(m.place_only))
            for key, m in measured
        ])  # fmt: skip
        self._upsert("raw_outcomes", 2, _OUTCOME, [
            (key, *astuple(one)) for key, m in measured for one in m.outcomes
        ])  # fmt: skip
        self._upsert("raw_handoffs", 2, _HANDOFF, [
            (key, *astuple(one)) for key, m in measured for one in m.handoffs
        ])  # fmt: skip
        self._upsert("raw_enrichments", 2, ("case_id", "by_agency", "for_agency", "at"), [
            (key, one.by_agency, one.for_agency, one.at)
            for key, m in measured for one in m.enrichments
        ])  # fmt: skip

    def _write_letters(self, batch: _Batch) -> None:
        self._upsert("raw_dead_letters", 2, _LETTER, batch.letters)
        self._db.many("delete from raw_dead_letters where key = ?",
                      [(key,) for key in batch.dead_letter_keys])  # fmt: skip

    def _forget(self) -> bool:
        """Take away what is here of erased records; whether anything was.

        Tombstones say the same, but Kafka keeps them for a time only, and this may read later.
        """
        erasures = erasures_of(self._db, self._key)
        names = {row["record"] for row in self._db.rows("select distinct record from raw_versions")}
        gone = sorted(name for name in names if erasures.erased(name))
        for name in gone:
            keys = self._db.rows("select key from raw_records where record = ?", (name,))
            for sql in _FORGET:
                self._db.run(sql, (name,))
            for row in keys:
                for table in (*_OF_CASE, "raw_places"):
                    self._db.run(f"delete from {table} where case_id = ?", (row["key"],))  # noqa: S608
        if gone:
            self._db.run(
                "delete from raw_events where event_id not in (select event_id from raw_versions)"
            )
        return bool(gone)

    def _upsert(
        self, table: str, keys: int, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
    ) -> None:
        """Rows in, over those with the same key: the first `keys` columns."""
        if rows:
            self._db.many(_upsert(table, keys, columns), rows)

    def _prepare(self, cluster: str) -> None:
        db = self._db
        there = db.tables()
        old = "about" in there  # the tables of version 1
        about = {row["key"]: row["value"] for row in db.rows("select key, value from raw_about")} \
            if "raw_about" in there else {}  # fmt: skip
        version = int(about.get("version", VERSION))
        ours = there if old else {one for one in there if one in VIEWS or one.startswith("raw_")}
        if version > VERSION:
            raise Stop(f"{db.name} was written by a newer Crosstown",
                       mend="use that one, or move it away")  # fmt: skip
        if about.get("cluster") == cluster and version == VERSION and not old:
            return
        if ours:
            why = "other tables" if old or version < VERSION else "another cluster's log"
            log.warning("%s holds %s: everything is read anew from the topics", db.name, why)
        with db.transaction():
            if about and version == VERSION:
                for table in ours - VIEWS.keys():
                    db.run(filled(f"{{empty:{table}}}", db.words))
            else:
                self._make(ours, ours & VIEWS.keys() if not old else set())
            self._upsert("raw_about", 1, ("key", "value"),
                         [("version", str(VERSION)), ("cluster", cluster)])  # fmt: skip

    def _make(self, ours: set[str], views: set[str]) -> None:
        """Tables and views in the place of those that are there; what was granted stays granted."""
        db = self._db
        granted = db.grants()
        for view in views:
            db.run(f"drop view {view}")
        for table in ours - views:
            db.run(f'drop table "{table}"')
        for statement in TABLES.split(";\n"):
            db.run(filled(statement, db.words))
        for name, select in VIEWS.items():
            db.run(f"create view {name} as {filled(select, db.words)}")
        for grant in granted:
            db.run(grant)


_OF_CASE: Final = (
    "raw_cases", "raw_vias", "raw_links", "raw_people", "raw_measures", "raw_outcomes",
    "raw_handoffs", "raw_enrichments",
)  # fmt: skip
"""What a case's timeline says anew each time; places of a capped one stay."""
_FORGET: Final = (
    "delete from raw_versions where type like 'link.%' and event_id in (select event_id from raw_refs where ref = ?)",
    "delete from raw_refs where event_id in (select event_id from raw_events where record = ?)",
    "delete from raw_refs where ref = ? and event_id not in (select event_id from raw_versions)",
    "delete from raw_events where record = ?",
    "delete from raw_versions where record = ?",
    "delete from raw_records where record = ?",
)
"""What is of one record, and what people say of it."""
_VERSION: Final = (
    "event_id", "content", "known_at", "via", "jurisdiction", "record", "agency", "type", "step",
    "occurred_at", "due_at", "place", "area", "concern", "to_agency", "channel", "refs", "headline",
    "flags", "prefix", "payload", "body",
)  # fmt: skip
_EVENT: Final = (
    "event_id", "jurisdiction", "record", "type", "content", "first_known", "last_known", "via",
    "known_via", "versions", "contents", "counts",
)  # fmt: skip
_CASE: Final = (
    "case_id", "jurisdiction", "record", "version", "digest", "status", "first", "last", "agencies",
    "agency_count", "record_count", "event_count", "link_count", "flags", "body",
)  # fmt: skip
_LINK: Final = (
    "case_id", "position", "rule", "source", "target", "event_from", "event_to", "seconds", "why",
)  # fmt: skip
_LINK_FIELDS: Final = ("rule", "from", "to", "event_from", "event_to", "seconds", "why")
_MEASURES: Final = (
    "case_id",
    "whole",
    "first_report",
    "last_close",
    "ping_pong",
    "enriched",
    "place_only",
)
_OUTCOME: Final = (
    "case_id", "record", "agency", "register", "status", "reported", "ended", "due", "reopened",
)  # fmt: skip
_HANDOFF: Final = (
    "case_id", "event_id", "record", "from_agency", "to_agency", "at", "picked_up",
)  # fmt: skip
_PERSON: Final = (
    "case_id", "position", "kind", "event_id", "agency", "record", "other", "why", "at",
)  # fmt: skip
_LETTER: Final = (
    '"partition"', '"offset"', "key", "reason", "detail", "topic", "source_partition",
    "source_offset", "produced_at",
)  # fmt: skip


class _Batch:
    """What a batch of messages comes to, each key's latest."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, int, str, str], tuple[Any, ...]] = {}
        self.refs: dict[tuple[str, str], None] = {}
        self.dead_versions: dict[tuple[str, int, str, str], None] = {}
        self.erasing = False
        self.timelines: dict[str, dict[str, Any]] = {}
        self.letters: list[tuple[Any, ...]] = []
        self.dead_letter_keys: list[str] = []

    @property
    def dead_keys(self) -> list[str]:
        """The keys whose last word is a tombstone."""
        return [key for key, said in self.timelines.items() if not said["record"]]

    @property
    def gone(self) -> bool:
        """Whether something was taken away for good."""
        return bool(self.dead_versions or self.dead_keys or self.dead_letter_keys)


def _take(row: Row, batch: _Batch, reading: Reading) -> None:
    """Put one message into the batch; what others wrote to a topic of ours is passed over."""
    try:
        match row.topic:
            case "accepted":
                _take_version(row, batch, reading)
            case "timelines":
                _take_timeline(row, batch, reading)
            case _:
                _take_letter(row, batch)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
        batch.letters += _unreadable(row, error)


def _take_version(row: Row, batch: _Batch, reading: Reading) -> None:
    event, known, content, via = (row.key or b"").decode().split(":")
    key = (event, int(known), content, via)
    value = row.value
    if value is None:
        batch.versions.pop(key, None)
        batch.dead_versions[key] = None
        return
    fields, end = read_prefix(value, _FRAME)
    known_at, at = read_long(value, end)
    size, start = read_long(value, at + 1)
    payload = value[start : start + size]
    batch.dead_versions.pop(key, None)
    batch.erasing = batch.erasing or fields["type"].startswith(RESERVED)
    batch.versions[key] = (
        event, content, known_at, VIAS[value[at] >> 1], fields["jurisdiction"], fields["record"],
        fields["agency"], fields["type"], fields["step"], fields["occurred_at"], fields["due_at"],
        fields["place"], fields["area"], fields["concern"], fields["to_agency"], fields["channel"],
        _json(fields["refs"]), fields["headline"], _json(fields["flags"]), value[_FRAME:end],
        payload, reading.payload(payload),
    )  # fmt: skip
    for ref in fields["refs"]:
        batch.refs[event, ref] = None


def _json(texts: list[str]) -> str:
    return json.dumps(texts, ensure_ascii=False) if texts else "[]"


def _take_timeline(row: Row, batch: _Batch, reading: Reading) -> None:
    if row.value is None:
        key = (row.key or b"").decode()
        batch.timelines[key] = {"key": key, "record": "", "case": None}
        return
    said, body = reading.timeline(row.value)
    if said["record"].count("/") < 2:
        raise ValueError(f"{said['record']!r} is no record")
    key = case_key(said["jurisdiction"], said["record"])
    batch.timelines[key] = {**said, "key": key, "body": body}


def _take_letter(row: Row, batch: _Batch) -> None:
    key = _text((row.key or b"").decode("utf-8", "replace"))
    if row.value is None:
        batch.dead_letter_keys.append(key)
        batch.letters = [one for one in batch.letters if one[2] != key]
        return
    said = read_letter(row.value)
    batch.letters.append((
        row.partition, row.offset, key, _text(said["reason"]), _text(said["detail"]),
        _text(said["topic"]), said["partition"], said["offset"], said["produced_at"],
    ))  # fmt: skip


def _text(said: str) -> str:
    """A text as PostgreSQL takes it: none holds a NUL."""
    return said.replace("\0", "")


def _unreadable(row: Row, error: Exception) -> Iterator[tuple[Any, ...]]:
    """What others wrote to a topic of ours: among the dead letters it counts as one.

    Of `timelines` the watcher writes the dead letter, of `accepted` the case program, with the bytes.
    """
    why = f"{type(error).__name__}: {error}"
    log.warning("%s/%d/%d is passed over: %s", row.topic, row.partition, row.offset, why)
    if row.topic == "dead-letters":
        yield (row.partition, row.offset, "", "not-a-dead-letter", _text(why[:2_000]),
               row.topic, row.partition, row.offset, 0)  # fmt: skip


def _events(versions: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Which content of each event counts (docs/decisions/0008), as rows of `raw_events`."""
    by_event: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for one in versions:
        contents = by_event.setdefault((one["event_id"], one["jurisdiction"]), {})
        contents.setdefault(one["content"], []).append(one)
    for (event, jurisdiction), contents in by_event.items():
        _, content = max(
            (max(v["known_at"] for v in said), name) for name, said in contents.items()
        )
        said = contents[content]
        first = min(said, key=lambda v: (v["known_at"], VIAS.index(v["via"])))
        last = max(said, key=lambda v: (v["known_at"], v["via"]))
        yield (
            event, jurisdiction, first["record"], first["type"], content, first["known_at"],
            last["known_at"], last["via"], first["via"],
            sum(map(len, contents.values())), len(contents), int(first["step"] != "WITHDRAWN"),
        )  # fmt: skip


def _case(said: Mapping[str, Any], case: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        said["key"], said["jurisdiction"], said["record"], said["version"], case["digest"],
        case["status"], case["first"], case["last"], json.dumps(case["agencies"]),
        len(case["agencies"]), case["record_count"], case["entry_count"], case["link_count"],
        json.dumps(case["flags"]), said["body"],
    )  # fmt: skip


def _upsert(table: str, keys: int, columns: tuple[str, ...]) -> str:
    marks = ",".join("?" * len(columns))
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
    then = f"update set {rest}" if rest else "nothing"
    return (f"insert into {table} ({', '.join(columns)}) values ({marks})"  # noqa: S608 - ours
            f" on conflict ({', '.join(columns[:keys])}) do {then}")  # fmt: skip


def erasures_of(db: Store, key: Key) -> Erasures:
    """All that the casebook knows of erasing."""
    erasures = Erasures(key)
    rows = db.rows("select prefix, content, known_at from raw_versions where type like 'record.%'")
    for row in rows:
        fields, _ = read_prefix(bytes(row["prefix"]))
        erasures.say(fields, bytes.fromhex(row["content"]), row["known_at"])
    return erasures


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
