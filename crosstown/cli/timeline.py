"""A case as people read it at a counter: the whole story on one screen."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from crosstown.casebook.lookup import Found, Pointer
from crosstown.cli.case import late_by, span
from crosstown.cli.shell import out
from crosstown.contracts.repository import Repository
from crosstown.settings import Settings

GAP: Final = 7 * 86_400
"""Seconds without any event that are shown as a gap."""
LINKS_SHOWN: Final = 30
STYLE: Final = {
    "REPORTED": "bold", "HANDED_OFF": "magenta", "RESOLVED": "green", "CLOSED": "green",
    "REOPENED": "red", "WAITING": "yellow",
}  # fmt: skip
VIA: Final = {
    "hand": "carried by hand", "batch": "nightly file", "poll": "polled", "push": "pushed",
    "changelog": "database log", "event": "live event",
}  # fmt: skip
FLAGS: Final = {
    "ambiguous_local_time": "local time ambiguous: the first was taken",
    "nonexistent_local_time": "local time doesn't exist: clocks went forward",
    "undeclared_agency": "agency not declared",
    "place_doubt": "the address may be one of several: it has no place",
    "screened_phone": "a telephone number stands in its text",
    "screened_email": "an e-mail address stands in its text",
    "screened_ssn": "a social security number stands in its text",
    "screened_card": "a card number stands in its text",
    "screened_name": "a person's name stands in its text",
    "place_unknown": "the address isn't in the list of places",
}


class Names:
    """Agencies' names and the jurisdiction's time zone; ids and UTC where nothing is declared."""

    def __init__(self, settings: Settings, jurisdiction: str) -> None:
        self._agencies = Repository.of(settings).agencies
        self.zone = ZoneInfo(settings.timezone or self._agencies.timezone(jurisdiction))

    def agency(self, agency: str) -> str:
        """The agency's name as people know it."""
        found = self._agencies.get(agency)
        return agency if found is None else found.name

    def local(self, micros: int) -> dt.datetime:
        """A time in the city's zone."""
        return dt.datetime.fromtimestamp(micros // 1_000_000, self.zone)

    def when(self, micros: int) -> str:
        """A time as people write it."""
        return f"{self.local(micros):%a %d %b %Y %H:%M}"


def show(found: Found, settings: Settings) -> None:
    """Print the timeline, and why each record is in it."""
    names = Names(settings, found.jurisdiction)
    _head(found, names)
    _entries(found, names)
    _links(found)
    _people(found, names)
    for pointer in found.pointers:
        out.print(f"  [dim]points to[/] {escape(_pointer(pointer))}")
    if found.as_of is None:
        out.print(f"[dim]version {found.version}, digest {found.case['digest'][:16]}...[/]")


def _head(found: Found, names: Names) -> None:
    case = found.case
    if found.as_of is not None:
        out.print(
            f"[yellow]As it was known on {names.when(found.as_of)}; it may be otherwise now[/]"
        )
    color = "yellow" if case["status"] == "open" else "green"
    out.print(f"[bold]Case {found.case_id}[/]  [{color}]{case['status']}[/]  {found.jurisdiction}")
    agencies = ", ".join(names.agency(one) for one in case["agencies"])
    out.print(f"{len(case['agencies'])} agencies: {escape(agencies)}")
    places = sorted({entry["place"] for entry in case["entries"]} - {""})
    if places:
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        out.print(f"at {', '.join(map(escape, places[:3]))}{more}")
    out.print(
        f"{case['record_count']} records, {case['entry_count']} events from"
        f" {names.when(case['first'])} to {names.when(case['last'])}"
        f" ({span((case['last'] - case['first']) // 1_000_000)}), times in {names.zone}"
    )
    if len(case["entries"]) < case["entry_count"]:
        out.print(f"[yellow]too large for one message: the newest {len(case['entries'])} of"
                  f" {case['entry_count']} events are shown; all count[/]")  # fmt: skip


def _entries(found: Found, names: Names) -> None:
    table = Table.grid(padding=(0, 2, 0, 0), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", style="dim", max_width=34)
    before = 0
    day = ""
    loads = _loads(found)
    for entry in found.case["entries"]:
        at = entry["occurred_at"]
        gap = (at - before) // 1_000_000
        if before and gap >= GAP:
            table.add_row("", f"[dim]... {span(gap)} without a word ...[/]")
        before = at
        if (today := f"{names.local(at):%a %d %b %Y}") != day:
            table.add_row("", f"[bold]{today}[/]")
            day = today
        who = escape(names.agency(entry["agency"]))
        _, _, number = entry["record"].partition("/")
        arrived = _arrived(entry, corrected=entry["event_id"] in found.corrected,
                           late=_load(entry) not in loads)  # fmt: skip
        table.add_row(f"{names.local(at):%H:%M}", f"[cyan]{who}[/]  {_what(entry, names)}",
                      f"{escape(number)}\n{arrived}")  # fmt: skip
    out.print()
    out.print(table)
    for (agency, known_at), n in loads.items():
        out.print(f"[yellow]late:[/] {n} entries of {escape(names.agency(agency))} became known only on"
                  f" {names.when(known_at)}, in one load")  # fmt: skip
    out.print()


def _what(entry: dict[str, Any], names: Names) -> str:
    style = STYLE.get(entry["step"], "")
    said = entry["headline"] if entry["headline"] != entry["type"] else ""
    text = escape(said or entry["type"].replace(".", " ").replace("_", " "))
    lines = [f"[{style}]{text}[/]" if style else text]
    if entry["to_agency"]:
        lines.append(f"[magenta]-> {escape(names.agency(entry['to_agency']))}[/]")
    if entry["due_at"] is not None:
        lines.append(f"[dim]promised by {names.when(entry['due_at'])}[/]")
    lines += [
        f"[yellow]! {escape(FLAGS.get(flag, flag.replace('_', ' ')))}[/]" for flag in entry["flags"]
    ]
    return "\n".join(lines)


def _load(entry: dict[str, Any]) -> tuple[str, int]:
    """The call by which an entry came: one known_at for all its files."""
    return entry["agency"], entry["known_at"]


def _loads(found: Found) -> dict[tuple[str, int], int]:
    """The loads that told three or more entries of this case late: said once, not at each."""
    late = Counter(_load(one) for one in found.case["entries"] if late_by(one) is not None)
    return {load: n for load, n in late.items() if n >= 3}


def _arrived(entry: dict[str, Any], *, corrected: bool, late: bool) -> str:
    how = VIA[entry["via"]]
    told = [escape(entry["channel"]), how] if entry["channel"] else [how]
    seconds = late_by(entry) if late else None
    marks = [f"late by {span(seconds)}"] if seconds is not None else []
    marks += ["corrected"] if corrected else []
    return ", ".join(told) + (f"\n[yellow]{', '.join(marks)}[/]" if marks else "")


def _links(found: Found) -> None:
    links = found.case["links"]
    if not links and found.case["people"]:
        out.print("One record.")
        return
    if not links:
        out.print("One record; nothing else is at its place and time, and nobody names it.")
        return
    out.print("[bold]Why these records belong together[/]")
    source = ""
    for link in sorted(links[:LINKS_SHOWN], key=lambda one: one["from"]):
        if link["from"] != source:
            source = link["from"]
            out.print(f"  {escape(source)}")
        if link["rule"] == "ref":
            out.print(f"    [dim]names[/] {escape(link['to'])}")
        elif link["rule"] == "asserted":
            out.print(f"    [dim]is one matter with[/] {escape(link['to'])}"
                      f" [dim]({escape(link['why'])})[/]")  # fmt: skip
        else:
            out.print(f"    [dim]same place and concern as[/] {escape(link['to'])}"
                      f" [dim]({span(link['seconds'])} apart)[/]")  # fmt: skip
    rest = found.case["link_count"] - min(len(links), LINKS_SHOWN)
    if rest:
        out.print(f"  [dim]... and {rest} more links (-o json)[/]")


def _people(found: Found, names: Names) -> None:
    """What staff said that keeps records apart."""
    for one in found.case["people"]:
        what = f"is not one matter with {one['other']}" if one["other"] else "stands apart"
        who = f"{one['why']} ({names.agency(one['agency'])}, {names.when(one['at'])})"
        out.print(
            f"  {escape(one['record'])} [red]{escape(what)}[/]\n    [dim]so says {escape(who)}[/]"
        )


def _pointer(pointer: Pointer) -> str:
    if pointer.case_id and pointer.here:
        return f"{pointer.record}, which is in another case: crosstown case {pointer.case_id}"
    if pointer.case_id:
        return (f"{pointer.record} in {pointer.jurisdiction} (named by {pointer.named_by};"
                f" see it: crosstown case {pointer.case_id})")  # fmt: skip
    return f"{pointer.record}, which nobody has published yet (named by {pointer.named_by})"
