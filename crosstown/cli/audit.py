"""`crosstown audit`: who saw what: the access log shown, asked, written out, and checked."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosstown.cli.audit_file import exported, show, show_key, verified
from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    iso,
    out,
    print_json,
    print_json_lines,
    settings,
)
from crosstown.errors import Stop

if TYPE_CHECKING:
    from crosstown.audit.given import Given
    from crosstown.audit.readers import Reader
    from crosstown.settings import Settings


class Action(Enum):
    """What to do with the access log."""

    SHOW = "show"
    RECORD = "record"
    EXPORT = "export"
    VERIFY = "verify"
    KEY = "key"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    what: Annotated[
        str, typer.Argument(metavar="[RECORD | FILE]",
                            help="record: its full name; export, verify: a file.")
    ] = "",
    of: Annotated[
        str, typer.Option(metavar="AGENCY", help="show, export: only what others read of this agency's.")
    ] = "",
    key: Annotated[
        list[str] | None, typer.Option(help="verify, export: a public key that may sign; can be said again.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="verify: an earlier export, all of which must still be there.")
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:  # fmt: skip
    """Say who was given what: every delivery is written down before its bytes go out.

    `show` sums the deliveries; `record` says which parties received a record; `export` writes the log as
    a signed file; `verify` checks such a file, anywhere, or without one what lies in Kafka now; `key`
    prints the public key. All of it is "at most these".

    Examples: `crosstown audit show --of riverton-housing`,
    `crosstown audit record riverton-housing/inspection/HI-20001`, `crosstown audit export log.ndjson`,
    `crosstown audit verify log.ndjson --key 1f0c...`
    """
    chosen = settings(home)
    match action:
        case Action.SHOW:
            _show(chosen, _agency(chosen, of), output)
        case Action.RECORD:
            _record(chosen, _named(what, "which record?"), output)
        case Action.EXPORT:
            file = Path(_named(what, "to which file?"))
            show(exported(chosen, file, _agency(chosen, of), key or []), file, output)
        case Action.VERIFY:
            show(verified(chosen, what, key or [], against), Path(what or "access"), output)
        case Action.KEY:
            show_key(chosen, output)


def _named(what: str, question: str) -> str:
    if not what:
        raise Stop(question, mend="crosstown audit --help has an example of each")
    return what


def _agency(chosen: Settings, agency: str) -> str:
    from crosstown.contracts.repository import Repository

    if agency and not Repository.of(chosen).agencies.declared(agency):
        raise Stop(f"no agency {agency[:80]} is declared", mend="see crosstown agencies")
    return agency


def _show(chosen: Settings, of: str, output: Output) -> None:
    from crosstown.audit.asking import Asking
    from crosstown.cli.backbone import backbone

    shown = Asking.of(chosen, backbone(chosen)).shown(of)
    if output is Output.JSON:
        print_json_lines(_given(one) for one in shown.given)
        print_json_lines(_reader(one) for one in shown.readers)
        return
    for one in shown.given:
        out.print(_line(one), markup=False)
        out.print(f"    {one.purpose}", markup=False)
    for reader in shown.readers:
        out.print(_kafka_line(reader), markup=False)
    if not shown.given and not shown.readers:
        out.print("Nothing was given to anybody.")


def _record(chosen: Settings, record: str, output: Output) -> None:
    from crosstown.audit.asking import Asking
    from crosstown.cli.backbone import backbone

    trail = Asking.of(chosen, backbone(chosen)).trail(record)
    feeds = [
        {"agreement": id_, "numbers": list(one.numbers), "reaches": one.reaches, "gone": one.gone}
        for id_, one in sorted(trail.feeds.items())
    ]
    if output is Output.JSON:
        print_json({
            "record": record, "feeds": feeds,
            "received": [{"sure": one.sure, **_given(one.given)} for one in trail.received],
            "kafka": [_reader(one) for one in trail.readers],
        })  # fmt: skip
        return
    if not trail.feeds:
        out.print("No feed has said anything of it: no party received it.")
    for agreement, feed in sorted(trail.feeds.items()):
        end = ", the last word is that it's gone" if feed.gone else ""
        out.print(f"{agreement} has said it {_numbers(feed.numbers)}{end}", markup=False)
    for got in trail.received:
        said = "" if got.sure else "perhaps, in numbers that the feed no longer reaches back to: "
        out.print(f"  {said}{_line(got.given)}", markup=False)
    for reader in trail.readers:
        out.print(f"  {_kafka_line(reader)}", markup=False)
    if trail.feeds and not trail.received and not trail.readers:
        out.print("  nobody has fetched it yet")


def _given(one: Given) -> dict[str, Any]:
    return {"agreement": one.agreement, "agency": one.agency, "way": one.way, "purpose": one.purpose,
            "deliveries": one.deliveries, "messages": one.messages, "first": one.first,
            "last": one.last, "since": iso(one.since), "until": iso(one.until)}  # fmt: skip


def _reader(one: Reader) -> dict[str, Any]:
    return {"agreement": one.agreement, "agency": one.agency, "way": "kafka", "granted": one.granted,
            "last": one.last, "groups": one.groups}  # fmt: skip


def _line(one: Given) -> str:
    until = "" if _minute(one.since) == _minute(one.until) else f" to {_minute(one.until)}"
    numbers = (
        f"number {one.first}" if one.first == one.last else f"numbers {one.first} to {one.last}"
    )
    return (f"{one.agreement}: {one.agency} by {one.way}, {_count(one.deliveries, 'delivery', 'deliveries')}"
            f" of at most {_count(one.messages, 'message', 'messages')}, {numbers},"
            f" {_minute(one.since)}{until} UTC")  # fmt: skip


def _kafka_line(one: Reader) -> str:
    may = "may read" if one.granted else "may no longer read"
    groups = ", ".join(f"{name} has read up to {number}" for name, number in one.groups.items())
    return (f"{one.agreement}: {one.agency} {may} the feed by Kafka, at most numbers up to {one.last}"
            f"; {groups or 'no group of its own has left its place'}")  # fmt: skip


def _numbers(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    more = ", ..." if len(numbers) > 10 else ""
    return f"in {_count(len(numbers), 'message', 'messages')}: {shown}{more}"


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _minute(at: int) -> str:
    """For people, to the minute; programs get it exactly."""
    return (iso(at) or "")[:16].replace("T", " ")
