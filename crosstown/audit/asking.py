"""What can be asked of the access log where an installation runs: each question read from Kafka anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from crosstown.agreements.agreement import Agreement
from crosstown.audit.given import Given, InFeed, Received, given, received
from crosstown.audit.link import Said
from crosstown.audit.readers import Reader, readers
from crosstown.audit.told import Sought, in_feeds
from crosstown.audit.topic import everything
from crosstown.casebook.lookup import Lookup
from crosstown.contracts.repository import Repository
from crosstown.errors import NotFound
from crosstown.event.identity import case_key
from crosstown.home import Endpoints, Home
from crosstown.settings import Settings


class Shown(NamedTuple):
    """Who was given what: the log's word, and what Kafka's own readers may have read."""

    given: list[Given]
    readers: list[Reader]


class Trail(NamedTuple):
    """Which parties a record reached; `feeds` are those that said something of it, by agreement."""

    feeds: dict[str, InFeed]
    received: list[Received]
    readers: list[Reader]


@dataclass(frozen=True, slots=True)
class Asking:
    """One installation's access log, asked."""

    settings: Settings
    endpoints: Endpoints
    agreements: dict[str, Agreement]

    @classmethod
    def of(cls, settings: Settings, endpoints: Endpoints) -> Asking:
        """Of the installation that these settings mean."""
        return cls(settings, endpoints, Repository.of(settings).agreements)

    def providing(self, agency: str) -> frozenset[str]:
        """The agreements under which an agency gives."""
        return frozenset(id_ for id_, one in self.agreements.items() if agency in one.providers)

    def shown(self, of: str = "") -> Shown:
        """Who was given what; `of`: only what agency `of` gives. Raises `Unavailable`."""
        ours = self.providing(of)

        def asked(agreement: str) -> bool:
            return not of or agreement in ours

        said = [one for one in self._deliveries() if asked(one.agreement)]
        return Shown(given(said), [one for one in self._readers() if asked(one.agreement)])

    def trail(self, record: str) -> Trail:
        """Which parties a record reached, as far as the log, the feeds and the casebook know.

        One that was erased is found where feeds still hold its own name. Raises `NotFound` where nothing
        at all is known of it; `Unavailable`.
        """
        lookup = Lookup(self.settings)
        try:
            events, beside = lookup.events_of(record), lookup.beside(record)
        finally:
            lookup.close()
        sought = Sought(record, frozenset(events), frozenset(case_key(*one) for one in beside))
        secret = Home(self.settings.home).pseudonym_key(self.settings)
        feeds = in_feeds(self.settings, self.endpoints, sought, secret, self.agreements)
        if not events and not feeds:
            raise NotFound(
                f"nothing is known here of {record[:200]!r}",
                mend="name it in full: agency/register/number; what was erased is known only as far as"
                " feeds still hold it: ask before you erase",
            )
        since = min(events.values(), default=0)
        return Trail(feeds, list(received(self._deliveries(), feeds, since)),
                     [one for one in self._readers() if one.agreement in feeds])  # fmt: skip

    def _deliveries(self) -> Iterator[Said]:
        for found in everything(self.settings, self.endpoints):
            if found.link is not None and found.link.said.what == "delivery":
                yield found.link.said

    def _readers(self) -> list[Reader]:
        parties = {(id_, one.receiver) for id_, one in self.agreements.items()}
        return readers(self.settings, self.endpoints, parties)
