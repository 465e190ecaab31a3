"""Ends a process whose loop has stopped turning: whoever keeps it running starts it again.

A thread of its own looks, so it sees a loop that is blocked, in a call or by a lock. A process that
is stopped as a whole can't look: the supervisor, or a liveness probe, sees that it doesn't answer.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Final

from crosstown.health.health import Health

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 5.0
EXIT_CODE: Final = 75
"""The same as the watchdog's over offsets: ended, to be started again."""


def end_if_stuck(health: Health, every: float = LOOK_EVERY) -> None:
    """Watch from now on, on a thread of its own."""
    threading.Thread(target=_watch, args=[health, every], name="stuck", daemon=True).start()


def _watch(health: Health, every: float) -> None:
    said = 0
    pause = threading.Event()
    while said < 2:  # twice in a row: a machine that was asleep gets to turn its loops first
        pause.wait(every)
        why = health.stuck()
        said = said + 1 if why else 0
    log.error("ending, to be started again: %s", why)
    logging.shutdown()
    os._exit(EXIT_CODE)
