"""Is there anything to ask: who runs here, and who is dead for good."""

from __future__ import annotations

from crosstown.errors import Unavailable
from crosstown.home import Endpoints, Home, endpoints
from crosstown.settings import Settings


def backbone(settings: Settings) -> Endpoints:
    """The endpoints of what runs; `Unavailable` with the way to start it where nothing does."""
    from crosstown.running import supervisor

    where = endpoints(settings)
    if not settings.bootstrap and supervisor(Home(settings.home)) is None:
        raise Unavailable(
            f"nothing runs under {settings.home}", mend="start it: crosstown up --detach"
        )
    return where


def dead_programs(settings: Settings) -> set[str]:
    """The programs that have ended and aren't coming back."""
    from crosstown.running import running
    from crosstown.supervise import NAMES

    return {one.name for one in running(settings, NAMES).missing(*NAMES)}
