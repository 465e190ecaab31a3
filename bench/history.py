"""Whether an event costs more the longer the history, and the larger its case.

python -m bench.history        seconds and a table; the pure core, without Kafka
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from crosstown.cases.cases import City
from crosstown.event.envelope import Envelope, saying
from crosstown.event.identity import event_id

DAY = 86_400_000_000
BATCH = 1_000
COUNTED = 20_000


def say(city: City, number: int, place: int, day: float) -> None:
    """A record of its own at a place, with one event."""
    record = f"riverton-311/request/{number}"
    envelope = Envelope(
        event_id=event_id(record, "seen"), agency="riverton-311", record=record, type="seen",
        step="REPORTED", occurred_at=int(day * DAY), jurisdiction="us-xx-riverton",
        place=f"address:{place}-elm-st", concern="housing-condition", known_at=int(day * DAY),
        via="batch",
    )  # fmt: skip
    city.say(*saying(envelope, b"12345"))


def microseconds(city: City, sayings: Iterable[tuple[int, int, float]]) -> float:
    """Of an event, folded in batches of 1,000 and told."""
    count, start = 0, time.perf_counter()
    for number, place, day in sayings:
        say(city, number, place, day)
        count += 1
        if count % BATCH == 0:
            for _ in city.changes():
                pass
    return (time.perf_counter() - start) / count * 1e6


def main() -> int:
    """Print both tables."""
    print("| events in the state | microseconds an event |\n|--:|--:|")
    city, number = City("us-xx-riverton", lambda _: 30 * DAY), 0
    for history in (0, 100_000, 300_000, 1_000_000):
        fill = [(n, n // 5, 20_000 + n % 5) for n in range(number, history)]
        if fill:
            microseconds(city, fill)
        number = max(number, history)
        more = [(n, n // 5, 20_000 + n % 5) for n in range(number, number + COUNTED)]
        number += COUNTED
        print(f"| {history:,} | {microseconds(city, more):.1f} |", flush=True)
    print("\n| records in the case | microseconds an event |\n|--:|--:|")
    for size in (1, 10, 50, 100, 200, 1_000, 5_000):
        city = City("us-xx-riverton", lambda _: 30 * DAY)
        cases = max(1, 1_000 // size)  # as many events a batch to each case as it has records, or 1
        microseconds(city, [(n, n % cases, 20_000.0) for n in range(size * cases)])
        first = size * cases
        more = [(n, n % cases, 20_000.0) for n in range(first, first + min(COUNTED, 10 * BATCH))]
        batches = [more[at : at + BATCH] for at in range(0, len(more), BATCH)]
        per = [microseconds(city, batch) for batch in batches]
        print(
            f"| {size:,} to {size + len(more) // cases:,} | {sum(per) / len(per):.1f} |", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
