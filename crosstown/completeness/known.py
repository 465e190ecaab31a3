"""What the casebook knows of messages on the agencies' topics: accepted, dead, erased, joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from crosstown.casebook.schema import COUNTING
from crosstown.casebook.store import Store
from crosstown.completeness.counted import ASIDE, COUNTED, Count, count_of
from crosstown.completeness.flow import State
from crosstown.completeness.published import Published
from crosstown.erasure.erasures import Erasures
from crosstown.registry.read_back import Reading, read_timeline

BATCH: Final = 500
NO_ENTRY: Final = ("link.", "record.", ASIDE)
"""The beginnings of the types that are no entries of a case."""
_SHORT: Final = """
select c.case_id from raw_cases c
join raw_records r on r.case_id = c.case_id and r.jurisdiction = c.jurisdiction
join raw_events e on e.record = r.record and e.jurisdiction = r.jurisdiction and e.counts = 1
  and e.type not like 'link.%' and e.type not like 'record.%' and e.type not like 'source.%'
group by c.case_id, c.event_count having count(*) > c.event_count"""
"""Cases that have fewer entries than their records have events that count."""


class Known:
    """One casebook's answers; `erasures` says which records are to be forgotten."""

    def __init__(self, db: Store, erasures: Erasures) -> None:
        self._db, self._erasures = db, erasures
        self._short = {row["case_id"] for row in db.rows(_SHORT)}
        self._shown: dict[str, set[str]] = {}

    def states(self, batch: Sequence[Published]) -> Iterator[tuple[State, str]]:
        """What became of each of at most `BATCH` messages, and why where it isn't joined."""
        ids = sorted({one.message.event_id for one in batch if one.key})
        there: dict[tuple[str, int, str, str], Mapping[str, Any]] = {}
        events = {row["event_id"]: row for row in self._of(ids, _EVENTS)}
        for row in self._of(ids, _VERSIONS):
            there[row["event_id"], row["known_at"], row["content"], row["via"]] = row
        for one in batch:
            yield self._state(one, there, events)

    def _state(
        self, one: Published, there: Mapping[tuple[str, int, str, str], Mapping[str, Any]],
        events: Mapping[str, Mapping[str, Any]],
    ) -> tuple[State, str]:  # fmt: skip
        if one.key:
            event, known_at, content, via = one.key.decode().split(":")
            if (event, int(known_at), content, via) in there or self._by_payload(
                one, int(known_at)
            ):
                return self._joined(events.get(event))
        dead = self._db.rows("select reason from raw_dead_letters where key = ?", (one.message.at,))
        if dead:
            return "dead", str(dead[0]["reason"])
        if one.under_way:
            return "under-way", ""
        said = {"type": one.type, "record": one.message.record, "refs": one.refs}
        if self._erasures.concerns(said):
            return "erased", ""
        why = one.refused and f"by today's contracts it is refused: {one.refused}"
        return "not-accepted", why or "it is in neither accepted nor dead-letters"

    def _by_payload(self, one: Published, known_at: int) -> bool:
        """Whether the same bytes passed under a contract that has read them otherwise since."""
        rows = self._db.rows("select payload from raw_versions where event_id = ? and known_at = ?",
                             (one.message.event_id, known_at))  # fmt: skip
        return any(bytes(row["payload"]) == one.payload for row in rows)

    def _joined(self, event: Mapping[str, Any] | None) -> tuple[State, str]:
        if event is None or not event["counts"] or event["type"].startswith(NO_ENTRY):
            return "aside", ""
        case_id = event["case_id"]
        if not case_id:
            return "not-joined", "its record is in no case"
        if case_id in self._short and event["event_id"] not in self._entries(case_id):
            return "not-joined", f"it isn't among the entries of case {case_id}"
        return "joined", ""

    def _entries(self, case_id: str) -> set[str]:
        """The entries of a case that has too few; of one too large for its message only the newest."""
        found = self._shown.get(case_id)
        if found is None:
            (row,) = self._db.rows("select body from raw_cases where case_id = ?", (case_id,))
            entries = read_timeline(bytes(row["body"]))["case"]["entries"]
            found = self._shown[case_id] = {entry["event_id"] for entry in entries}
        return found

    def _of(self, ids: Sequence[str], sql: str) -> Iterable[Mapping[str, Any]]:
        if not ids:
            return ()
        return self._db.rows(sql.format(",".join("?" * len(ids))), ids)


_VERSIONS: Final = (
    "select event_id, known_at, content, via from raw_versions where event_id in ({})"
)
_EVENTS: Final = (
    "select e.event_id, e.type, e.counts, e.record, r.case_id from raw_events e left join raw_records r"
    " on r.record = e.record and r.jurisdiction = e.jurisdiction where e.event_id in ({})"
)


def counts(db: Store, reading: Reading) -> Iterator[Count]:
    """Every count that a source has said, in its last wording."""
    rows = db.rows(
        "select v.agency, v.payload from raw_events e"  # noqa: S608 - ours
        f" {COUNTING} where e.counts = 1 and e.type = '{COUNTED}' order by e.record"
    )
    for row in rows:
        body = reading.fields(bytes(row["payload"]))
        found = None if body is None else count_of(row["agency"], body)
        if found is not None:
            yield found
