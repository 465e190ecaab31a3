"""What must be in Kafka before the programs start; `crosstown up` calls it once."""

from __future__ import annotations

from crosstown import kafka
from crosstown.home import Endpoints
from crosstown.settings import Settings


def prepare(settings: Settings, endpoints: Endpoints) -> int:
    """Make topics and schemas that aren't there; returns how many shards there are.

    Raises `Stop` where another number of shards was asked for, `Unavailable` where Kafka or the
    registry doesn't answer.
    """
    partitions = own_topics(settings, endpoints)
    admin = kafka.wait_for_broker(settings, endpoints, timeout=60)
    kafka.ensure_topics(admin, _contracts(settings, endpoints))
    return partitions


def own_topics(settings: Settings, endpoints: Endpoints) -> int:
    """Make the topics that Crosstown itself writes; who asks for no number of shards gets theirs."""
    admin = kafka.wait_for_broker(settings, endpoints, timeout=60)
    partitions = settings.partitions
    if "partitions" not in settings.model_fields_set:
        present = admin.list_topics(timeout=30).topics
        partitions = len(present["accepted"].partitions) if "accepted" in present else partitions
    topics = kafka.own_topics(partitions, settings.erasure_hours)
    kafka.ensure_topics(admin, topics)
    kafka.keep_configs(admin, topics)
    return partitions


def _contracts(settings: Settings, endpoints: Endpoints) -> list[kafka.Topic]:
    """The topics of contracts that one agency owns, their schemas registered.

    A contract in `any/` gets an agency's topic when that agency first publishes under it.
    """
    from crosstown.contract import ANY
    from crosstown.registry import Registry
    from crosstown.repository import Repository

    registry = Registry(endpoints.registry)
    topics = []
    for contract in Repository.of(settings).contracts.values():
        if contract.owner != ANY:
            registry.register(contract.subject(contract.owner), contract.schema_text)
            topics.append(kafka.Topic(contract.topic(contract.owner), 1, kafka.EVENTS))
    registry.close()
    return topics
