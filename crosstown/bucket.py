"""How much each agency may push: a bucket that fills with time and may go into debt. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Level:
    tokens: float
    at: float


@dataclass(slots=True)
class Buckets:
    """One bucket a name, `rate` tokens a second, never more than one second's worth, at least one.

    Who has something left may send a whole batch and pays for it by waiting after.
    """

    rate: float
    _levels: dict[str, _Level] = field(default_factory=dict)

    def wait(self, name: str, now: float) -> float:
        """Seconds until `name` may send again; 0: now."""
        level = self._level(name, now)
        return 0.0 if level.tokens > 0 else (1e-3 - level.tokens) / self.rate

    def take(self, name: str, events: int, now: float) -> None:
        """`events` were sent."""
        self._level(name, now).tokens -= events

    def _level(self, name: str, now: float) -> _Level:
        most = max(1.0, self.rate)
        level = self._levels.setdefault(name, _Level(most, now))
        level.tokens = min(most, level.tokens + (now - level.at) * self.rate)
        level.at = now
        return level
