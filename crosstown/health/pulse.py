"""Asks each running process whether it lives: one that is stopped as a whole can't end itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from crosstown.health.asking import probe

EVERY: Final = 5.0
PATIENCE: Final = 60.0
"""Seconds without an answer after which a process is ended and started again."""
ASKED: Final = 3
"""How often it must have been asked in vain: a machine that was asleep is no silence."""


class Pulse:
    """Looks at processes by their pid and the URL of their metrics; `silent` names those without answer."""

    def __init__(self, patience: float = PATIENCE, every: float = EVERY) -> None:
        self._patience, self._every = patience, every
        self._heard: dict[int, float] = {}
        self._vain: dict[int, int] = {}

    def run(
        self, stopping: threading.Event, urls: Callable[[], Mapping[int, str]]
    ) -> None:  # fmt: skip
        """Ask all, again and again, until `stopping` is set."""
        while not stopping.wait(self._every):
            self.ask(urls())

    def ask(self, urls: Mapping[int, str]) -> None:
        """Ask each once; a program that says itself that it's stuck ends itself."""
        for pid, url in urls.items():
            answered = probe(url, "/livez", wait=self._every) is not None
            if answered or pid not in self._heard:
                self._heard[pid] = time.monotonic()
            self._vain[pid] = 0 if answered else self._vain.get(pid, 0) + 1
        for gone in self._heard.keys() - urls.keys():
            del self._heard[gone], self._vain[gone]

    def silent(self, pid: int | None) -> bool:
        """Whether a process has been asked in vain for too long."""
        heard = self._heard.get(pid or 0)
        if pid is None or heard is None or self._vain.get(pid, 0) < ASKED:
            return False
        return time.monotonic() - heard > self._patience
