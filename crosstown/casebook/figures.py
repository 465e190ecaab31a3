"""The casebook's figures; each counts the cases that the same condition lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crosstown.casebook.measures import CONDITIONS, Measure
from crosstown.casebook.store import Store
from crosstown.cases.timeline import city_digest

CASES: Final = "raw_cases c join raw_measures m on m.case_id = c.case_id"
SECONDS: Final = "case when m.last_close >= m.first_report then (m.last_close - m.first_report) / 1000000 end"  # fmt: skip
"""From first report to last close, of a case where both are known and in that order."""
COLUMNS: Final[Mapping[str, str]] = {
    "single_agency": "c.agency_count = 1", "cross_agency": "c.agency_count >= 2",
}  # fmt: skip
"""The two kinds of case that stand side by side."""


def figures(db: Store, now: int) -> dict[str, Any]:
    """All figures; what is late or lost is so at `now` (microseconds UTC)."""
    (one,) = db.rows(
        "select count(*) as cases, coalesce(sum(event_count), 0) as events,"
        " coalesce(sum(case when agency_count >= 2 then 1 else 0 end), 0) as two,"
        " coalesce(sum(case when agency_count >= 3 then 1 else 0 end), 0) as three,"
        " coalesce(max(record_count), 0) as largest,"
        " coalesce(sum(case when flags <> '[]' then 1 else 0 end), 0) as runaway,"
        " coalesce(sum(case when status = 'open' then 1 else 0 end), 0) as still_open,"
        " coalesce(sum(record_count), 0) as records from raw_cases"
    )
    digests = (row["digest"] for row in db.rows("select digest from raw_cases"))
    letters = _counts(
        db,
        "select reason as word, count(*) as n from raw_dead_letters group by reason"
        " order by n desc, word",
    )
    return {
        "events": int(one["events"]), "records": int(one["records"]), "cases": one["cases"],
        "cross_agency_cases": int(one["two"]), "cases_three_or_more": int(one["three"]),
        "largest_case_records": one["largest"], "open_cases": int(one["still_open"]),
        "runaway_cases": int(one["runaway"]),
        "by_via": _counts(
            db, "select via as word, sum(events) as n from raw_vias group by via order by word"
        ),
        "by_jurisdiction": _counts(
            db,
            "select jurisdiction as word, count(*) as n from raw_cases group by jurisdiction"
            " order by n desc, word",
        ),
        "measures": {name: _measures(db, where, now) for name, where in COLUMNS.items()},
        "dead_letters": sum(letters.values()), "dead_letters_by_reason": letters,
        "digest": city_digest(digests),
    }  # fmt: skip


def _measures(db: Store, where: str, now: int) -> dict[str, Any]:
    """The measures of the cases of one kind: how many, and how long."""
    counted = ", ".join(
        f"coalesce(sum(case when {condition} then 1 else 0 end), 0) as {_column(measure)}"
        for measure, condition in CONDITIONS.items()
    )
    (one,) = db.rows(
        f"select count(*) as cases, {counted} from {CASES} where {where} and :now = :now",  # noqa: S608 - ours
        {"now": now},
    )
    counts = {measure.value: int(one[_column(measure)]) for measure in Measure}
    return {
        "cases": one["cases"], "counts": counts,
        "first_report_to_last_close": _spread(
            db, f"select {SECONDS} as s from {CASES} where {where} and {CONDITIONS[Measure.MEASURED]}"  # noqa: S608
        ),
        "report_to_end_of_a_record": _spread(
            db, "select (o.ended - o.reported) / 1000000 as s from raw_outcomes o join raw_cases c"  # noqa: S608
            f" on c.case_id = o.case_id where {where} and o.ended >= o.reported",
        ),
        "handed_off_to_picked_up": _spread(
            db, "select (h.picked_up - h.at) / 1000000 as s from raw_handoffs h join raw_cases c"  # noqa: S608
            f" on c.case_id = h.case_id where {where} and h.picked_up is not null",
        ),
    }  # fmt: skip


def _column(measure: Measure) -> str:
    return "n_" + measure.value.replace("-", "_")


def _spread(db: Store, select: str) -> dict[str, int | None]:
    """How many, the median and the 90th percentile in seconds, both by nearest rank."""
    (one,) = db.rows(f"select count(*) as n from ({select}) x")  # noqa: S608 - ours
    n = one["n"]
    spread: dict[str, int | None] = {"n": n}
    for name, percent in (("median_seconds", 50), ("p90_seconds", 90)):
        rank = -(-n * percent // 100) - 1
        found = db.rows(f"select s from ({select}) x order by s limit 1 offset {rank}") if n else []  # noqa: S608
        spread[name] = int(found[0]["s"]) if found else None
    return spread


def _counts(db: Store, sql: str) -> dict[str, int]:
    return {row["word"]: int(row["n"]) for row in db.rows(sql)}
