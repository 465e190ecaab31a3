"""How `crosstown publish --dry-run` shows events; free text, which lies in payloads, is left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.text import Text

from crosstown.cli.published import problems
from crosstown.cli.shell import Output, err, iso, out, print_json

if TYPE_CHECKING:
    from crosstown.contracts.agencies import Agencies
    from crosstown.contracts.checked import Checked
    from crosstown.publishing.preview import Preview

TIMES = ("occurred_at", "due_at", "known_at")


def show(seen: Sequence[Preview], agencies: Agencies, output: Output) -> None:
    """Print the first events (JSON: a line each), and the counts of the whole files."""
    for one in seen:
        if output is Output.JSON:
            for event in one.first:
                print_json(as_json(event))
            continue
        for event in one.first:
            out.print(_line(event, agencies))
        if one.events > len(one.first):
            out.print(
                f"... {one.events - len(one.first):,} more of {one.report.file}", markup=False
            )
    for one in seen:
        err.print(f"{one.report.file}: {one.events:,} events, {one.report.rejected:,} rows rejected; "
                  "nothing was sent", markup=False)  # fmt: skip
    problems([one.report for one in seen])


def as_json(event: Checked) -> dict[str, Any]:
    """The envelope's fields, times in ISO 8601, and the topic that would carry it."""
    fields = asdict(event.envelope)
    return {"topic": event.topic, **fields, **{name: iso(fields[name]) for name in TIMES}}


def _line(event: Checked, agencies: Agencies) -> Text:
    e = event.envelope
    zone = ZoneInfo(agencies.timezone(e.jurisdiction))
    at = dt.datetime.fromtimestamp(e.occurred_at // 1_000_000, zone)
    more = [e.headline if e.headline != e.type else "", e.place, *(f"-> {ref}" for ref in e.refs),
            f"to {e.to_agency}" if e.to_agency else "", *(f"[{flag}]" for flag in e.flags)]  # fmt: skip
    return Text(
        f"{at:%Y-%m-%d %H:%M}  {e.record}  {e.type} {e.step}  {'  '.join(filter(None, more))}"
    )
