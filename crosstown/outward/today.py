"""A feed's messages in the form that its agreement has today, as they lie in Kafka.

What was said under earlier, wider terms is read in today's form: a field that isn't agreed any more
doesn't go out again.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from crosstown.errors import NotFound, Refused
from crosstown.guards import guard
from crosstown.home import Endpoints
from crosstown.opened import Opener, Row
from crosstown.outward.feed_log import FeedLog, Said
from crosstown.registry import Registry
from crosstown.settings import Settings


class Opened(NamedTuple):
    """A message and its fields; None where they can't be read in today's form."""

    said: Said
    row: Row | None


class Today:
    """One feed from a number on; raises `Unavailable` where Kafka or the registry doesn't answer."""

    def __init__(self, settings: Settings, endpoints: Endpoints, topic: str) -> None:
        self._topic = topic
        self._log = FeedLog(settings, endpoints, topic)
        self._registry = Registry.at(settings, endpoints)
        self._form: Any = None
        self._opener = Opener(self._registry.schema, own=True)

    def go_behind(self, number: int) -> None:
        """Go on with the message after this number; `NotFound` where there is no feed yet."""
        self._log.go_behind(number)

    def next(self, most: int, wait: float) -> deque[Opened]:
        """The next messages, as many as have come after `wait` seconds at most."""
        found: list[Said] = []
        while len(found) < most and (said := self._log.next(0.0 if found else wait)) is not None:
            found.append(said)
        if found:
            self._look()
        return deque(Opened(said, self._row(said)) for said in found)

    def close(self) -> None:
        """Give up the connections."""
        self._log.close()
        self._registry.close()

    def _look(self) -> None:
        """The form may have changed, with a contract's version or with the terms."""
        try:
            form = guard(self._registry.latest(f"{self._topic}-value").schema)
        except Refused as refused:
            raise NotFound(f"{self._topic} has no schema: {refused}") from None
        if form != self._form:
            self._form = form
            self._opener = Opener(self._registry.schema, form, own=True)

    def _row(self, said: Said) -> Row | None:
        try:
            return self._opener.row(said.value)
        except Refused:
            return None
