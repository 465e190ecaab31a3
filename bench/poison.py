"""Does poison slow good traffic down? `intake` over good events alone, and with one in ten poisoned.

    python -m bench.poison [EVENTS]

Both in one run, each on a broker of its own; the ratio is of good events a second.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

from bench.path import AGENCY, EVENTS, _event, _producer, backbone


def poison(dice: random.Random, good: bytes) -> bytes:
    """A message that can't be accepted."""
    match dice.randrange(4):
        case 0:
            return good[: len(good) // 2]
        case 1:
            return b"\x89PNG" + os.urandom(200)
        case 2:
            return good + b"\0"
        case _:
            return good[:5] + b"\xff" * 100


def measure(folder: Path, events: int, every: int) -> tuple[float, float]:
    """Good events a second, and CPU seconds a million of them."""
    dice, poisoned = random.Random(1), 0
    with backbone(folder / "home") as bone:
        producer, head, encoder = _producer(bone)
        now = time.time_ns() // 1000
        for number in range(events):
            good = head + encoder.encode(_event(number, now, f"address:{number}-new-st"))
            producer.produce(EVENTS.topic(AGENCY), good)
            if every and number % (every - 1) == 0:
                producer.produce(EVENTS.topic(AGENCY), poison(dice, good))
                poisoned += 1
            if number % 10_000 == 0:
                producer.flush(60)
        producer.flush(60)
        cost = bone.program("intake", lambda topic: topic.startswith("events."))
    share = events / (events + poisoned)
    return cost.rate * share, cost.cpu_per_million / share


def main() -> int:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    found = []
    for name, every in (("clean", 0), ("one in ten poisoned", 10)):
        with tempfile.TemporaryDirectory() as folder:
            rate, cpu = measure(Path(folder), events, every)
        found.append(rate)
        print(f"{name:20}  {rate:>9,.0f} good events/s  {cpu:6.1f} CPU s a million", flush=True)
    print(f"ratio {found[1] / found[0]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
