"""For how long a program has committed nothing while messages wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import Consumer

from crosstown.lookout.since import Since
from crosstown.processing.watchdog import data_waits

PATIENCE: Final = 60.0
"""Seconds of standing before it's looked whether data waits, or markers of transactions only."""
Offsets = Mapping[tuple[str, int], int]


class StandingStill:
    """Remembers what was committed when; `reader` looks into a partition that seems to stand."""

    def __init__(self, reader: Consumer) -> None:
        self._reader = reader
        self._since = Since()
        self._hollow: dict[tuple[str, str, int], tuple[int, int]] = {}

    def look(
        self, committed: Mapping[str, Offsets], ends: Offsets, now: float
    ) -> dict[tuple[str, ...], float]:
        """Seconds by program, topic and partition; 0 where it goes on, or nothing waits.

        `committed` by program; `ends` up to where can be read. `now` in seconds of a steady clock.
        """
        places = {(program, *tp): (at, ends[tp])
                  for program, found in committed.items() for tp, at in found.items()}  # fmt: skip
        behind = {one: at for one, (at, end) in places.items()
                  if at < end and self._hollow.get(one) != (at, end)}  # fmt: skip
        ages = self._since.seconds(behind, now)
        for one, age in ages.items():
            waits = age < PATIENCE or data_waits(self._reader, one[1], one[2], behind[one])
            if waits is False:  # None: nobody could say
                self._hollow[one] = places[one]
                ages[one] = 0.0
        return {(p, topic, str(n)): ages.get((p, topic, n), 0.0) for p, topic, n in places}
