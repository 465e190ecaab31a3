"""A library's log lines, each kind at most once in a while: an outage is told, not counted."""

from __future__ import annotations

import logging
import time


class NowAndThen(logging.Filter):
    """Lets a line of these loggers through if its like hasn't been seen for `seconds`."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__()
        self._name = name
        self._seconds = seconds
        self._seen: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.name != self._name and not record.name.startswith(self._name + "."):
            return True
        now = time.monotonic()
        if record.levelno < logging.WARNING:
            return False
        if now - self._seen.get(str(record.msg), -self._seconds) < self._seconds:
            return False
        self._seen[str(record.msg)] = now
        return True
