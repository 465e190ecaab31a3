"""What must be in Kafka before the programs start; `crosstown up` calls it once."""

from __future__ import annotations

from crosstown import kafka
from crosstown.home import Endpoints
from crosstown.settings import Settings


def prepare(settings: Settings, endpoints: Endpoints) -> int:
    """Make the topics that aren't there; returns how many shards there are.

    Who doesn't say `--partitions` gets as many as there are already. Raises `Stop` where another
    number was asked for, `Unavailable` where Kafka doesn't answer.
    """
    admin = kafka.wait_for_broker(settings, endpoints, timeout=60)
    partitions = settings.partitions
    if "partitions" not in settings.model_fields_set:
        present = admin.list_topics(timeout=30).topics
        partitions = len(present["accepted"].partitions) if "accepted" in present else partitions
    kafka.ensure_topics(admin, kafka.own_topics(partitions))
    return partitions
