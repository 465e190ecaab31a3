"""What a contract repository asks of a cluster: topics, schemas, access rules, quotas.

The same for `crosstown up`, `plan`, `apply` and `agency`, so that none knows a topic that the others
don't. Source: docs/decisions/0022.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from crosstown.agreements.agreement import Agreement
from crosstown.backbone import kafka
from crosstown.backbone.generation import Generation
from crosstown.backbone.replicas import in_sync, replicas
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.promises import promised
from crosstown.contracts.repository import Repository
from crosstown.provisioning.access import contracts_of, feed_grants, grants
from crosstown.provisioning.plan import TopicState, Wanted

MEGABYTE: Final = 1_000_000


def wanted(
    repository: Repository,
    now: Generation,
    partitions: int,
    erasure_hours: float,
    brokers: int,
    users: Collection[str],
    holding: Collection[Agreement] = (),
) -> Wanted:
    """All that must be there, for the agencies `users` that have an account of their own.

    `holding` are the agreements in force: their feeds' topics, and who may read them.

    A contract in `any/` has an agency's topic from its account on, or from its first publishing.
    """
    own = kafka.own_topics(partitions, erasure_hours, now.accepted, now.timelines)
    theirs: dict[str, tuple[Contract, str]] = {
        one.topic(one.owner): (one, one.owner)
        for one in repository.contracts.values() if one.owner != ANY
    }  # fmt: skip
    agencies = frozenset(agency.id for agency in repository.agencies)
    for agency in sorted(agencies & set(users)):
        for one in contracts_of(repository, agency):
            theirs[one.topic(agency)] = (one, agency)
    topics = [*own, *(events(name, one) for name, (one, _) in theirs.items()), *map(feed, holding)]
    subjects = {one.subject(agency): one for one, agency in theirs.values()}
    return Wanted(
        topics={
            topic.name: TopicState(
                topic.partitions,
                dict(topic.config) | {"min.insync.replicas": str(in_sync(brokers))},
                replicas(brokers),
            )
            for topic in topics
        },
        at_least=frozenset(theirs),
        covered=frozenset(
            one.topic(agency) for agency in agencies for one in contracts_of(repository, agency)
        ),
        subjects={
            subject: [
                text for (name, _), text in sorted(repository.versions.items()) if name == one.id
            ]
            for subject, one in subjects.items()
        },
        compatibility={
            subject: one.file.crosstown.compatibility for subject, one in subjects.items()
        },
        agencies=agencies,
        grants={
            agency: grants(repository, agency) | feed_grants(holding, agency) for agency in agencies
        },
        quotas={
            agency.id: agency.publish_mb_per_s * MEGABYTE
            for agency in repository.agencies if agency.publish_mb_per_s
        },
    )  # fmt: skip


def feed(agreement: Agreement) -> kafka.Topic:
    """A feed's topic: one partition, so that its numbers grow with its offsets."""
    return kafka.Topic(agreement.topic, 1, kafka.FEED)


def events(name: str, contract: Contract) -> kafka.Topic:
    """An agency's topic: kept as long as its contract says, for ever where it says nothing."""
    kept = promised(contract.file, "retention")
    keep = {"retention.ms": str(kept // 1000)} if kept else {}
    return kafka.Topic(name, 1, kafka.EVENTS | keep)
