"""Questions to the casebook: which case is meant, what does it hold, what are the figures."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final

from crosstown.casebook import as_of
from crosstown.casebook.casebook import connect, erasures_of
from crosstown.casebook.figures import CASES, SECONDS, figures
from crosstown.casebook.measures import CONDITIONS, ENRICHED, Measure
from crosstown.casebook.schema import SAYS, VERSION
from crosstown.casebook.store import Store
from crosstown.erasure.erasures import Key
from crosstown.errors import NotFound, Unavailable
from crosstown.event.identity import case_key, slug
from crosstown.registry.read_back import read_timeline
from crosstown.settings import Settings

CHUNK: Final = 500
_START: Final = "start it: crosstown up --detach"


class Order(Enum):
    """Which cases come first; the value is SQL."""

    AGENCIES = "c.agency_count"
    RECORDS = "c.record_count"
    SECONDS = f"coalesce({SECONDS}, -1)"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A record that the case names and doesn't hold; `case_id` where another has it."""

    record: str
    named_by: str
    jurisdiction: str
    case_id: str
    here: bool = False
    """In this jurisdiction: people keep the two apart."""


@dataclass(frozen=True, slots=True)
class Found:
    """One case as the casebook has it; times are microseconds UTC."""

    case_id: str
    jurisdiction: str
    record: str
    version: int
    case: dict[str, Any]
    records: tuple[str, ...]
    pointers: tuple[Pointer, ...]
    corrected: frozenset[str] = frozenset()
    """Ids of entries that were said differently before."""
    as_of: int | None = None
    """Microseconds UTC; None: now."""


