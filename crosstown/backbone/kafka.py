"""Kafka clients as Crosstown sets them up, and the topics that it owns.

Sources: librdkafka's CONFIGURATION.md; docs/decisions/0002 for names, keys and policies.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, TopicCollection
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from crosstown.backbone.login import login
from crosstown.backbone.replicas import in_sync, replicas, size
from crosstown.errors import Stop, TimedOut, Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

log = logging.getLogger(__name__)
LIBRARY: Final = logging.getLogger("librdkafka")
"""Where the library's own lines go, so that they are lines of our logs like all others."""

COMPACT: Final = {"cleanup.policy": "compact", "max.message.bytes": "1048588"}
TIMED: Final = {"cleanup.policy": "delete", "retention.ms": str(365 * 86_400_000)}
DEAD: Final = {**TIMED, "cleanup.policy": "compact,delete", "max.message.bytes": "1500000"}
ALERTS: Final = {**TIMED, "cleanup.policy": "compact,delete"}
EVENTS: Final = {"cleanup.policy": "delete", "retention.ms": "-1"}
FEED: Final = {"cleanup.policy": "delete", "retention.ms": str(30 * 86_400_000)}


_REFUSED: Final = re.compile("invalid|unsupported|not enabled", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must be."""

    name: str
    partitions: int
    config: Mapping[str, str]


def forgetting(hours: float) -> dict[str, str]:
    """Within which time compaction removes what a tombstone erased (docs/decisions/0012)."""
    lag = str(max(1, round(hours * 3_600_000)))
    return {"max.compaction.lag.ms": lag, "segment.ms": lag, "min.cleanable.dirty.ratio": "0.1"}


def own_topics(
    partitions: int, erasure_hours: float = 24, accepted: str = "accepted",
    timelines: str = "timelines",
) -> list[Topic]:  # fmt: skip
    """The topics that Crosstown itself writes; the sharded ones have `partitions` partitions."""
    forgets = forgetting(erasure_hours)
    return [
        *sharded(partitions, erasure_hours, accepted, timelines),
        Topic("dead-letters", 1, DEAD | forgets),
        Topic("alerts.deadline", 1, ALERTS | forgets),
        Topic("alerts.pickup", 1, ALERTS | forgets),
        Topic("agreements", 1, COMPACT),
        Topic("delivered", 1, COMPACT | forgets),
        Topic("reciprocity", 1, COMPACT),
        Topic("access", 1, EVENTS),
        Topic("webhooks", 1, COMPACT),
        Topic("pauses", 1, COMPACT),
    ]


def shards(settings: Settings, topics: Mapping[str, Any], accepted: str) -> int:
    """How many shards are asked for; who asks for no number has those that are there."""
    there = topics.get(accepted)
    if there is not None and "partitions" not in settings.model_fields_set:
        return len(there.partitions)
    return settings.partitions


def sharded(partitions: int, erasure_hours: float, *names: str) -> list[Topic]:
    """Topics with a partition a shard, as `accepted` and `timelines` are."""
    return [Topic(name, partitions, COMPACT | forgetting(erasure_hours)) for name in names]


def keep_configs(admin: AdminClient, topics: Iterable[Topic], timeout: float = 30) -> None:
    """Give topics that are there the configuration that they must have; those of others stay.

    A topic that was made just now is not known everywhere at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return _keep_configs(admin, topics, timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"its topics can't be configured: {error.args[0].str()}"
                ) from None
            time.sleep(0.1)


def _keep_configs(admin: AdminClient, topics: Iterable[Topic], timeout: float) -> None:
    wanted = {topic.name: topic.config for topic in topics}
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted]
    changed = []
    for resource, future in admin.describe_configs(asked).items():
        now = future.result(timeout=timeout)
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in wanted[resource.name].items()
            if name not in now or now[name].value != value
        ]
        if entries:
            changed.append(
                ConfigResource(
                    ConfigResource.Type.TOPIC, resource.name, incremental_configs=entries
                )
            )
    for future in admin.incremental_alter_configs(changed).values() if changed else ():
        future.result(timeout=timeout)


def refused(error: KafkaError) -> None:
    """Raise `Stop` where a cluster won't let this client in; called by every client's `poll`.

    Without it a wrong password looks like a cluster that is slow to answer. A line that broke during
    the handshake is no refusal.
    """
    said = error.str()
    if error.code() == KafkaError._AUTHENTICATION and _REFUSED.search(said):  # noqa: SLF001 - its public name
        raise Stop(
            f"Kafka refuses the user name or password: {said}",
            mend="look at sasl.username, sasl.password and sasl.mechanism in CROSSTOWN_KAFKA; who runs"
            " the cluster can give a new password: crosstown agency rotate",
        )


