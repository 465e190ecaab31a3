"""A feed's messages in the form that its agreement has today, as they lie in Kafka.

What was said under earlier, wider terms is read in today's form: a field that isn't agreed any more
doesn't go out again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from crosstown.agreements.agreement import Agreement
from crosstown.contracts.contract import Contract
from crosstown.feeds.todays_form import TodaysForm
from crosstown.home import Endpoints
from crosstown.outward.feed_log import FeedLog, Said
from crosstown.reading.opened import Row
from crosstown.registry.client import Registry
from crosstown.settings import Settings

Contracts = Mapping[str, Contract]


class Opened(NamedTuple):
    """A message and its fields; what can't be read in today's form says so, and has its number."""

    said: Said
    row: Row


class Today:
    """One feed from a number on; raises `Unavailable` where Kafka or the registry doesn't answer."""

    def __init__(
        self, settings: Settings, endpoints: Endpoints, agreement: Agreement,
        contracts: Callable[[], Contracts],
    ) -> None:  # fmt: skip
        self._agreement, self._contracts = agreement, contracts
        self._log = FeedLog(settings, endpoints, agreement.topic)
        self._registry = Registry.at(settings, endpoints)
        self._known: Contracts = {}
        self._form: TodaysForm | None = None

    def go_behind(self, number: int) -> None:
        """Go on with the message after this number; `NotFound` where there is no feed yet."""
        self._log.go_behind(number)

    def next(self, most: int, wait: float) -> deque[Opened]:
        """The next messages, as many as have come after `wait` seconds at most."""
        found: list[Said] = []
        while len(found) < most and (said := self._log.next(0.0 if found else wait)) is not None:
            found.append(said)
        form = self._formed()
        return deque(Opened(said, form.row(said.number, said.value)) for said in found)

    def close(self) -> None:
        """Give up the connections."""
        self._log.close()
        self._registry.close()

    def _formed(self) -> TodaysForm:
        contracts = self._contracts()
        if self._form is None or contracts is not self._known:
            self._known = contracts
            self._form = TodaysForm(self._agreement, contracts, self._registry.schema)
        return self._form
