"""A gauge whose series are those of the last look: what is no longer seen is no longer shown."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge


class Shown:
    """One gauge with labels, set as a whole; a scrape meanwhile sees no gap."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._before: set[tuple[str, ...]] = set()

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Show these and no others, by the values of the gauge's labels in their order."""
        for labels, value in values.items():
            self._gauge.labels(*labels).set(value)
        for labels in self._before - set(values):
            self._gauge.remove(*labels)
        self._before = set(values)
