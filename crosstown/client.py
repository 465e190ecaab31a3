"""The client for programs and notebooks: publish what happened, read what is known.

with Client() as city:
    city.publish("riverton-311/requests", [{...}])
    city.read("accepted", since="2025-01-01").pandas()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from crosstown.avro.plain_values import converter
from crosstown.contracts.repository import Repository
from crosstown.errors import NotFound
from crosstown.home import Endpoints
from crosstown.publishing.bodies import Published, publish_bodies, publisher
from crosstown.reading.extract import Extract
from crosstown.reading.records import Records
from crosstown.reading.span import Bound, By, span_of
from crosstown.registry.client import Registry
from crosstown.settings import Settings, settings_of
from crosstown.supervision.running import backbone


class Client:
    """A running installation, or a cluster: settings as the command line has them (CROSSTOWN_*).

    `home` overrides CROSSTOWN_HOME. Raises `Unavailable` where nothing runs.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self.settings: Settings = settings_of(Path(home) if home else None)
        self.where: Endpoints = backbone(self.settings)
        self._registry = Registry.at(self.settings, self.where)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        self._registry.close()

    def publish(
        self,
        contract: str,
        bodies: Iterable[Mapping[str, Any]],
        *,
        agency: str = "",
        known_at: Any = None,
        via: str = "event",
    ) -> Published:
        """Publish bodies under a contract, `<folder>/<name>`, held against it as intake will.

        Times in a body: a datetime with its zone, ISO 8601, or microseconds UTC. `agency`: whose
        topic it goes to (needed under `any/`); `known_at`: when the source said so (a time; None:
        now). What this home has said before isn't sent again, a broken body is rejected and the
        others go on. Returns once Kafka has acknowledged; raises `Unavailable` where it doesn't.
        """
        repository = Repository.of(self.settings)
        found = repository.contracts.get(contract)
        if found is None:
            near = get_close_matches(contract, repository.contracts, 3)
            raise NotFound(f"no contract {contract} in {repository.path}", candidates=tuple(near),
                           mend=f"one of {', '.join(near or repository.contracts)}")  # fmt: skip
        said = _MOMENT(known_at) if known_at is not None else None
        return publish_bodies(self.settings, self.where, repository, found, bodies,
                              publisher(found, agency), said, via)  # fmt: skip

    def read(
        self,
        topic: str,
        since: Bound = None,
        until: Bound = None,
        by: By = "occurred",
        *,
        history: bool = False,
    ) -> Records:
        """What a topic holds up to its end now: an iterator of rows, or `.pandas()` and the like.

        From `since` on and before `until`: by when it occurred, by when it was known, or by offset
        (then of each partition by itself). `accepted` gives the versions that count, `timelines`
        and `alerts.*` the last word on each record; with `history` the earlier ones too. Erased is
        erased. Raises `NotFound` where there is no such topic, with those that are near.
        """
        span = span_of(by, since, until, self.settings.timezone)
        return Records(
            Extract(self.settings, self.where, self._registry, topic, span, history=history)
        )


_MOMENT = converter({"type": "long", "logicalType": "timestamp-micros"}) or int
