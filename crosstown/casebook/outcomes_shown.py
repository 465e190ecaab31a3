"""How cases fare, as metrics: the figures that `crosstown stats` gives, by docs/measures.md."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from itertools import product
from typing import Any, Final

from crosstown import metrics
from crosstown.casebook.lookup import Lookup
from crosstown.lookout.shown import Shown
from crosstown.settings import Settings

AGENCIES: Final = {"single_agency": "one", "cross_agency": "two or more"}
TIMES: Final = (
    "first_report_to_last_close",
    "report_to_end_of_a_record",
    "handed_off_to_picked_up",
)
SHARES: Final = {"0.5": "median_seconds", "0.9": "p90_seconds"}
Series = dict[tuple[str, ...], float]


class OutcomesShown:
    """The gauges of outcomes, set as a whole: a time of which nothing is known any more is gone."""

    def __init__(self) -> None:
        self._cases = Shown(metrics.outcome_cases)
        self._seconds = Shown(metrics.outcome_seconds)

    def look(self, settings: Settings, now: int) -> None:
        """Show them as they are at `now` (microseconds); `Unavailable` where there's no casebook."""
        with closing(Lookup(settings)) as lookup:
            measures = lookup.stats(now)["measures"]
        self._cases.show(cases(measures))
        self._seconds.show(seconds(measures))


def cases(measures: Mapping[str, Any]) -> Series:
    """How many cases, and for how many each measure holds, by measure and agencies."""
    return {
        (name, words): n
        for key, words in AGENCIES.items()
        for name, n in ({"cases": measures[key]["cases"]} | measures[key]["counts"]).items()
    }


def seconds(measures: Mapping[str, Any]) -> Series:
    """How long it takes, by time, share and agencies, where anything is known."""
    found = {
        (time.replace("_", " "), share, words): measures[key][time][SHARES[share]]
        for (key, words), time, share in product(AGENCIES.items(), TIMES, SHARES)
    }
    return {labels: float(value) for labels, value in found.items() if value is not None}
