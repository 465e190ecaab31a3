"""How far the running programs are behind, as their own metrics say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

WAIT: Final = 1.0
"""Seconds that one program is given to answer."""


def lag_of(url: str) -> int | None:
    """Messages that the program with its metrics at `url` has still to deal with.

    None where it doesn't answer, or waits for what it can't work without.
    """
    try:
        with urlopen(url, timeout=WAIT) as answer:  # noqa: S310 - http, as the supervisor wrote it
            text = answer.read().decode()
    except (OSError, ValueError):
        return None
    behind = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "crosstown_lag":
                behind += sample.value
            elif sample.name == "crosstown_waiting" and sample.value:
                return None
    return int(behind)


def lags(metrics: Mapping[str, str], names: tuple[str, ...]) -> dict[str, int | None]:
    """The same of several programs, by name; only of those that serve metrics."""
    return {name: lag_of(metrics[name]) for name in names if name in metrics}
