"""`crosstown note`: what staff know and no system has a field for, in the case's timeline."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, iso
from crosstown.cli.word import AgencyOption, ByOption, JurisdictionOption, Word, knows, tell
from crosstown.errors import NotFound, Stop


def command(
    about: Annotated[
        str, typer.Argument(metavar="CASE|RECORD", help="A record or its number, or a case.")
    ],
    text: Annotated[str, typer.Argument(help="The note; every agency in the case reads it.")] = "",
    by: ByOption = "",
    agency: AgencyOption = "",
    withdraw: Annotated[
        str,
        typer.Option(metavar="NOTE", help="Take back a note: its record, as the case shows it."),
    ] = "",
    jurisdiction: JurisdictionOption = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Write a note into a case. It is attributed, and every agency in the case sees it.

    Example: `crosstown note SR-1400001 "the tenant is back on Monday" --by "desk 4"
    --agency riverton-311`
    """
    from crosstown.event.people import note

    word = Word(home, agency, by)
    if not text.strip() and not withdraw:
        raise Stop("an empty note", mend='crosstown note RECORD "what there is to know" --by ...')
    meant = word.meant(about, jurisdiction)
    if withdraw and (meant.case is None or withdraw not in meant.case.records):
        raise NotFound(f"no note {withdraw} in that case", mend=f"see crosstown case {about}")
    if withdraw and not withdraw.startswith(f"{agency}/note/"):
        raise Stop(f"{withdraw} isn't a note of {agency}", mend="who wrote it takes it back")
    where = jurisdiction or word.jurisdiction(meant)
    envelope = word.say(note(
        _noted(meant, withdraw) or meant.record, text.strip() or "taken back", agency=agency,
        jurisdiction=where, by=word.by, now=word.now, number=withdraw.rpartition("/")[2],
        withdrawn=bool(withdraw),
    ))  # fmt: skip
    there = knows(envelope.event_id)
    found = word.seen([meant.record], where, (lambda case: not there(case)) if withdraw else there)
    seen = any(there(case) != bool(withdraw) for case in found)
    done = "The note is taken back" if withdraw else f"Noted on {meant.record}"
    tell(output, {
        "event_id": envelope.event_id, "record": envelope.record, "about": meant.record,
        "jurisdiction": where, "agency": agency, "by": word.by, "text": text.strip(),
        "withdrawn": bool(withdraw), "occurred_at": iso(word.now), "seen": seen,
    }, [f"{done}, as {envelope.record}.",
        f"See it: crosstown case {meant.record}" if seen else
        "It isn't in the case yet: see crosstown status"])  # fmt: skip


def _noted(meant: object, withdraw: str) -> str:
    """The record that a note is about, so that taking it back names the same."""
    case = getattr(meant, "case", None)
    if not withdraw or case is None:
        return ""
    for entry in case.case["entries"]:
        if entry["record"] == withdraw and entry["refs"]:
            return str(entry["refs"][0])
    return ""
