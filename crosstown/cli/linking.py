"""How `assert`, `separate` and `apart` are carried out, and what they say came of it."""

from __future__ import annotations

from pathlib import Path

from crosstown.cli.shell import Output, iso
from crosstown.cli.word import Meant, Word, knows, tell
from crosstown.errors import Stop
from crosstown.event.people import chain, link


def run(
    kind: str, asked: list[str], *, because: str, by: str, agency: str, withdraw: bool,
    jurisdiction: str, home: Path | None, output: Output,
) -> None:  # fmt: skip
    """Say it, wait until it is in the cases, tell what they are now."""
    word = Word(home, agency, by)
    if not because.strip():
        raise Stop("because of what? a reason is needed", mend='--because "the same caller"')
    meant = [word.meant(one, jurisdiction) for one in asked]
    records = [one.record for one in meant]
    if len(set(records)) < len(records):
        raise Stop(f"both are the same record: {records[0]}",
                   mend="name two records, in full or by number; crosstown case shows them")  # fmt: skip
    where = jurisdiction or word.jurisdiction(*meant)
    said = link(kind, records, agency=agency, jurisdiction=where, because=because.strip(),
                by=word.by, now=word.now, withdrawn=withdraw)  # fmt: skip
    if withdraw:
        _must_stand(kind, said.body["record"], meant, agency)
    event = word.say(said).event_id
    there = knows(event)
    known = [one.record for one in meant if one.case is not None]
    if kind == "asserted" and len(known) < len(records):
        known = []  # it can't be seen before both are there
    cases = word.seen(known, where, (lambda found: not there(found)) if withdraw else there)
    seen = bool(cases) and all(there(found) != withdraw for found in cases)
    ids = {
        record: found.case_id for found in cases for record in found.records if record in records
    }
    still = chain(cases[0].case["links"], *records) if len(known) == len(cases) == 2 else []
    tell(output, {
        "event_id": event, "kind": kind, "withdrawn": withdraw, "records": records,
        "jurisdiction": where, "agency": agency, "by": word.by, "because": because.strip(),
        "occurred_at": iso(word.now), "seen": seen,
        "cases": [ids.get(record) for record in records],
        "still_joined_by": still[1:-1] if kind == "separated" and not withdraw else [],
    }, _lines(kind, meant, ids, still, withdraw=withdraw, seen=seen))  # fmt: skip


def _must_stand(kind: str, record: str, meant: list[Meant], agency: str) -> None:
    from crosstown.event.identity import event_id

    event = event_id(record, f"link.{kind}")
    if not any(one.case is not None and knows(event)(one.case) for one in meant):
        raise Stop(f"{agency} has said nothing of the kind that could be taken back",
                   mend="crosstown case shows what was said and by whom; that agency takes it back")  # fmt: skip


def _lines(
    kind: str,
    meant: list[Meant],
    ids: dict[str, str],
    still: list[str],
    *,
    withdraw: bool,
    seen: bool,
) -> list[str]:
    records = [one.record for one in meant]
    names = " and ".join(records)
    head = {
        "asserted": f"Said: {names} are one matter.",
        "separated": f"Said: {names} are not one matter.",
        "apart": f"Said: {names} stands apart: nothing joins it by place or reference.",
    }[kind]  # fmt: skip
    lines = [f"Taken back: {head[6:]}" if withdraw else head]
    unknown = [one.record for one in meant if one.case is None]
    if unknown:
        lines.append(
            f"Nobody has published {' or '.join(unknown)} yet; it counts once they are there."
        )
    if kind == "asserted" and unknown:
        return lines
    if not seen:
        return [*lines, "It isn't in the case yet: see crosstown status, then crosstown case "
                + records[0]]  # fmt: skip
    if len(set(ids.values())) == 1 and len(records) == 2:
        lines.append(f"They are in one case: crosstown case {records[0]}")
        if kind == "separated" and not withdraw and len(still) > 2:
            lines.append(f"What still joins them: {' - '.join(still)}")
            lines += [
                f"  to take {one} out of it: crosstown apart {one} --because ..." for one in records
            ]
        elif kind == "separated" and not withdraw:
            lines.append("Somebody asserted that they are one, and that stands: see crosstown case "
                         + records[0])  # fmt: skip
    else:
        lines += [f"{record} is in case {ids[record]}" for record in records if record in ids]
    return lines
