"""Rows a second of the client, over a running installation: `python bench/client.py [EVENTS]`.

Publishes that many events once (another call knows them), waits until they are accepted, then reads.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from crosstown import Client

events = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
start = datetime(2025, 1, 1, tzinfo=UTC)


def bodies():
    for n in range(events):
        yield {
            "agency": "riverton-311",
            "record": f"riverton-311/bench/B-{n // 4}",
            "type": f"step-{n % 4}",
            "step": "NOTE",
            "occurred_at": start + timedelta(minutes=n),
            "due_at": None,
            "identity": [],
            "jurisdiction": "us-xx-riverton",
            "place": f"address:{n // 40}-elm-st",
            "area": "Riverside",
            "concern": "",
            "to_agency": "",
            "channel": "phone",
            "refs": [],
            "flags": [],
            "payload": '{"note": "a line of text as long as most are"}',
        }


def measured(what, call):
    began = time.perf_counter()
    count = call()
    took = time.perf_counter() - began
    print(f"{what:36} {count:>9,} rows {took:7.1f} s {count / took:>9,.0f} rows/s", flush=True)


def count(rows):
    return sum(1 for _ in rows)


with Client() as city:
    said = []
    measured(
        "publish",
        lambda: said.append(city.publish("any/events", bodies(), agency="riverton-311")) or events,
    )
    print(
        f"  {said[0].published:,} new, {said[0].already_known:,} known, {len(said[0].rejected)} rejected"
    )
    subprocess.run(
        [sys.executable, "-m", "crosstown.cli", "stats", "--wait"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    measured("accepted, row by row", lambda: count(city.read("accepted")))
    measured("accepted, .arrow()", lambda: city.read("accepted").arrow().num_rows)
    measured(
        "accepted, .arrow(), with history",
        lambda: city.read("accepted", history=True).arrow().num_rows,
    )
    measured(
        "accepted, a tenth, .arrow()",
        lambda: (
            city.read("accepted", start, start + timedelta(minutes=events // 10)).arrow().num_rows
        ),
    )
    measured("timelines, .arrow()", lambda: city.read("timelines").arrow().num_rows)
    measured("events.*, row by row", lambda: count(city.read("events.riverton-311.events")))
    measured("events.*, .arrow()", lambda: city.read("events.riverton-311.events").arrow().num_rows)
