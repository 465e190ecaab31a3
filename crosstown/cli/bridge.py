"""`crosstown bridge`: a hand carry between two systems becomes an event."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, iso, out, print_json, settings
from crosstown.contracts.repository import Repository
from crosstown.errors import NotFound, Refused, Stop
from crosstown.home import Home
from crosstown.settings import Settings
from crosstown.source import Said


def command(
    from_record: Annotated[str, typer.Argument(help="The record it was carried from, in full.")],
    to_record: Annotated[str, typer.Argument(help="The record it was carried to, in full.")],
    how: Annotated[str, typer.Option(help="How: read out by phone, typed over, on paper, ...")],
    minutes: Annotated[int, typer.Option(min=0, max=10_000, help="How long it took.")],
    by: Annotated[str, typer.Option(help="Who carried it.")],
    jurisdiction: Annotated[
        str, typer.Option(help="Whose case it is; only needed where the records are not known yet.")
    ] = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Note that somebody carried data by hand from one record to another, so that it counts.

    Example: `crosstown bridge riverton-311/request/SR-100001 riverton-housing/case/H-1
    --how "read out by phone" --minutes 12 --by "desk 4"`
    """
    from crosstown.cli.backbone import backbone
    from crosstown.contracts.checked import Checker
    from crosstown.publishing.ledger import Ledger
    from crosstown.publishing.sending import Sending

    chosen = settings(home)
    where = backbone(chosen)
    contracts = Repository.of(chosen)
    now = time.time_ns() // 1000
    for record in (from_record, to_record):
        if not all(record.split("/", 2)[:3]) or record.count("/") < 2:
            raise Stop(f"{record!r} is no record in full",
                       mend="a record is agency/register/number; crosstown case NUMBER shows it")  # fmt: skip
    if from_record == to_record:
        raise Stop("both are the same record", mend="name the record it was carried to")
    said = Said("any/bridge", from_record.partition("/")[0], {
        "agency": from_record.partition("/")[0], "record": from_record, "to_record": to_record,
        "occurred_at": now, "minutes": minutes, "how": how, "by": by,
        "jurisdiction": jurisdiction or _jurisdiction(chosen, contracts, from_record, to_record),
    }, 1, now, "hand")  # fmt: skip
    try:
        checked = Checker(contracts, now, now).check(said)
    except Refused as error:
        raise Stop(str(error), mend=error.mend or "a record is agency/register/number") from None
    with Ledger(Home(chosen.home).ledger) as ledger, Sending(chosen, where, ledger) as sending:
        sending.send(checked, lambda _new: None)
        sending.finish()
    if output is Output.JSON:
        print_json({
            "event_id": checked.envelope.event_id, "record": from_record, "to_record": to_record,
            "jurisdiction": checked.envelope.jurisdiction, "occurred_at": iso(now),
            "minutes": minutes,
        })  # fmt: skip
        return
    out.print(f"Noted: {from_record} was carried to {to_record} by hand, {minutes} minutes.",
              markup=False)  # fmt: skip
    out.print(f"See it: crosstown stats --wait, then crosstown case {from_record}", markup=False)


def _jurisdiction(chosen: Settings, contracts: Repository, from_record: str, to_record: str) -> str:
    """Where the casebook has one of the records, else where the agency is at home."""
    from crosstown.casebook.lookup import Lookup

    lookup = Lookup(chosen)
    try:
        for record in (from_record, to_record):
            try:
                return lookup.case(record).jurisdiction
            except NotFound as error:
                if error.candidates:
                    raise Stop(f"{record} is known in several jurisdictions",
                               mend="say which: --jurisdiction") from None  # fmt: skip
    finally:
        lookup.close()
    agency = contracts.agencies.get(from_record.partition("/")[0])
    return "" if agency is None else agency.jurisdiction
