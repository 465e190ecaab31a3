"""From whom intake takes nothing now, followed as it is said."""

from __future__ import annotations

import logging

from crosstown import metrics
from crosstown.backbone.topic_tail import TopicTail
from crosstown.errors import Unavailable
from crosstown.pausing.pause_log import TOPIC, newest
from crosstown.program import Program

log = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds until another try where Kafka doesn't show what was said."""


def agency_of(topic: str) -> str:
    """Whose topic it is: the second word of `events.<agency>.<contract>`; empty for others."""
    words = topic.split(".")
    return words[1] if len(words) > 2 and words[0] == "events" else ""


class Pauses:
    """The agencies that are paused; `look` takes in what was said since, and doesn't wait."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._tail = TopicTail(
            program.settings, program.endpoints, TOPIC, "intake-pauses", "who is paused"
        )
        self._paused: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Read all that was said; returns once it is known, or the program is to stop.

        Without it an agency's messages would be taken in after each restart.
        """
        while not self._program.stopping.is_set():
            try:
                self._hear(wait=True)
            except Unavailable as error:
                log.warning("waiting: %s", error)
                self._program.health.waits("pauses", str(error))
                self._program.rest(AGAIN)
            else:
                self._program.health.waits("pauses", "")
                return

    def look(self) -> None:
        """Take in what was said since; while Kafka is away all stays as it was."""
        try:
            self._hear(wait=False)
        except Unavailable as error:
            log.debug("%s", error)

    def holds(self, topic: str) -> bool:
        """Whether nothing is to be taken from this topic now; may be asked from any thread."""
        return agency_of(topic) in self._paused

    def close(self) -> None:
        """Give up the connection."""
        self._tail.close()

    def _hear(self, *, wait: bool) -> None:
        for one in newest(self._tail.to_end() if wait else self._tail.news()).values():
            now = self._paused - {one.agency} | ({one.agency} if one.paused else set())
            if now != self._paused:
                log.info("%s is %s", one.agency, "paused" if one.paused else "resumed")
            self._paused = now
            metrics.paused.labels(one.agency).set(one.paused)