def client(settings: Settings, endpoints: Endpoints, **more: Any) -> dict[str, Any]:
    """Settings that every client shares; `more` uses librdkafka's names with `_` for `.`."""
    given = {name.replace("_", "."): value for name, value in more.items()}
    return {
        "bootstrap.servers": endpoints.bootstrap,
        "log_level": 4,
        "logger": LIBRARY,
        "topic.metadata.refresh.interval.ms": 1000,
        "reconnect.backoff.max.ms": 1000,
        "error_cb": refused,
        **login(settings, endpoints),
        **settings.kafka,
        **given,
    }


def producer(settings: Settings, endpoints: Endpoints, **more: Any) -> dict[str, Any]:
    """An idempotent producer's settings (docs/decisions/0002)."""
    usual = {
        "enable_idempotence": True, "acks": "all", "partitioner": "murmur2_random",
        "batch_size": 200_000, "linger_ms": 20, "compression_type": "lz4",
        "queue_buffering_max_messages": 500_000,
    }  # fmt: skip
    return client(settings, endpoints, **(usual | more))


def consumer(settings: Settings, endpoints: Endpoints, **more: Any) -> dict[str, Any]:
    """A consumer's settings: committed data only, from the beginning, offsets by hand."""
    usual = {
        "isolation_level": "read_committed", "auto_offset_reset": "earliest",
        "enable_auto_commit": False, "enable_auto_offset_store": False, "group_id": "unused",
    }  # fmt: skip
    return client(settings, endpoints, **(usual | more))


def stamp_of(message: Message) -> int:
    """A message's Kafka time stamp, in microseconds UTC."""
    return int(message.timestamp()[1]) * 1000


def wait_for_broker(settings: Settings, endpoints: Endpoints, timeout: float) -> AdminClient:
    """An admin client of a cluster that answers; `Unavailable` after `timeout` seconds."""
    problems: list[str] = []
    refusals: list[Stop] = []

    def remember(error: KafkaError) -> None:
        problems.append(error.str())
        try:
            refused(error)
        except Stop as refusal:
            refusals.append(refusal)

    admin = AdminClient({**client(settings, endpoints), "error_cb": remember, "log_level": 0})
    deadline = time.monotonic() + timeout
    while True:
        try:
            admin.list_topics(timeout=max(0.1, min(2.0, deadline - time.monotonic())))
        except KafkaException as error:
            admin.poll(0)  # tells what went wrong meanwhile
            if refusals:
                raise refusals[0] from None
            if time.monotonic() >= deadline:
                telling = [one for one in problems if "brokers are down" not in one]
                why = (telling or problems or [error.args[0].str()])[-1]
                raise Unavailable(
                    f"no Kafka answers at {endpoints.bootstrap} ({why})",
                    mend="see crosstown status; start it: crosstown up",
                ) from None
            time.sleep(0.1)
        else:
            return admin


def topic_id(settings: Settings, endpoints: Endpoints, topic: str) -> str:
    """What tells a topic from another one of the same name: Kafka's id of it."""
    admin = wait_for_broker(settings, endpoints, 30)
    try:
        (found,) = admin.describe_topics(TopicCollection([topic])).values()
        return str(found.result(timeout=30).topic_id)
    except (KafkaException, TimeoutError) as error:
        raise Unavailable(f"topic {topic} can't be described: {error}") from None


def ensure_topics(admin: AdminClient, topics: Iterable[Topic], timeout: float = 30) -> None:
    """Create the topics that aren't there; `Stop` where one has another number of partitions."""
    wanted = {topic.name: topic for topic in topics}
    cluster = admin.list_topics(timeout=timeout)
    present, brokers = cluster.topics, size(cluster)
    for name, topic in wanted.items():
        if name in present and len(present[name].partitions) != topic.partitions:
            raise Stop(
                f"topic {name} has {len(present[name].partitions)} partitions, not {topic.partitions}",
                mend=f"start with --partitions {len(present[name].partitions)}; another number takes"
                " crosstown rebuild --swap --partitions N",
            )
    missing = [
        NewTopic(
            t.name,
            t.partitions,
            replicas(brokers),
            config=dict(t.config) | {"min.insync.replicas": str(in_sync(brokers))},
        )
        for t in wanted.values()
        if t.name not in present
    ]
    if not missing:
        return
    for name, future in admin.create_topics(missing, operation_timeout=timeout).items():
        try:
            future.result(timeout=timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Unavailable(f"topic {name} can't be made: {error.args[0].str()}") from None
        except TimeoutError:
            raise TimedOut(f"making topic {name} took over {timeout:.0f} s") from None
