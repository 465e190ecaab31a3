"""What must be in Kafka before the programs start; `crosstown up` calls it once."""

from __future__ import annotations

import logging

from crosstown.backbone import generation, kafka
from crosstown.backbone.generation import Generation
from crosstown.home import Endpoints, Home
from crosstown.settings import Settings

log = logging.getLogger(__name__)


def prepare(settings: Settings, endpoints: Endpoints) -> int:
    """Make topics and schemas that aren't there; returns how many shards there are.

    Raises `Stop` where another number of shards was asked for, `Unavailable` where Kafka or the
    registry doesn't answer.
    """
    now = _generation(settings, endpoints)
    partitions = own_topics(settings, endpoints, now)
    _contracts(settings.model_copy(update={"partitions": partitions}), endpoints)
    _kept_words(settings, endpoints)
    return partitions


def _kept_words(settings: Settings, endpoints: Endpoints) -> None:
    """Say what people said after the backup that this home was made from, before anybody reads it."""
    if Home(settings.home).kept_words.exists():
        from crosstown.keeping.kept_words import say_kept

        said = say_kept(settings, endpoints)
        log.info("what was kept beside the backup is said: %s", said)


def _contracts(settings: Settings, endpoints: Endpoints) -> None:
    """Carry out what contracts ask for and what takes nothing away; `crosstown plan` shows the rest."""
    from crosstown.provisioning.cluster import planned

    cluster, wanted, _, changes = planned(settings, endpoints, with_quotas=False)
    cluster.carry_out_harmless(changes, wanted)
    cluster.close()


def _generation(settings: Settings, endpoints: Endpoints) -> Generation:
    """What is live, with its windows written down; what an interrupted rebuild left is removed."""
    from crosstown.contracts.repository import Repository

    kafka.wait_for_broker(settings, endpoints, timeout=60)
    said = generation.said(settings, endpoints)
    now = said.get(generation.LIVE, Generation())
    if generation.NEXT in said:
        generation.remove(settings, endpoints, said[generation.NEXT], keep=now)
        generation.say(settings, endpoints, next=None)
    if not now.windows:
        now = now.with_windows(Repository.of(settings))
        generation.say(settings, endpoints, live=now)
    return now


def own_topics(
    settings: Settings,
    endpoints: Endpoints,
    now: Generation = Generation(),  # noqa: B008 - frozen
) -> int:
    """Make the topics that Crosstown itself writes; who asks for no number of shards gets theirs."""
    admin = kafka.wait_for_broker(settings, endpoints, timeout=60)
    partitions = kafka.shards(settings, admin.list_topics(timeout=30).topics, now.accepted)
    topics = kafka.own_topics(partitions, settings.erasure_hours, now.accepted, now.timelines)
    kafka.ensure_topics(admin, topics)
    kafka.keep_configs(admin, topics)
    return partitions
