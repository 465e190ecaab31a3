"""What `crosstown completeness` and the shares behind `crosstown reciprocity` cost, an event.

    python -m bench.completeness [EVENTS]

Real Kafka, one partition, `any/events` of 311 under one handshake; the programs have settled before.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, "tests")

from feeding import Town, body, handshake  # noqa: E402

from crosstown.completeness.answer import completeness
from crosstown.reciprocity.report import report
from crosstown.supervision.waiting import Waiting


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        town = Town(Path(folder), {"reports": handshake("reports")})
        try:
            town.start("intake", "cases", "casebook", "feeds")
            town.publish(body(i) for i in range(n))
            town.say("accepted", "reports")
            Waiting(town.settings, town.where, 600, set, lambda _: None).run()
            while len(town.delivered()) < n:
                time.sleep(1)
            at = time.monotonic()
            (flow,) = completeness(town.settings, town.where)
            whole = time.monotonic() - at
            assert flow.complete and flow.states["joined"] == n, flow.differences[:3]
            at = time.monotonic()
            report(town.settings, town.where, time.time_ns() // 1000)
            shares = time.monotonic() - at
            print(
                f"{n:,} events: completeness {whole:.1f} s ({n / whole:,.0f}/s),"
                f" of these reciprocity {shares:.1f} s ({n / shares:,.0f}/s)"
            )
        finally:
            town.close()


if __name__ == "__main__":
    main()
