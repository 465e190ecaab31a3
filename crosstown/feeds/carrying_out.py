"""What the parties say, carried out: what has ended is cut at the broker, what begins gets its ground."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final, get_args

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Standing, State
from crosstown.backbone import kafka
from crosstown.errors import Stop, Unavailable
from crosstown.feeds import grants
from crosstown.feeds.ground import lay
from crosstown.feeds.hearing import Hearing
from crosstown.feeds.holding import Holding
from crosstown.feeds.sharing import Sharing
from crosstown.home import Endpoints
from crosstown.registry.client import Registry
from crosstown.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT: Final = 30.0
AGAIN: Final = 5.0
"""Seconds after which access rules that couldn't be set are tried again."""
LATER: Final = 60.0
"""... and where the cluster says no to it."""
DAY: Final = 86_400


class CarryingOut:
    """The agreements of a repository, where each stands now, and what follows from it.

    `let_read` hears of each agreement of which the receiver is about to be let read the feed at the
    broker; what it raises keeps that from happening. `schema_ids` are those of the feeds that have their ground: topic and schema.
    """

    def __init__(
        self, settings: Settings, endpoints: Endpoints, registry: Registry, sharing: Sharing,
        agreements: Iterable[Agreement], agencies: Collection[str],
        let_read: Callable[[Agreement], None] = lambda _agreement: None,
    ) -> None:  # fmt: skip
        self._settings, self._endpoints = settings, endpoints
        self._registry, self._sharing = registry, sharing
        self._agencies = agencies
        self._let_read = let_read
        self._holding = Holding(agreements)
        self._hearing = Hearing(settings, endpoints)
        self._standings: dict[str, Standing] = {}
        self._settle_at = 0.0
        self.agreements = self._holding.agreements
        self.schema_ids: dict[str, int] = {}

    def close(self) -> None:
        """Give up the connection."""
        self._hearing.close()

    def hear(self) -> int:
        """Hear what was said up to now, and carry it out; the moment, microseconds UTC.

        Raises `Unavailable` where nobody knows what was said, `SetAside` where an agreement can't be
        carried out.
        """
        news = self._hearing.news()
        now = time.time_ns() // 1000
        self._holding.hear(news)
        for word in news:
            self._sharing.word(word)
        standings = self._holding.standings(now)
        for name, one in standings.items():
            if one != self._standings.get(name):
                self._tell(name, one)
                self._settle_at = 0.0
        self._standings = standings
        self._settle()  # first: what has ended is cut before anything else is done
        self._lay()
        return now

    def _lay(self) -> None:
        """Give those that hold their ground, where they haven't it yet."""
        new = [n for n, one in self._standings.items() if one.holds and n not in self.schema_ids]
        if not new:
            return
        admin = kafka.wait_for_broker(self._settings, self._endpoints, TIMEOUT)
        for name in new:
            agreement, schema = self.agreements[name], self._sharing.schema(name)
            self.schema_ids[name] = lay(admin, self._registry, agreement, schema)

    def _tell(self, name: str, one: Standing) -> None:
        log.info("%s: %s, %s", name, one.state, one.why)
        agreement = self.agreements[name]
        metrics.feed_holds.labels(name).set(one.holds)
        for state in get_args(State):
            metrics.feed_state.labels(name, state).set(state == one.state)
        metrics.feed_ends.labels(name).set(one.ends / 1e6)
        metrics.feed_fresh.labels(name).set((agreement.fresh_minutes or 0) * 60)
        metrics.feed_quiet.labels(name).set(agreement.quiet_days * DAY)

    def _settle(self) -> None:
        """Let the broker's access rules follow; where that fails it is tried again."""
        if time.monotonic() < self._settle_at:
            return
        holding = [self.agreements[name] for name, one in self._standings.items() if one.holds]
        self._settle_at = float("inf")
        try:
            done = grants.settle(self._settings, self._endpoints, holding, self._agencies, lambda topic:
                                 self._let_read({one.topic: one for one in holding}[topic]))  # fmt: skip
        except (Stop, Unavailable) as error:
            log.warning("access rules of feeds aren't settled: %s", error)
            self._settle_at = time.monotonic() + (
                AGAIN if isinstance(error, Unavailable) else LATER
            )
        else:
            for what, these in (("cut", done.cut), ("given", done.give)):
                for one in sorted(these):
                    log.info("%s: %s", what, one)
