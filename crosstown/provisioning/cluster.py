"""A cluster as it is, and a plan's changes carried out on it, one by one.

Each change can be carried out again after any interruption: what is there already is no error.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from crosstown.agreements import word_log
from crosstown.backbone import generation, kafka
from crosstown.backbone.login import OPERATOR
from crosstown.backbone.replicas import size
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.feeds.holding import Holding
from crosstown.home import Endpoints
from crosstown.provisioning import quotas
from crosstown.provisioning.access import Grant
from crosstown.provisioning.plan import Change, Found, TopicState, Wanted, plan
from crosstown.provisioning.wanted import wanted
from crosstown.registry.client import Registry
from crosstown.settings import Settings

TIMEOUT: Final = 30
ITERATIONS: Final = 4096
"""Of SCRAM's hash; Kafka's least. Our secrets are random and long: more buys nothing."""
_KINDS: Final = {
    ResourceType.TOPIC: "topic", ResourceType.GROUP: "group",
    ResourceType.TRANSACTIONAL_ID: "transactional-id", ResourceType.BROKER: "cluster",
}  # fmt: skip
_TYPES: Final = {name: kind for kind, name in _KINDS.items()}
_ANY_ACL: Final = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
    AclPermissionType.ANY,
)  # fmt: skip


class Cluster:
    """One Kafka cluster and its registry, as an administrator sees and changes them."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._admin: AdminClient = kafka.wait_for_broker(settings, endpoints, TIMEOUT)
        self._registry = Registry.at(settings, endpoints)

    def users(self) -> frozenset[str]:
        """Who has an account: a password, and something that it opens. The operator isn't counted."""
        return self._users(self.grants())

    def _users(self, grants: frozenset[Grant]) -> frozenset[str]:
        described: Any = self._admin.describe_user_scram_credentials()
        may = {one.user for one in grants}
        return (frozenset(_asked(described, "accounts")) & may) - {OPERATOR}

    def _accounts(self) -> tuple[frozenset[str], frozenset[Grant], str]:
        """Users and rules; none, and why, where the cluster keeps no such thing."""
        try:
            grants = self.grants()
            return self._users(grants), grants, ""
        except Stop as error:
            return frozenset(), frozenset(), f"accounts and access rules are left alone: {error}"

    def grants(self) -> frozenset[Grant]:
        """All access rules, also those that aren't ours."""
        found = _asked(self._admin.describe_acls(_ANY_ACL), "access rules")
        return frozenset(filter(None, map(_grant, found)))

    def wanted(self, *also: str) -> Wanted:
        """What the contract repository wants of this cluster, once `also` have accounts too."""
        now = generation.live(self._settings, self._endpoints)
        about = self._admin.list_topics(timeout=TIMEOUT)
        shards = kafka.shards(self._settings, about.topics, now.accepted)
        repository = Repository.of(self._settings)
        holding = Holding(repository.agreements.values())
        holding.hear(word_log.read(self._settings, self._endpoints))
        return wanted(repository, now, shards, self._settings.erasure_hours, size(about),
                      self._accounts()[0] | set(also), holding.in_force(time.time_ns() // 1000))  # fmt: skip

    def found(self, wanted: Wanted, *, with_quotas: bool = True) -> Found:
        """What there is of what is wanted, and the rest that a plan may speak about."""
        users, rules, why = self._accounts()
        unmanaged = [why] if why else []
        limits, why = quotas.described(self._settings, self._endpoints) if with_quotas else ({}, "")
        if why:
            unmanaged.append(why)
        subjects = {name: self._registry.texts(name) for name in wanted.subjects}
        modes = {name: self._registry.compatibility(name) for name in wanted.subjects}
        return Found(self._topics(wanted), subjects, modes, users, rules, limits, unmanaged)

    def _topics(self, wanted: Wanted) -> dict[str, TopicState]:
        present = {
            name: about for name, about in self._admin.list_topics(timeout=TIMEOUT).topics.items()
            if name in wanted.topics or name.startswith("events.")
        }  # fmt: skip
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in present]
        configs = {
            resource.name: {key: entry.value for key, entry in future.result(TIMEOUT).items()}
            for resource, future in (self._admin.describe_configs(asked) if asked else {}).items()
        }
        return {
            name: TopicState(
                len(about.partitions), configs[name],
                min(len(part.replicas) for part in about.partitions.values()),
                name not in wanted.topics and self._empty(name, about.partitions),
            )
            for name, about in present.items()
        }  # fmt: skip

    def _empty(self, topic: str, partitions: Mapping[int, Any]) -> bool:
        def ends(spec: OffsetSpec) -> list[int]:
            asked = {TopicPartition(topic, number): spec for number in partitions}
            return [one.result(TIMEOUT).offset for one in self._admin.list_offsets(asked).values()]

        return ends(OffsetSpec.latest()) == ends(OffsetSpec.earliest())

    def carry_out_harmless(self, changes: Iterable[Change], wanted: Wanted) -> None:
        """Carry out those that take nothing away, in order."""
        for change in changes:
            if change.harmless:
                self.carry_out(change, wanted)

    def carry_out(self, change: Change, wanted: Wanted) -> None:
        """Carry one change out; raises `Stop` or `Unavailable` where the cluster won't."""
        name = change.name
        match change.action, change.kind:
            case "create", "topic":
                want = wanted.topics[name]
                topic = kafka.Topic(name, want.partitions, want.config)
                kafka.ensure_topics(self._admin, [topic], TIMEOUT)
            case "remove", "topic":
                deleted = self._admin.delete_topics([name], operation_timeout=TIMEOUT)
                _done(deleted, KafkaError.UNKNOWN_TOPIC_OR_PART)
            case "change", "config":
                only = {change.key: wanted.topics[name].config[change.key]}
                kafka.keep_configs(self._admin, [kafka.Topic(name, 1, only)])
            case "change", "compatibility":
                self._registry.set_compatibility(name, wanted.compatibility[name])
            case "create", "schema":
                self._register(name, wanted.subjects[name][int(change.key) - 1])
            case "create", "acl":
                self.allow(change.grants)
            case "remove", "acl":
                self.disallow(change.grants)
            case "remove", "user":
                self.remove_user(name)
            case _, "quota":
                quotas.limit(self._settings, self._endpoints, name, wanted.quotas.get(name))
            case _:
                raise Stop(f"{change.kind} {name}: {change.detail}")

    def _register(self, subject: str, text: str) -> None:
        try:
            self._registry.register(subject, text)
        except Refused as error:
            raise Stop(f"the registry refuses {subject}: {error}",
                       mend="crosstown check says which versions may follow each other") from None  # fmt: skip

    def allow(self, grants: frozenset[Grant]) -> None:
        """Let them do that from now on."""
        if grants:
            _done(self._admin.create_acls([_binding(one) for one in sorted(grants)]))

    def disallow(self, grants: frozenset[Grant]) -> None:
        """Let them not do that any more; what is under way is refused from its next request on."""
        if grants:
            asked = [_filter(one) for one in sorted(grants)]
            _done(self._admin.delete_acls(asked))

    def set_password(self, user: str, password: str) -> None:
        """Make an account, or give it another password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        asked = UserScramCredentialUpsertion(user, info, password.encode())
        _done(self._admin.alter_user_scram_credentials([asked]))

    def remove_user(self, user: str) -> None:
        """Take away what it may do, then its password: connections that are open can do nothing.

        The password becomes one that nobody knows. Removing it altogether is what Kafka 4.4.0 can't
        survive: read again at a restart, one removed user may take all others along.
        """
        self.disallow(frozenset(one for one in self.grants() if one.user == user))
        self.set_password(user, secrets.token_urlsafe(32))

    def close(self) -> None:
        """Give up the connections."""
        self._registry.close()


def planned(
    settings: Settings, endpoints: Endpoints, *, with_quotas: bool = True
) -> tuple[Cluster, Wanted, Found, list[Change]]:
    """The cluster, what the contract repository wants of it, what there is, what must change."""
    cluster = Cluster(settings, endpoints)
    want = cluster.wanted()
    found = cluster.found(want, with_quotas=with_quotas)
    return cluster, want, found, plan(want, found)


def _asked(future: Any, what: str) -> Any:
    """An answer; `Stop` where the cluster has none of that, or won't say."""
    try:
        return future.result(timeout=TIMEOUT)
    except KafkaException as error:
        raise Stop(f"the cluster doesn't show its {what}: {error.args[0].str()}") from None
    except TimeoutError:
        raise Unavailable(f"Kafka doesn't answer about {what}") from None


def _done(futures: Mapping[Any, Any], *fine: int) -> None:
    for about, future in futures.items():
        try:
            future.result(timeout=TIMEOUT)
        except KafkaException as error:
            if error.args[0].code() not in fine:
                raise Stop(f"Kafka refuses {about}: {error.args[0].str()}",
                           mend="the account of CROSSTOWN_KAFKA must be an administrator's") from None  # fmt: skip
        except TimeoutError:
            raise Unavailable("Kafka doesn't answer") from None


def _grant(binding: Any) -> Grant | None:
    if binding.restype not in _KINDS or not binding.principal.startswith("User:"):
        return None
    return Grant(
        binding.principal[5:], _KINDS[binding.restype], binding.name, binding.operation.name,
        binding.resource_pattern_type is ResourcePatternType.PREFIXED,
        binding.permission_type.name, binding.host,
    )  # fmt: skip


def _parts(grant: Grant) -> tuple[Any, ...]:
    pattern = ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
    return (
        _TYPES[grant.kind], grant.name, pattern, f"User:{grant.user}", grant.host,
        AclOperation[grant.operation], AclPermissionType[grant.permission],
    )  # fmt: skip


def _binding(grant: Grant) -> AclBinding:
    return AclBinding(*_parts(grant))


def _filter(grant: Grant) -> AclBindingFilter:
    return AclBindingFilter(*_parts(grant))
