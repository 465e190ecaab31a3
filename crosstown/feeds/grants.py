"""Which receivers may read their feeds at the broker: given while an agreement holds, else cut.

A cut reaches open connections: their next request is refused. Giving and cutting may be done again
at any time without harm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from typing import NamedTuple

from crosstown.agreements.agreement import Agreement
from crosstown.home import Endpoints
from crosstown.provisioning.access import FEED, Grant, feed_grants
from crosstown.provisioning.cluster import Cluster
from crosstown.settings import Settings


class Difference(NamedTuple):
    """What is to be given and what is to be cut."""

    give: frozenset[Grant]
    cut: frozenset[Grant]


def cut(settings: Settings, endpoints: Endpoints, agreement: Agreement) -> bool:
    """Let the receiver read the feed no longer; whether it could.

    Raises `Stop` where the cluster refuses, `Unavailable` where it doesn't answer.
    """
    with closing(Cluster(settings, endpoints)) as cluster:
        found = frozenset(one for one in cluster.grants() if _reads(one, {agreement.topic})
                          and one.user == agreement.receiver)  # fmt: skip
        cluster.disallow(found)
        return bool(found)


def settle(
    settings: Settings,
    endpoints: Endpoints,
    holding: Iterable[Agreement],
    agencies: Collection[str],
    before: Callable[[str], None] = lambda _topic: None,
) -> Difference:
    """Let receivers with an account read the feeds that hold, and no agency any other; what changed.

    `before` hears of each feed that somebody is about to be let read. Raises `Stop` where the cluster keeps no access rules or refuses, `Unavailable`.
    """
    with closing(Cluster(settings, endpoints)) as cluster:
        done = difference(cluster.grants(), cluster.users(), holding, agencies)
        cluster.disallow(done.cut)
        for topic in sorted({one.name for one in done.give if _reads(one)}):
            before(topic)
        cluster.allow(done.give)
        return done


def difference(
    found: Collection[Grant], users: Collection[str], holding: Iterable[Agreement],
    agencies: Collection[str],
) -> Difference:  # fmt: skip
    """What is to be given and cut so that agencies read the feeds that hold and no others."""
    wanted = {grant for one in holding for grant in feed_grants([one], one.receiver)}
    have = {one for one in found if one.user in agencies and _reads(one)}
    return Difference(
        frozenset(one for one in wanted - have if one.user in users), frozenset(have - wanted)
    )


def _reads(grant: Grant, topics: Collection[str] = ()) -> bool:
    """Whether a grant lets somebody read a feed."""
    named = grant.name in topics if topics else grant.name.startswith(FEED)
    return grant.kind == "topic" and named and grant.permission == "ALLOW"
