"""How many copies a topic has, by the size of the cluster."""

from __future__ import annotations

from typing import Final

MOST: Final = 3


def replicas(brokers: int) -> int:
    """How many copies a topic has: three, or as many as there are brokers."""
    return max(1, min(MOST, brokers))


def in_sync(brokers: int) -> int:
    """How many copies must hold a message before it counts: of three, two; one may be away."""
    return max(1, replicas(brokers) - 1)
