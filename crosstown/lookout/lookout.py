"""The round that looks at everything, again and again, and never ends because something is broken."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from crosstown import metrics
from crosstown.home import Endpoints
from crosstown.lookout.cluster import Cluster
from crosstown.lookout.place import Place
from crosstown.lookout.terms import Terms
from crosstown.settings import Settings

log = logging.getLogger(__name__)

EVERY: Final = 15.0
"""Seconds between two looks."""


class Lookout:
    """Looks at one installation until it's told to stop.

    `endpoints` says where Kafka is now, None while it isn't there: then only the rest is looked at.
    """

    def __init__(self, settings: Settings, endpoints: Callable[[], Endpoints | None]) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._place = Place(settings)
        self._terms = Terms(settings)
        self._cluster: tuple[Endpoints, Cluster] | None = None
        self._said: dict[str, str] = {}

    def run(
        self, stopping: threading.Event, turn: Callable[[], None] = lambda: None
    ) -> None:  # fmt: skip
        """Look every 15 seconds until `stopping` is set; `turn` is called once a round."""
        while not stopping.is_set():
            turn()
            self.look()
            stopping.wait(EVERY)
        self._forget()

    def look(self) -> None:
        """Look at everything once; what can't be seen keeps its figures, and its time stands still."""
        self._try("home", self._place.look)
        self._try("contracts", self._terms.look)
        self._try("cluster", self._look_at_cluster)

    def _look_at_cluster(self) -> None:
        where = self._endpoints()
        if where is None or self._terms.repository is None:
            return
        if self._cluster is None or self._cluster[0] != where:
            self._forget()
            self._cluster = (where, Cluster(self._settings, where))
        self._cluster[1].look(self._terms.repository)
        metrics.looked.labels("cluster").set(time.time())

    def _try(self, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:  # noqa: BLE001 - a look that fails must not end the next one
            why = f"{type(error).__name__}: {error}"
            if self._said.get(what) != why:
                log.warning("the lookout can't see the %s: %s", what, why)
            self._said[what] = why
        else:
            self._said.pop(what, None)
            if what != "cluster":
                metrics.looked.labels(what).set(time.time())

    def _forget(self) -> None:
        if self._cluster is not None:
            self._cluster[1].close()
            self._cluster = None
