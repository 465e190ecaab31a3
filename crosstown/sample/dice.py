"""Chance with a seed: the same seed gives the same city on every Python.

Only `random.Random.random` is used: its sequence is the one that Python promises to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Throws that depend on the seed alone."""

    __slots__ = ("roll",)

    def __init__(self, seed: int) -> None:
        self.roll = Random(seed).random  # noqa: S311 - a sample city needs no secrets

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.roll() < probability

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self.roll() * limit)

    def between(self, low: float, high: float) -> int:
        """A whole number from `low` to `high`, seconds as a rule."""
        return int(low + self.roll() * (high - low))

    def pick(self, things: Sequence[T]) -> T:
        """One of them, each as likely as the next."""
        return things[int(self.roll() * len(things))]
