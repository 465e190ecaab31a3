"""Questions to the casebook: which case is meant, what does it hold, what are the figures."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstown.casebook import connect, read_timeline
from crosstown.errors import NotFound, Unavailable
from crosstown.identity import slug
from crosstown.timeline import city_digest


@dataclass(frozen=True, slots=True)
class Pointer:
    """A record that the case names and doesn't hold; `case_id` where another has it."""

    record: str
    named_by: str
    jurisdiction: str
    case_id: str


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


class Lookup:
    """Reads one casebook; sees what was committed when each question was asked."""

    def __init__(self, file: Path) -> None:
        try:
            self._db = connect(file, read_only=True)
            self._db.execute("select 1 from offsets").fetchone()
        except sqlite3.OperationalError as error:
            raise Unavailable(f"no casebook at {file} yet ({error})",
                              mend="start it: crosstown up --detach") from None  # fmt: skip

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

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
            "records.key = ?", "records.record = ?", "records.number = ?",
            "case_id in (select case_id from places where place = ?)",
            "case_id in (select case_id from places where place like '%:' || ? escape '\\')",
            "records.number = ? collate nocase",
        ):  # fmt: skip
            value = _literal(asked) if "like" in where else asked
            rows = self._db.execute(
                "select distinct case_id from records join cases using (case_id)"  # noqa: S608 - ours
                f" where {where} and (? in ('', cases.jurisdiction)) order by cases.first, case_id",
                (value, jurisdiction),
            ).fetchall()
            if rows:
                return [row["case_id"] for row in rows]
        return []

    def _near(self, place: str, asked: str, jurisdiction: str) -> tuple[str, ...]:
        """Cases that a person may have meant, a line each: never taken, only offered.

        The beginning of a case id or of a place, or a part of a record's number; at most five.
        """
        if len(slug(asked)) < 3:
            return ()
        rows = self._db.execute(
            "select case_id, min(iif(number like '%' || :asked || '%' escape '\\', records.record,"
            " null)) hit from records join cases using (case_id)"
            " where (case_id like :asked || '%' escape '\\' or number like '%' || :asked || '%'"
            " escape '\\' or case_id in (select case_id from places where place like"
            " '%:' || :place || '%' escape '\\')) and :jurisdiction in ('', cases.jurisdiction)"
            " group by case_id order by hit is null, hit, cases.first, case_id limit 5",
            {"asked": _literal(asked), "place": _literal(place), "jurisdiction": jurisdiction},
        ).fetchall()
        return tuple(
            self._line(row["case_id"]) + (f", with {row['hit']}" if row["hit"] else "")
            for row in rows
        )

    def _line(self, case_id: str) -> str:
        row = self._db.execute("select * from cases where case_id = ?", (case_id,)).fetchone()
        return (f"{case_id}  {row['jurisdiction']}  {row['record']}  "
                f"{row['record_count']} records, {row['event_count']} events, {row['status']}")  # fmt: skip

    def _found(self, case_id: str) -> Found:
        row = self._db.execute("select * from cases where case_id = ?", (case_id,)).fetchone()
        case = read_timeline(row["body"])["case"]
        rows = self._db.execute("select record from records where case_id = ?", (case_id,))
        records = tuple(sorted(record for (record,) in rows))
        pointers = tuple(self._pointers(row["jurisdiction"], case["entries"], set(records)))
        return Found(
            case_id, row["jurisdiction"], row["record"], row["version"], case, records, pointers
        )

    def _pointers(
        self, jurisdiction: str, entries: list[dict[str, Any]], records: set[str]
    ) -> Iterator[Pointer]:
        seen: set[str] = set()
        for entry in entries:
            for ref in entry["refs"]:
                if ref in records or ref in seen:
                    continue
                seen.add(ref)
                elsewhere = self._db.execute(
                    "select jurisdiction, case_id from records where record = ? and jurisdiction <> ?"
                    " and case_id <> '' order by jurisdiction",
                    (ref, jurisdiction),
                ).fetchall()
                if not elsewhere:
                    yield Pointer(ref, entry["record"], "", "")
                for row in elsewhere:
                    yield Pointer(ref, entry["record"], row["jurisdiction"], row["case_id"])

    def cases(
        self, *, agencies: int = 1, place: str = "", written: str = "",
        jurisdiction: str = "", status: str = "",
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """A row a case, the ones with most agencies first; times in microseconds.

        `written` is the key that `place` would be if it is an address in words.
        """
        rows = self._db.execute(
            "select * from cases where agency_count >= :agencies"
            " and :jurisdiction in ('', jurisdiction) and :status in ('', status)"
            " and (:place = '' or case_id in (select case_id from places where place = :place"
            "      or place like '%:' || :like escape '\\'"
            "      or :written <> '' and place like '%:' || :written escape '\\'))"
            " order by agency_count desc, record_count desc, first, case_id",
            {
                "agencies": agencies,
                "place": place,
                "like": _literal(place),
                "written": _literal(written),
                "jurisdiction": jurisdiction,
                "status": status,
            },
        )
        for row in rows:
            members = self._db.execute(
                "select record from records where case_id = ? order by record", (row["case_id"],)
            )
            yield {
                "case_id": row["case_id"], "jurisdiction": row["jurisdiction"],
                "agencies": json.loads(row["agencies"]), "records": [r for (r,) in members],
                "events": row["event_count"], "first": row["first"], "last": row["last"],
                "status": row["status"],
            }  # fmt: skip

    def stats(self) -> dict[str, Any]:
        """The figures of the whole casebook."""
        one = self._db.execute(
            "select count(*) cases, coalesce(sum(event_count), 0) events,"
            " coalesce(sum(agency_count >= 2), 0) two, coalesce(sum(agency_count >= 3), 0) three,"
            " coalesce(max(record_count), 0) largest, coalesce(sum(flags <> '[]'), 0) runaway,"
            " coalesce(sum(status = 'open'), 0) open, coalesce(sum(record_count), 0) records"
            " from cases"
        ).fetchone()
        vias = self._db.execute("select via, sum(events) from vias group by via order by via")
        digests = (row[0] for row in self._db.execute("select digest from cases"))
        letters = self._db.execute(
            "select reason, count(*) from dead_letters group by reason order by 2 desc, 1"
        ).fetchall()
        places = self._db.execute(
            "select jurisdiction, count(*) from cases group by jurisdiction order by 2 desc, 1"
        )
        return {
            "events": one["events"], "records": one["records"], "cases": one["cases"],
            "cross_agency_cases": one["two"], "cases_three_or_more": one["three"],
            "largest_case_records": one["largest"], "open_cases": one["open"],
            "runaway_cases": one["runaway"], "by_via": dict(vias.fetchall()),
            "by_jurisdiction": dict(places.fetchall()),
            "dead_letters": sum(n for _, n in letters),
            "dead_letters_by_reason": dict(letters),
            "digest": city_digest(digests),
        }  # fmt: skip


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
