"""Who reads feeds by Kafka itself: what the broker lets them read, and how far they say they are.

Kafka writes down no reading. What is known: an agency with the right to read could have read all that
lies in the feed ("at most"), and the groups of its own that commit their place say how far they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from crosstown.audit.told import numbered
from crosstown.backbone import kafka
from crosstown.backbone.read_by import read_by
from crosstown.errors import Stop, Unavailable
from crosstown.home import Endpoints
from crosstown.provisioning.access import Grant
from crosstown.provisioning.cluster import Cluster
from crosstown.settings import Settings

PREFIX: Final = "feed."
_WAIT: Final = 10.0


class Reader(NamedTuple):
    """An agency at a feed: whether it may read it now, the last number there, its groups' places."""

    agreement: str
    agency: str
    granted: bool
    last: int
    groups: dict[str, int]
    """The number that each group of the agency has read up to, as it says itself."""


def readers(
    settings: Settings, endpoints: Endpoints, receivers: Collection[tuple[str, str]]
) -> list[Reader]:
    """Who reads feeds by Kafka: with the right to, or with a place that it left, or both.

    `receivers` are the agreements that there are, each with its receiver. Raises `Unavailable`.
    """
    admin = kafka.wait_for_broker(settings, endpoints, _WAIT)
    granted = set(_granted(settings, endpoints))
    places = _places(settings, endpoints, admin, {agency for _, agency in (*receivers, *granted)})
    found = []
    for agreement, agency in sorted({*receivers, *granted}):
        at = {
            group: offset
            for (group, topic), offset in places.items()
            if topic == PREFIX + agreement and group.startswith(f"{agency}.")
        }
        if at or (agreement, agency) in granted:
            last, groups = _numbers(settings, endpoints, PREFIX + agreement, at)
            found.append(Reader(agreement, agency, (agreement, agency) in granted, last, groups))
    return found


def _granted(settings: Settings, endpoints: Endpoints) -> Iterator[tuple[str, str]]:
    """The feeds that an account may read, as (agreement, agency)."""
    cluster = Cluster(settings, endpoints)
    try:
        grants: Collection[Grant] = cluster.grants()
    except Stop:  # this cluster shows no access rules
        grants = ()
    finally:
        cluster.close()
    for one in grants:
        reads = one.kind == "topic" and one.operation in ("READ", "ALL") and not one.prefixed
        if reads and one.permission == "ALLOW" and one.name.startswith(PREFIX):
            yield one.name.removeprefix(PREFIX), one.user


def _places(
    settings: Settings, endpoints: Endpoints, admin: AdminClient, agencies: Collection[str]
) -> dict[tuple[str, str], int]:
    """The committed offsets of the agencies' groups, by group and topic."""
    found = {}
    try:
        feeds = [(name, p) for name, about in admin.list_topics(timeout=_WAIT).topics.items()
                 if name.startswith(PREFIX) for p in about.partitions]  # fmt: skip
        listed: Any = admin.list_consumer_groups().result(_WAIT)
        for group in sorted(one.group_id for one in listed.valid):
            if group.partition(".")[0] in agencies:
                for (topic, _), at in read_by(settings, endpoints, group, feeds, _WAIT).items():
                    found[group, topic] = at
    except (KafkaException, TimeoutError) as error:
        raise Unavailable(f"Kafka doesn't say how far groups have read: {error}") from None
    return found


def _numbers(
    settings: Settings, endpoints: Endpoints, topic: str, places: dict[str, int]
) -> tuple[int, dict[str, int]]:
    """The last number of a feed, and the number before each group's place."""
    last = 0
    groups = dict.fromkeys(places, 0)
    for one in numbered(settings, endpoints, topic):
        last = max(last, one.number)
        for group, place in places.items():
            if one.offset < place:
                groups[group] = max(groups[group], one.number)
    return last, groups
