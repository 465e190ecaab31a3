"""Who may read which feed at the broker, and under which contract a message came in: without Kafka or with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from crosstown.accepting.intake import CONTRACT
from crosstown.agreements.agreement import Agreement
from crosstown.avro.codec import Encoder, frame
from crosstown.backbone import kafka as clients
from crosstown.backbone.generation import Generation
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused
from crosstown.event.envelope import prefix_bytes, suffix_bytes, zigzag
from crosstown.feeds.contract_of import ContractOf
from crosstown.feeds.feed import Told
from crosstown.feeds.grants import difference
from crosstown.feeds.hearing import Hearing
from crosstown.feeds.pieces import BYTES, LIMIT, MESSAGES, framed, piece
from crosstown.home import Endpoints
from crosstown.provisioning.access import Grant
from crosstown.provisioning.plan import Found, plan
from crosstown.provisioning.wanted import wanted
from crosstown.registry.client import Registry
from crosstown.registry.server import Server
from crosstown.settings import Settings

REPOSITORY = Repository.load()
HEALTH, WATER, TENANTS = (
    REPOSITORY.agreements[name]
    for name in ("health-sees-inspections", "water-hears-of-brown-water", "tenants-own-cases")
)
AGENCIES = frozenset(REPOSITORY.agencies.ids)


def reads(one: Agreement, agency: str = "") -> Grant:
    return Grant(agency or one.receiver, "topic", one.topic, "READ")


def test_a_feed_that_has_ended_can_still_be_read() -> None:
    found = {reads(HEALTH), reads(WATER), reads(WATER, "riverton-police")}
    done = difference(found, [HEALTH.receiver, WATER.receiver], [WATER], AGENCIES)
    assert done.give == frozenset()
    assert done.cut == {reads(HEALTH), reads(WATER, "riverton-police")}


def test_who_agreed_on_http_or_has_no_account_is_let_in_at_the_broker() -> None:
    done = difference((), [TENANTS.receiver, HEALTH.receiver], [TENANTS, HEALTH, WATER], AGENCIES)
    assert done.give == {reads(HEALTH)}, (
        "the tenants agreed on HTTP, the water authority has no account"
    )


def test_somebody_elses_rules_are_cut_with_the_feeds() -> None:
    others = {
        Grant("prometheus", "topic", HEALTH.topic, "READ"),
        Grant(HEALTH.receiver, "topic", "accepted", "READ"),
        Grant(HEALTH.receiver, "topic", HEALTH.topic, "READ", permission="DENY"),
    }
    assert difference(others, [HEALTH.receiver], [], AGENCIES).cut == frozenset()


def test_a_plan_knows_nothing_of_feeds() -> None:
    want = wanted(REPOSITORY, Generation(), 1, 24, 1, [HEALTH.receiver], [HEALTH])
    none = wanted(REPOSITORY, Generation(), 1, 24, 1, [HEALTH.receiver])
    assert HEALTH.topic not in none.topics
    made = want.topics[HEALTH.topic]
    assert (made.partitions, made.config["cleanup.policy"]) == (1, "delete")
    found = Found(
        want.topics, {}, {}, frozenset([HEALTH.receiver]), none.grants[HEALTH.receiver], {}
    )
    (given,) = [one for one in plan(want, found) if one.kind == "acl"]
    assert given.action == "create"
    assert given.grants == {reads(HEALTH)}
    after = replace(found, grants=want.grants[HEALTH.receiver])
    (cut,) = [one for one in plan(none, after) if one.kind == "acl"]
    assert cut.action == "remove"
    assert cut.destructive
    assert cut.grants == {reads(HEALTH)}


def told(size: int, number: int) -> Told:
    return Told("a", f"thing-{number}", number, b"x" * size, b"digest")


def test_a_piece_is_larger_than_a_transaction_bears_or_loses_what_it_leaves() -> None:
    source = iter([told(10, n) for n in range(MESSAGES + 7)])
    assert len(piece(source)) == MESSAGES
    assert [one.number for one in piece(source)] == list(range(MESSAGES, MESSAGES + 7))
    assert piece(source) == []
    large = iter([told(BYTES // 2, n) for n in range(5)])
    assert [len(piece(large)) for _ in range(3)] == [2, 2, 1]
    assert framed(258, b"body") == b"\0\0\0\1\2body"
    with pytest.raises(Refused, match="too-large"):
        framed(1, b"x" * (LIMIT + 1))


@pytest.fixture
def registry(server: Server) -> Iterator[Registry]:
    with Registry(server.url, login=server.login) as one:
        yield one


def test_an_event_is_shared_under_a_contract_that_it_did_not_come_in_under(
    kafka: tuple[Settings, Endpoints], registry: Registry
) -> None:
    settings, where = kafka
    inspections, permits = (
        REPOSITORY.contracts[name]
        for name in ("riverton-housing/inspections", "riverton-buildings/permits")
    )
    ids = {
        one.id: registry.register(one.subject(one.owner), one.schema_text)
        for one in (inspections, permits)
    }
    clients.ensure_topics(
        clients.wait_for_broker(settings, where, 30), [clients.Topic("contract-of", 1, {})]
    )
    example = Encoder(inspections.schema)
    file = min((REPOSITORY.path / "examples/riverton-housing").glob("inspections*.json"))
    fields = json.loads(file.read_text("utf-8"))
    envelope = inspections.envelope(fields, "riverton-housing", 1_750_000_000_000_000, "event")

    def accepted(schema_id: int) -> bytes:
        payload = frame(schema_id, example.encode(fields))
        prefix = prefix_bytes(envelope) + suffix_bytes(envelope.known_at, envelope.via)
        return frame(1, prefix + zigzag(len(payload)) + payload)

    producer = Producer(clients.producer(settings, where))
    cases = [
        (accepted(ids[permits.id]), [(CONTRACT, inspections.id.encode())], inspections.id),
        (accepted(ids[inspections.id]), None, inspections.id),
        (accepted(ids[permits.id]), None, ""),  # another agency's schema
        (accepted(987_654), None, ""),
        (None, None, ""),
    ]
    for value, headers, _ in cases:
        producer.produce("contract-of", value, b"key", 0, headers=headers or [])
    assert producer.flush(20) == 0
    ask = ContractOf(REPOSITORY, registry)
    found = [ask(message) for message in messages(settings, where, "contract-of", 0)]
    assert found == [expected for _, _, expected in cases]
    twin = replace(inspections, name="inspections-copied")
    registry.register(twin.subject(twin.owner), twin.schema_text)
    contracts = REPOSITORY.contracts | {twin.id: twin}
    doubtful = ContractOf(replace(REPOSITORY, contracts=contracts), registry)
    found = [doubtful(message) for message in messages(settings, where, "contract-of", 0)]
    assert found == [inspections.id, "", "", "", ""], "which of the two it was is a guess"


def test_a_word_in_a_transaction_is_waited_for_for_ever(kafka: tuple[Settings, Endpoints]) -> None:
    """The end of a topic lies behind the transaction's marker, which no message stands for."""
    settings, where = kafka
    admin = clients.wait_for_broker(settings, where, 30)
    clients.ensure_topics(admin, [clients.Topic("agreements", 1, clients.COMPACT)])
    hearing = Hearing(settings, where)
    hearing.news()  # what others have said on this broker
    producer = Producer(clients.producer(settings, where, transactional_id="words"))
    producer.init_transactions(20)
    for commit in (True, False):
        producer.begin_transaction()
        producer.produce("agreements", b"\0no word", b"k", 0)
        producer.flush(10)
        (producer.commit_transaction if commit else producer.abort_transaction)(20)
        assert hearing.news() == []
    hearing.close()
