"""Topics as the cluster has them: copies, first and last offsets, and what each group has read."""

from __future__ import annotations

from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec

from crosstown.backbone import kafka
from crosstown.backbone.offsets_of import offsets_of
from crosstown.backbone.read_by import read_by
from crosstown.home import Endpoints, endpoints
from crosstown.settings import Settings

PATIENCE: Final = 5.0
"""Seconds that one question may take."""
MOST: Final = 5_000
"""Partitions that are asked for."""
MOST_GROUPS: Final = 500
"""Groups that are asked for: each takes a twelfth of a second."""
Ends = dict[tuple[str, int], int]


def offsets(settings: Settings) -> dict[str, Any]:
    """All of it; `Unavailable` where the cluster doesn't answer."""
    where = endpoints(settings)
    admin = kafka.wait_for_broker(settings, where, PATIENCE)
    cluster = admin.list_topics(timeout=PATIENCE)
    parts = [(name, p) for name, about in sorted(cluster.topics.items()) for p in about.partitions]
    first = _ends(admin, parts[:MOST], OffsetSpec.earliest())
    last = _ends(admin, parts[:MOST], OffsetSpec.latest())
    return {
        "cluster": cluster.cluster_id, "controller": cluster.controller_id,
        "brokers": [f"{one.id}: {one.host}:{one.port}" for one in cluster.brokers.values()],
        "partitions": len(parts),
        "topics": {
            name: [_partition(one, first.get((name, p)), last.get((name, p)))
                   for p, one in sorted(about.partitions.items())]
            for name, about in sorted(cluster.topics.items())
        },
        "groups": _groups(settings, where, admin, last),
    }  # fmt: skip


def _partition(about: Any, first: int | None, last: int | None) -> dict[str, Any]:
    return {"leader": about.leader, "replicas": about.replicas, "in_sync": about.isrs,
            "first": first, "end": last}  # fmt: skip


def _ends(admin: AdminClient, parts: list[tuple[str, int]], spec: OffsetSpec) -> Ends:
    return {tp: at.offset for tp, at in offsets_of(admin, parts, spec, PATIENCE).items()}


def _groups(
    settings: Settings, where: Endpoints, admin: AdminClient, last: Ends
) -> dict[str, Any]:  # fmt: skip
    """By group: its state, and of each partition what is read and what is behind that."""
    listed = admin.list_consumer_groups(request_timeout=PATIENCE).result().valid
    groups = sorted(listed, key=lambda one: str(one.group_id))[:MOST_GROUPS]
    return {one.group_id: {"state": one.state.name,
                           "read": _read(settings, where, one.group_id, last)}
            for one in groups}  # fmt: skip


def _read(settings: Settings, where: Endpoints, group: str, last: Ends) -> Any:
    try:
        found = read_by(settings, where, group, last, PATIENCE)
    except KafkaException as error:
        return error.args[0].str()
    return {f"{topic}/{partition}": {"offset": at, "behind": max(0, last[topic, partition] - at)}
            for (topic, partition), at in found.items()}  # fmt: skip
