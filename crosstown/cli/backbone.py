"""Is there anything to ask: who runs here, and who is dead for good."""

from __future__ import annotations

from crosstown.settings import Settings
from crosstown.supervision.running import backbone

__all__ = ["backbone", "dead_programs", "warn_of_lag"]


def dead_programs(settings: Settings) -> set[str]:
    """The programs that have ended and aren't coming back."""
    from crosstown.supervision.running import running
    from crosstown.supervision.supervise import NAMES

    return {one.name for one in running(settings, NAMES).missing(*NAMES)}


def warn_of_lag(settings: Settings) -> None:
    """Say on standard error where the casebook is behind what was accepted, or stands still."""
    from crosstown.cli.shell import err
    from crosstown.supervision.lag import lag_of
    from crosstown.supervision.running import running
    from crosstown.supervision.supervise import NAMES

    url = running(settings, NAMES).metrics.get("casebook", "")
    behind = lag_of(url) if url else None
    if behind is None:
        err.print("the casebook isn't being written now: this is how it was left"
                  " (see crosstown status)", markup=False)  # fmt: skip
    elif behind:
        err.print(f"the casebook is {behind:,} messages behind: crosstown stats --wait waits for it",
                  markup=False)  # fmt: skip
