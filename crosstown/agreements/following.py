"""The agreements as they stand now, kept up to date by a thread of its own.

For programs that serve what flows and must stop within a second of a revocation.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final, Self

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.now import AgreementsNow
from crosstown.agreements.words import Standing
from crosstown.contracts.repository import Repository
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.1
AGAIN: Final = 1.0
"""Seconds until another try where Kafka doesn't show what was said."""


class Following:
    """Agreements and words up to now; may be asked from any thread."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._now: AgreementsNow | None = None
        self._closing = threading.Event()
        self.fatal = ""
        """Why it can't go on, if it can't."""
        self._thread = threading.Thread(target=self._run, name="agreements", daemon=True)

    def start(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    @property
    def repository(self) -> Repository:
        """Agreements and contracts as their files are now; raises `Unavailable` before all was read."""
        return self._read.repository

    def standing(self, agreement: Agreement) -> Standing:
        """Where it stands now; raises `Unavailable` before all was read."""
        return self._read.standing(agreement.id, time.time_ns() // 1000)

    @property
    def _read(self) -> AgreementsNow:
        if self._now is None:
            raise Unavailable("what was agreed hasn't been read yet", mend="see crosstown status")
        return self._now

    def close(self) -> None:
        """Read no more."""
        self._closing.set()
        self._thread.join(3)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                try:
                    self._follow()
                except Unavailable as error:
                    log.warning("%s", error)
                    self._closing.wait(AGAIN)
        except Exception as error:
            log.exception("agreements can't be followed")
            self.fatal = f"agreements can't be followed: {error}"
        finally:
            if self._now is not None:
                self._now.close()

    def _follow(self) -> None:
        if self._now is None:
            self._now = AgreementsNow(self._settings, self._endpoints)
        while not self._closing.wait(LOOK_EVERY):
            self._now.look()
