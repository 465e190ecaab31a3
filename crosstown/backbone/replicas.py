"""How many copies a topic has, by the size of the cluster."""

from __future__ import annotations

from typing import Any, Final

MOST: Final = 3


def size(cluster: Any) -> int:
    """How many brokers a cluster has, from its metadata; one that is down counts where it has copies.

    Who counted only those that are up would, while one of three is down, take two copies and one in
    step for enough, and say so to Kafka.
    """
    parts = [part for about in cluster.topics.values() for part in about.partitions.values()]
    return len(set(cluster.brokers).union(*(part.replicas for part in parts)))


def replicas(brokers: int) -> int:
    """How many copies a topic has: three, or as many as there are brokers."""
    return max(1, min(MOST, brokers))


def in_sync(brokers: int) -> int:
    """How many copies must hold a message before it counts: of three, two; one may be away."""
    return max(1, replicas(brokers) - 1)