class Lookup:
    """Reads one casebook; sees what was committed when each question was asked."""

    def __init__(self, settings: Settings) -> None:
        try:
            self._db = connect(settings, read_only=True)
        except sqlite3.OperationalError as error:
            raise Unavailable(f"no casebook under {settings.home} yet ({error})",
                              mend=_START) from None  # fmt: skip
        try:
            self._check()
        except BaseException:
            self._db.close()
            raise

    def _check(self) -> None:
        """Raise `Unavailable` where there is no casebook of ours yet."""
        if "raw_offsets" not in self._db.tables():
            raise Unavailable(f"no casebook in {self._db.name} yet", mend=_START)
        about = self._db.rows("select value from raw_about where key = 'version'")
        if [row["value"] for row in about] != [str(VERSION)]:
            raise Unavailable(
                f"the casebook in {self._db.name} is of another Crosstown",
                mend="start this one, it is read anew: crosstown down, crosstown up --detach",
            )

    @property
    def store(self) -> Store:
        """The connection, for questions that are asked elsewhere."""
        return self._db

    def close(self) -> None:
        """Give the connection back."""
        self._db.close()

    def offsets(self) -> dict[tuple[str, int], int]:
        """How far the casebook has read, per topic and partition."""
        rows = self._db.rows('select topic, "partition", next from raw_offsets')
        return {(row["topic"], row["partition"]): row["next"] for row in rows}

    def sql(self, query: str) -> Iterator[tuple[list[str], Sequence[Any]]]:
        """A reader's own query: first the columns' names, then each row with them.

        Raises `Stop` with the database's words where it can't be run.
        """
        return self._db.stream(query)

    def columns(self) -> dict[str, tuple[str, list[str]]]:
        """What can be asked: each view with a sentence about it, and its columns."""
        return {
            name: (says, next(self._db.stream(f"select * from {name} limit 0"))[0])  # noqa: S608 - ours
            for name, says in SAYS.items()
        }

    def knows(self, record: str) -> bool:
        """Whether anything of a record is in the casebook: a saying, a case."""
        return any(
            self._db.rows(f"select 1 from {table} where record = ? limit 1", (record,))  # noqa: S608
            for table in ("raw_versions", "raw_records", "raw_events")
        )

    def events_of(self, record: str) -> dict[str, int]:
        """All events that were ever said of a record, and when each was first known (microseconds)."""
        rows = self._db.rows(
            "select event_id, min(known_at) as since from raw_versions where record = ?"
            " group by event_id",
            (record,),
        )
        return {row["event_id"]: row["since"] for row in rows}

    def beside(self, record: str) -> set[tuple[str, str]]:
        """All records of the cases that a record is in now, as (jurisdiction, record)."""
        rows = self._db.rows(
            "select jurisdiction, record from raw_records where record = ? or case_id in"
            " (select case_id from raw_records where record = ? and case_id <> '')",
            (record, record),
        )
        return {(row["jurisdiction"], row["record"]) for row in rows}

    def naming(self, record: str) -> list[tuple[str, str]]:
        """Other records whose events name it, with their type; they are kept when it is erased."""
        rows = self._db.rows(
            "select distinct e.record, e.type from raw_refs f join raw_events e"
            " on e.event_id = f.event_id where f.ref = ? and e.counts = 1 order by e.record",
            (record,),
        )
        return [(row["record"], row["type"]) for row in rows if not row["type"].startswith("link.")]

    def erasing(self, record: str, key: Key) -> list[dict[str, Any]]:
        """What was ordered for a record and stands: kind, agency, why, at (microseconds UTC)."""
        rows = self._db.rows(
            "select v.type, v.agency, v.headline, v.occurred_at from raw_events e join raw_versions v"
            " on v.event_id = e.event_id and v.content = e.content and v.known_at = e.last_known"
            " and v.via = e.via where e.counts = 1 and e.type like 'record.%' and e.record like ?"
            " order by v.occurred_at",
            (f"%/erasure/{key.name(record)}",),
        )
        return [
            {"kind": row["type"], "agency": row["agency"], "why": row["headline"],
             "at": row["occurred_at"]}
            for row in rows
        ]  # fmt: skip

    def case(self, asked: str, jurisdiction: str = "", *, place: str = "") -> Found:
        """The case that a case id, a record, a record's number or a place leads to.

        `place` is the key that `asked` would be if it is an address in words; it is tried last.
        Raises `NotFound`, with candidates where several cases answer, or some come near.
        """
        asked = asked.strip()
        ids = self._which(asked, jurisdiction) or (place and self._which(place, jurisdiction))
        if not ids:
            near = self._near(place or asked, asked, jurisdiction)
            raise NotFound(
                f"no case found for {asked!r}" + (", but near it:" if near else ""),
                candidates=near,
                mend="a case id, a record or its number, or a place; see crosstown cases")  # fmt: skip
        if len(ids) > 1:
            raise NotFound(f"{asked!r} may mean {len(ids)} cases",
                           candidates=tuple(self._line(one) for one in ids[:20]),
                           mend="ask with one of these ids")  # fmt: skip
        return self._found(ids[0])

    def _which(self, asked: str, jurisdiction: str) -> list[str]:
        for where in (
            "r.key = ?", "r.record = ?", "r.number = ?",
            "r.case_id in (select case_id from raw_places where place = ?)",
            "r.case_id in (select case_id from raw_places where place like '%:' || ? escape '\\')",
            "lower(r.number) = lower(?)",
        ):  # fmt: skip
            value = _literal(asked) if "like" in where else asked
            rows = self._db.rows(
                "select distinct r.case_id, c.first from raw_records r join raw_cases c"  # noqa: S608 - ours
                f" on c.case_id = r.case_id where {where} and (? in ('', c.jurisdiction))"
                " order by c.first, r.case_id",
                (value, jurisdiction),
            )
            if rows:
                return [row["case_id"] for row in rows]
        return []

    def _near(self, place: str, asked: str, jurisdiction: str) -> tuple[str, ...]:
        """Cases that a person may have meant, a line each: never taken, only offered.

        The beginning of a case id or of a place, or a part of a record's number; at most five.
        """
        if len(slug(asked)) < 3:
            return ()
        rows = self._db.rows(
            "select case_id, hit from (select r.case_id, c.first, min(case when lower(r.number) like"
            " '%' || :asked || '%' escape '\\' then r.record end) as hit"
            " from raw_records r join raw_cases c on c.case_id = r.case_id"
            " where (r.case_id like :asked || '%' escape '\\' or lower(r.number) like"
            " '%' || :asked || '%' escape '\\' or r.case_id in (select case_id from raw_places where"
            " place like '%:' || :place || '%' escape '\\'))"
            " and :jurisdiction in ('', c.jurisdiction) group by r.case_id, c.first) found"
            " order by case when hit is null then 1 else 0 end, hit, first, case_id limit 5",
            {"asked": _literal(asked.lower()), "place": _literal(place.lower()),
             "jurisdiction": jurisdiction},
        )  # fmt: skip
        return tuple(
            self._line(row["case_id"]) + (f", with {row['hit']}" if row["hit"] else "")
            for row in rows
        )

    def _line(self, case_id: str) -> str:
        (row,) = self._db.rows("select * from raw_cases where case_id = ?", (case_id,))
        return (f"{case_id}  {row['jurisdiction']}  {row['record']}  "
                f"{row['record_count']} records, {row['event_count']} events, {row['status']}")  # fmt: skip

    def _found(self, case_id: str) -> Found:
        (row,) = self._db.rows("select * from raw_cases where case_id = ?", (case_id,))
        case = read_timeline(bytes(row["body"]))["case"]
        rows = self._db.rows("select record from raw_records where case_id = ?", (case_id,))
        records = tuple(sorted(one["record"] for one in rows))
        elsewhere = partial(self._elsewhere, row["jurisdiction"])
        pointers = tuple(_pointers(case["entries"], records, elsewhere))
        return Found(
            case_id, row["jurisdiction"], row["record"], row["version"], case, records, pointers,
            frozenset(self._corrected(case_id)),
        )  # fmt: skip

    def _corrected(self, case_id: str) -> Iterator[str]:
        for row in self._db.rows(
            "select e.event_id from raw_records r join raw_events e on e.record = r.record"
            " and e.jurisdiction = r.jurisdiction where r.case_id = ? and e.contents > 1",
            (case_id,),
        ):
            yield row["event_id"]

    def at(
        self, found: Found, asked: str, until: int, window_of: Callable[[str], int], key: Key
    ) -> Found:
        """A case that was found, as it was known at `until` (microseconds UTC).

        Of the case's records the one that was asked for is followed, else the first that was known
        then. Raises `NotFound` where nothing of it was known yet.
        """
        erasures = erasures_of(self._db, key)
        versions = as_of.history(self._db, found.jurisdiction, found.records, until, window_of)

        def elsewhere(ref: str) -> Iterator[tuple[str, str, bool]]:
            rows = self._db.rows("select distinct jurisdiction from raw_versions where record = ?"
                                 " and known_at <= ?", (ref, until))  # fmt: skip
            said_in = {row["jurisdiction"] for row in rows}
            for one in sorted(said_in, key=lambda j: (j != found.jurisdiction, j)):
                around = as_of.history(self._db, one, [ref], until, window_of)
                then = as_of.case_at(around, one, ref, window_of, erasures.erased)
                if then is not None:
                    yield one, then[0], one == found.jurisdiction

        for record in sorted(_meant(found, asked), key=lambda one: (one != found.record, one)):
            then = as_of.case_at(versions, found.jurisdiction, record, window_of, erasures.erased)
            if then is not None:
                case_id, head, case = then
                records = tuple(sorted({entry["record"] for entry in case["entries"]}))
                contents: dict[str, set[str]] = {}
                for one in versions:
                    contents.setdefault(one["event_id"], set()).add(one["content"])
                return Found(
                    case_id, found.jurisdiction, head, 0, case, records,
                    tuple(one for one in _pointers(case["entries"], records, elsewhere)
                          if one.case_id != case_id),
                    frozenset(event for event, said in contents.items() if len(said) > 1), until,
                )  # fmt: skip
        raise NotFound(f"nothing of {asked!r} was known then",
                       mend="ask for a later moment; crosstown case shows when each entry was known")  # fmt: skip

    def _elsewhere(self, jurisdiction: str, ref: str) -> Iterator[tuple[str, str, bool]]:
        """The cases that a record is in now: jurisdiction, case id, whether it is this jurisdiction."""
        for row in self._db.rows(
            "select jurisdiction, case_id from raw_records where record = ? and case_id <> ''"
            " order by case when jurisdiction = ? then 0 else 1 end, jurisdiction",
            (ref, jurisdiction),
        ):
            yield row["jurisdiction"], row["case_id"], row["jurisdiction"] == jurisdiction

    def cases(
        self, *, agencies: int = 1, at_most: int = 0, place: str = "", written: str = "",
        jurisdiction: str = "", status: str = "", via: str = "", measure: Measure | None = None,
        order: Order = Order.AGENCIES, now: int = 0, enriched_by: str = "", enriched_for: str = "",
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """A row a case, the ones with most agencies first; times in microseconds.

        `seconds` is from first report to last close, None where that isn't measured. `written` is
        the key that `place` would be if it is an address in words; `now` decides what is late or lost.
        """
        rows = self._db.rows(
            "select c.case_id, c.jurisdiction, c.agencies, c.event_count, c.first, c.last, c.status,"  # noqa: S608 - ours
            f" {SECONDS} as seconds from {CASES}"
            " where c.agency_count >= :agencies and (:most = 0 or c.agency_count <= :most)"
            " and :jurisdiction in ('', c.jurisdiction) and :status in ('', c.status)"
            " and (:via = '' or exists (select 1 from raw_vias a where a.case_id = c.case_id"
            "      and a.via = :via))"
            " and (:place = '' or c.case_id in (select case_id from raw_places where place = :place"
            "      or place like '%:' || :like escape '\\'"
            "      or :written <> '' and place like '%:' || :written escape '\\'))"
            f" and {CONDITIONS[measure] if measure else ':now = :now'}"
            f" and {ENRICHED}"
            f" order by {order.value} desc, c.record_count desc, c.first, c.case_id",
            {
                "agencies": agencies, "most": at_most, "place": place, "like": _literal(place),
                "written": _literal(written), "jurisdiction": jurisdiction, "status": status, "via": via,
                "now": now, "by_agency": enriched_by, "for_agency": enriched_for,
            },
        )  # fmt: skip
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            members = self._members([row["case_id"] for row in chunk])
            for row in chunk:
                yield {
                    "case_id": row["case_id"], "jurisdiction": row["jurisdiction"],
                    "agencies": json.loads(row["agencies"]), "records": members[row["case_id"]],
                    "events": row["event_count"], "first": row["first"], "last": row["last"],
                    "status": row["status"], "seconds": row["seconds"],
                }  # fmt: skip

    def _members(self, case_ids: list[str]) -> dict[str, list[str]]:
        marks = ",".join("?" * len(case_ids))
        found: dict[str, list[str]] = {case_id: [] for case_id in case_ids}
        for row in self._db.rows(
            f"select case_id, record from raw_records where case_id in ({marks}) order by record",  # noqa: S608
            case_ids,
        ):
            found[row["case_id"]].append(row["record"])
        return found

    def stats(self, now: int) -> dict[str, Any]:
        """The figures of the whole casebook; what is late or lost is so at `now` (microseconds)."""
        return figures(self._db, now)


def _pointers(
    entries: list[dict[str, Any]], records: Collection[str],
    elsewhere: Callable[[str], Iterable[tuple[str, str, bool]]],
) -> Iterator[Pointer]:  # fmt: skip
    """The records that these entries name and that are in no way in their case."""
    seen = set(records)
    for entry in entries:
        for ref in entry["refs"]:
            if ref in seen:
                continue
            seen.add(ref)
            cases = list(elsewhere(ref))
            if not cases:
                yield Pointer(ref, entry["record"], "", "")
            for jurisdiction, case_id, here in cases:
                yield Pointer(ref, entry["record"], jurisdiction, case_id, here)


def _meant(found: Found, asked: str) -> list[str]:
    """The records of a case by which it was asked for, as `case` finds it; all where by none of them."""
    number = {record: record.split("/", 2)[2] for record in found.records}
    for mine in (
        [r for r in number if asked == case_key(found.jurisdiction, r) != found.case_id],
        [r for r in number if asked in (r, number[r])],
        [r for r in number if asked.lower() == number[r].lower()],
    ):
        if mine:
            return mine
    return list(number)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
