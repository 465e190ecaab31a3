"""Reciprocity: what each agency gives and gets, found now and then, into `reciprocity` and metrics.

Its metrics also say how cases fare, since it asks the casebook as often as that changes.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaException

from crosstown import metrics
from crosstown.casebook.outcomes_shown import OutcomesShown
from crosstown.errors import Stop, Unavailable
from crosstown.lookout.shown import Shown
from crosstown.program import Program, main
from crosstown.reciprocity.balance import Asked, Balance
from crosstown.reciprocity.reciprocity_log import changes, read, write
from crosstown.reciprocity.report import report

log = logging.getLogger(__name__)

ROUND: Final = 3_600.0
"""Seconds that finding the figures may take: all that was ever accepted is read for it."""
PAUSE: Final = 5.0
"""Seconds between two tries where something needed is away."""
AT_MOST: Final = 20
"""Finding the figures takes at most one part in so many of the program's time."""


def run(program: Program) -> None:
    """accepted, delivered, agreements, the casebook -> balances -> reciprocity, one transaction a round."""
    program.ready()
    program.health.patience(ROUND)
    outcomes = OutcomesShown()
    after = Shown(metrics.reciprocity_after)
    while not program.stopping.is_set():
        began = time.monotonic()
        try:
            found = report(program.settings, program.endpoints, time.time_ns() // 1000)
            outcomes.look(program.settings, found.now)
            before = read(program.settings, program.endpoints)
            written = write(program.settings, program.endpoints,
                            changes(before, found.balances, found.now))  # fmt: skip
        except (Unavailable, Stop, KafkaException) as error:  # a broker may go in any call
            log.warning("waiting: %s", error)
            metrics.waiting.labels(program.name).set(1)
            program.health.waits("figures", str(error))
            program.rest(PAUSE)
            continue
        metrics.waiting.labels(program.name).set(0)
        program.health.waits("figures", "")
        measure(found.balances, after)
        took = time.monotonic() - began
        log.info("%d balances in %.1f s, %d are others than before",
                 len(found.balances), took, written)  # fmt: skip
        program.rest(max(program.settings.reciprocity_minutes * 60, AT_MOST * took))


def measure(balances: Iterable[Balance], after: Shown) -> None:
    """Set the gauges; `after`, the medians, as a whole: one that nothing stands behind is gone."""
    medians: dict[tuple[str, ...], float] = {}
    for one in balances:
        for way, side in (("gives", one.gives), ("gets", one.gets)):
            metrics.reciprocity_events.labels(one.agency, way).set(side.events)
            metrics.reciprocity_records.labels(one.agency, way).set(side.records)
            metrics.reciprocity_untold.labels(one.agency, way).set(side.untold)
            metrics.reciprocity_enriched.labels(one.agency, way).set(side.enriched)
            if side.after.median_seconds is not None:
                medians[one.agency, way] = side.after.median_seconds
        _requests(one.agency, "asked-for", one.asked_for)
        _requests(one.agency, "was-asked", one.was_asked)
    after.show(medians)


def _requests(agency: str, way: str, asked: Asked) -> None:
    for answer in ("open", "accepted", "declined", "lapsed"):
        metrics.reciprocity_requests.labels(agency, way, answer).set(getattr(asked, answer))


if __name__ == "__main__":
    sys.exit(main("reciprocity", run))
