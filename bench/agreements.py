"""What agreements cost: the pure core of feeds, in events a CPU second of one process, without Kafka.

    python -m bench.agreements [EVENTS [KIND ...]]

The sample city's events in batches of 500, with 1, 10 and 100 agreements in force:

elsewhere   one feed of events of 311's requests, and others of contracts that nobody publishes here
unmatched   ... and others of the same requests, whose filters match none of them
matched     each gives all of the same requests
timelines   one feed of timelines, and others of the same requests, whose filters match none of them
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from riverton_said import REPOSITORY
from sharing_said import NOW, SECRET, Message, accepted, consent, schema_text

from crosstown import sample
from crosstown.agreements.agreement import Agreement
from crosstown.erasure.erasures import Erasures, Key
from crosstown.feeds.sharing import Sharing

BATCH = 500
NUMBERS = (1, 10, 100)
KINDS = ("elsewhere", "unmatched", "matched", "timelines")


def agreement(number: int, contract: str, **more: Any) -> Agreement:
    provider = contract.partition("/")[0]
    return Agreement.model_validate({
        "id": f"bench-{number}", "kind": "agreement", "providers": [provider], "receiver": "riverton-tenants",
        "stewards": {provider: "A", "riverton-tenants": "B"}, "purpose": "To see what it costs.",
        "gives": "events", "contracts": [{"contract": contract, "payload": ["topic_text"]}],
        "envelope": ["agency", "type", "step", "occurred_at", "place", "area", "concern"],
        "jurisdictions": ["us-xx"], "since": "2000-01-01", "start": "2000-01-01", "end": "2035-01-01",
        "basis": {"law": "A law that is long enough.", "document": "a.pdf", "sha256": "0" * 64,
                  "redisclosure": "To nobody, not at all."},
    } | more)  # fmt: skip


def agreements(kind: str, count: int) -> list[Agreement]:
    """One that gives the city's requests, and the others of a kind."""
    requests = "riverton-311/requests"
    gives = "timelines" if kind == "timelines" else "events"
    found = [agreement(0, requests, gives=gives)]
    for number in range(1, count):
        if kind == "elsewhere":
            found.append(agreement(number, "boston-311/requests",
                                   contracts=[{"contract": "boston-311/requests"}], jurisdictions=["us-ma"]))  # fmt: skip
        elif kind == "matched":
            found.append(agreement(number, requests))
        else:
            found.append(
                agreement(
                    number, requests, filter=f'concern == "streets" && area == "nowhere {number}"'
                )
            )
    return found


def measure(said: Sequence[Message], terms: list[Agreement]) -> tuple[float, int]:
    """Events a second, and messages."""
    sharing = Sharing(REPOSITORY, SECRET, Erasures(Key(b"key")), REPOSITORY.window, schema_text)
    sharing.terms(terms)
    for word in [word for one in terms for word in consent(one)]:
        sharing.word(word)
    told, began = 0, time.process_time()
    left = iter(said)
    while batch := list(islice(left, BATCH)):
        for one in batch:
            sharing.say(*one)
        told += sum(1 for _ in sharing.outputs(NOW))
    return len(said) / (time.process_time() - began), told


def main() -> int:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    with tempfile.TemporaryDirectory() as folder:
        said = list(accepted(sample.write(Path(folder), events=events)))
    requests = sum(one[0] == "riverton-311/requests" for one in said)
    print(f"{len(said):,} events, {requests:,} of them requests")
    print(f"{'':12}" + "".join(f"{number:>12}" for number in NUMBERS) + "   agreements")
    for kind in sys.argv[2:] or KINDS:
        row = [measure(said, agreements(kind, number)) for number in NUMBERS]
        print(
            f"{kind:12}"
            + "".join(f"{rate:>10,.0f}/s" for rate, _ in row)
            + f"   {row[0][1]:,} to {row[-1][1]:,} messages",
            flush=True,
        )
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
