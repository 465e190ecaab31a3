"""Trouble that no program tells of itself: silence, a frozen partition, a transaction left open."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import REGISTRY

from crosstown import metrics
from crosstown.accepting.intake import Intake
from crosstown.avro.codec import Encoder, frame
from crosstown.backbone import kafka as clients
from crosstown.contracts.repository import Repository, shipped
from crosstown.gateway.keys import KeyFile
from crosstown.home import Endpoints, Home
from crosstown.lookout.cluster import Cluster, copies
from crosstown.lookout.lookout import Lookout
from crosstown.lookout.oldest_waiting import OldestWaiting
from crosstown.lookout.place import Place, ends
from crosstown.lookout.shown import Shown
from crosstown.lookout.since import Since
from crosstown.lookout.standing_still import PATIENCE, StandingStill
from crosstown.lookout.terms import contact, owners, promises, reachable, stewards, whom
from crosstown.settings import Settings
from crosstown.supervision.running import scraped

TOPIC = "events.millbrook-311.service-requests"
SILENT = "events.fairhaven-311.service-requests"
HOUR = 3_600


def figure(name: str, **labels: str) -> float | None:
    """What is told now."""
    return REGISTRY.get_sample_value(name, labels)


def certificate(path: Path, days: float) -> Path:
    """A certificate at `path` that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now + dt.timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_chain_ends_with_its_first_certificate_to_end(tmp_path: Path) -> None:
    one, other = certificate(tmp_path / "1.pem", 100), certificate(tmp_path / "2.pem", 3)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(one.read_bytes() + other.read_bytes())
    assert ends(chain) == ends(other)
    assert 2.9 < (ends(chain) - time.time()) / 86_400 < 3.1


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAA\n"])
def test_a_certificate_that_cannot_be_read_counts_as_ended(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.pem"
    file.write_bytes(content)
    assert ends(file) == 0
    assert ends(tmp_path / "absent.pem") == 0


def test_the_home_tells_its_disk_its_certificate_and_its_old_keys(
    home: Path, tmp_path: Path
) -> None:
    settings = Settings(home=home, gateway_cert=certificate(tmp_path / "c.pem", 5))
    now = time.time_ns() // 1000
    keys = KeyFile(Home(home).keys)
    for agency in ("riverton-tenants", "riverton-311"):
        keys.add(agency, now)
    keys.rotate("riverton-tenants", now, HOUR * 1_000_000)
    place = Place(settings)
    place.look()
    assert (
        0 < (figure("crosstown_disk_free_bytes") or 0) < (figure("crosstown_disk_size_bytes") or 0)
    )
    assert figure("crosstown_certificate_ends_timestamp_seconds", certificate="gateway") == ends(
        tmp_path / "c.pem"
    )
    old = "crosstown_old_key_ends_timestamp_seconds"
    assert figure(old, agency="riverton-tenants") == now / 1e6 + HOUR
    assert figure(old, agency="riverton-311") is None
    keys.revoke("riverton-tenants")
    place.look()
    assert figure(old, agency="riverton-tenants") is None


def test_an_alert_names_somebody_who_does_not_own_the_contract() -> None:
    found = Repository.load()
    assert contact(found.contracts["riverton-water/orders"]) == "operations@water.riverton.example"
    assert contact(found.contracts["any/service-requests"]) == "operator"
    assert (
        "riverton-water/orders",
        "riverton-water",
        "operations@water.riverton.example",
    ) in owners(found.contracts)
    said = promises(found.contracts)
    assert said["riverton-housing/inspections", "frequency"] == 86_400
    assert said["riverton-housing/inspections", "latency"] == 2 * 86_400
    assert ("water-hears-of-brown-water", "riverton-water",
            "Dana Ruiz (riverton-311), Jo Petersen (riverton-water)") in stewards(found.agreements)  # fmt: skip


def test_a_missing_copy_or_leader_is_not_counted() -> None:
    def part(leader: int, *isrs: int) -> SimpleNamespace:
        return SimpleNamespace(leader=leader, replicas=[1, 2, 3], isrs=list(isrs))

    whole = SimpleNamespace(partitions={0: part(1, 1, 2, 3)})
    hurt = SimpleNamespace(partitions={0: part(2, 2, 3), 1: part(-1), 2: part(3, 1, 2, 3)})
    copies({"whole": whole, "hurt": hurt})
    assert figure("crosstown_partitions_short_of_copies") == 2
    assert figure("crosstown_partitions_without_leader") == 1
    copies({"whole": whole})
    assert figure("crosstown_partitions_short_of_copies") == 0
    assert figure("crosstown_partitions_without_leader") == 0
    copies({"whole": whole}, {("whole", 0)})
    assert figure("crosstown_partitions_without_leader") == 1, (
        "most brokers are gone, nobody says so"
    )
    copies({"whole": whole})


def test_what_is_gone_is_still_shown() -> None:
    shown = Shown(metrics.held_back)
    shown.show({("shown-1",): 1, ("shown-2",): 2})
    shown.show({("shown-2",): 3})
    assert figure("crosstown_held_back_seconds", topic="shown-1") is None
    assert figure("crosstown_held_back_seconds", topic="shown-2") == 3
    shown.show({})


def test_a_wait_is_counted_from_the_wrong_moment() -> None:
    since = Since()
    assert since.seconds({"a": 1, "b": 1}, 10) == {"a": 0, "b": 0}
    assert since.seconds({"a": 1, "b": 2}, 15) == {"a": 5, "b": 0}
    assert since.seconds({"b": 2}, 20) == {"b": 5}
    assert since.seconds({"a": 1, "b": 2}, 30) == {"a": 0, "b": 15}


def test_prometheus_is_told_a_port_that_nobody_has() -> None:
    said = scraped({
        "broker": "http://127.0.0.1:1/metrics", "kafka": "http://127.0.0.1:3/metrics",
        "feeds": "http://127.0.0.1:2/metrics",
    })  # fmt: skip
    assert said == [
        {"targets": ["127.0.0.1:1"], "labels": {"job": "crosstown", "instance": "supervisor"}},
        {"targets": ["127.0.0.1:3"], "labels": {"job": "crosstown", "instance": "broker"}},
        {"targets": ["127.0.0.1:2"], "labels": {"job": "crosstown", "instance": "feeds"}},
    ]


def test_a_broken_contract_repository_or_an_absent_cluster_ends_the_lookout(home: Path) -> None:
    broken = home / "schemas"
    broken.mkdir()
    lookout = Lookout(Settings(home=home, schemas=broken), lambda: None)
    metrics.looked.labels("home").set(0)
    lookout.look()
    assert time.time() - (figure("crosstown_looked_timestamp_seconds", at="home") or 0) < 60
    stopping = threading.Event()
    stopping.set()
    lookout.run(stopping)


def test_whom_to_ask_about_an_agency_without_contracts_of_its_own_is_not_known() -> None:
    contracts = Repository.load()
    asked = whom(contracts)
    assert asked["millbrook-311"] == "data@311.millbrook.example"
    assert asked["riverton-311"] == contact(contracts.contracts["riverton-311/requests"])
    assert "animal-control" not in asked
    told = reachable(contracts.agencies)
    assert told["millbrook-311", "data@311.millbrook.example"] == 1
    assert {agency for agency, _ in told} == {"eastvale-311", "millbrook-311", "fairhaven-311"}


@pytest.mark.parametrize(("days", "late"), [(1.9, 0), (2.1, 1)])
def test_what_comes_later_than_promised_is_not_counted_or_what_comes_in_time_is(
    days: float, late: int
) -> None:
    contracts = Repository.load()
    contract = contracts.contracts["riverton-311/requests"]
    example = shipped() / "examples/riverton-311/requests.v1.opened.json"
    body = json.loads(example.read_text("utf-8"))
    message = frame(1, Encoder(contract.schema).encode(body))
    intake = Intake(contracts, {1: contract.schema_text}.__getitem__, 1)
    stamp = body["occurred_at"] + round(days * 86_400_000_000)
    assert promises(contracts.contracts)["riverton-311/requests", "latency"] == 2 * 86_400
    intake.accept("events.riverton-311.requests", message, (), stamp)
    assert intake.late["riverton-311", "riverton-311/requests"] == late
    after = intake.after["riverton-311", "riverton-311/requests"]
    assert after == round(days * 86_400_000_000)


@pytest.fixture
def seen(kafka: tuple[Settings, Endpoints]) -> Iterator[tuple[Cluster, Settings, Endpoints]]:
    """A lookout's eyes on the tests' Kafka, with two topics of agencies, one never written to."""
    settings, where = kafka
    admin = AdminClient(clients.client(settings, where))
    clients.ensure_topics(
        admin, [clients.Topic(name, 1, clients.EVENTS) for name in (TOPIC, SILENT)]
    )
    one = Cluster(settings, where)
    yield one, settings, where
    one.close()


def publish(settings: Settings, where: Endpoints, topic: str) -> None:
    """One message of an agency's own producer, intake not running."""
    producer = Producer(clients.producer(settings, where))
    producer.produce(topic, b"a report")
    assert producer.flush(30) == 0


def test_nobody_learns_when_an_agency_last_published(
    seen: tuple[Cluster, Settings, Endpoints],
) -> None:
    cluster, settings, where = seen
    publish(settings, where, TOPIC)
    cluster.look(Repository.load())
    name = "crosstown_last_published_timestamp_seconds"
    at = figure(name, agency="millbrook-311", contract="any/service-requests")
    assert at is not None
    assert abs(time.time() - at) < 60
    assert figure(name, agency="fairhaven-311", contract="any/service-requests") is None


def test_a_transaction_that_stays_open_is_not_noticed(
    seen: tuple[Cluster, Settings, Endpoints],
) -> None:
    cluster, settings, where = seen
    producer = Producer(
        clients.producer(settings, where, transactional_id="hangs", transaction_timeout_ms=600_000)
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(TOPIC, b"never committed")
    assert producer.flush(30) == 0
    name = "crosstown_held_back_seconds"
    cluster.look(Repository.load())
    first = time.monotonic()
    time.sleep(1.1)
    cluster.look(Repository.load())
    held = figure(name, topic=TOPIC)
    assert held is not None
    assert 1 < held <= time.monotonic() - first + 30
    assert figure(name, topic=SILENT) == 0
    producer.abort_transaction(30)
    cluster.look(Repository.load())
    assert figure(name, topic=TOPIC) == 0


def test_a_message_that_waits_has_no_age_or_the_marks_of_a_transaction_have_one(
    seen: tuple[Cluster, Settings, Endpoints],
) -> None:
    _, settings, where = seen
    topic = "events.millbrook-311.waiting"
    admin = AdminClient(clients.client(settings, where))
    clients.ensure_topics(admin, [clients.Topic(topic, 2, clients.EVENTS)])
    reader = Consumer(
        clients.consumer(settings, where, group_id="lookout", enable_partition_eof=True)
    )
    oldest = OldestWaiting(reader)
    now = time.time_ns() // 1000

    def look(committed: int, later: float = 0) -> tuple[float | None, float | None]:
        ends = {(topic, p): reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
                for p in (0, 1)}  # fmt: skip
        at = {(topic, 0): committed, (topic, 1): 0}
        ages = oldest.look({"intake": at}, ends, now + round(later * 1e6))
        return ages.get(("intake", topic, "0")), ages.get(("intake", topic, "1"))

    assert look(0) == (0, 0)
    producer = Producer(clients.producer(settings, where, transactional_id="ages"))
    producer.init_transactions(30)
    producer.begin_transaction()
    for age in (90, 30):
        producer.produce(topic, b"a report", partition=0, timestamp=now // 1000 - age * 1000)
    producer.commit_transaction(30)
    producer.begin_transaction()
    producer.produce(topic, b"taken back", partition=1)
    producer.flush(30)
    producer.abort_transaction(30)
    old, marks = look(0)
    assert old == pytest.approx(90, abs=0.1)
    assert marks == 0
    assert look(0, later=60)[0] == pytest.approx(150, abs=0.1)
    assert look(1)[0] == pytest.approx(30, abs=0.1)
    assert look(2) == (0, 0)  # behind both lies only the mark of their commit
    reader.close()


def test_a_program_that_commits_nothing_is_not_noticed_or_one_without_work_is(
    seen: tuple[Cluster, Settings, Endpoints],
) -> None:
    _, settings, where = seen
    publish(settings, where, TOPIC)
    producer = Producer(clients.producer(settings, where, transactional_id="marks"))
    producer.init_transactions(30)
    reader = Consumer(
        clients.consumer(settings, where, group_id="lookout", enable_partition_eof=True)
    )
    _, end = reader.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)
    still = StandingStill(reader)
    key = ("intake", TOPIC, "0")

    def look(committed: int, ends: int, now: float) -> float:
        return still.look({"intake": {(TOPIC, 0): committed}}, {(TOPIC, 0): ends}, now)[key]

    assert look(end - 1, end, 0) == 0
    assert look(end - 1, end, PATIENCE + 30) == PATIENCE + 30  # a message waits
    assert look(end, end, PATIENCE + 45) == 0
    producer.begin_transaction()
    producer.produce(TOPIC, b"taken back")
    producer.flush(30)
    producer.abort_transaction(30)
    _, after = reader.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)
    assert after > end
    assert look(end, after, PATIENCE + 60) == 0
    assert look(end, after, 3 * PATIENCE) == 0  # only what was taken back lies there
    assert look(end, after, 9 * PATIENCE) == 0
    publish(settings, where, TOPIC)
    _, newest = reader.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)
    assert look(end, newest, 10 * PATIENCE) == 0
    assert look(end, newest, 12 * PATIENCE) == 2 * PATIENCE
    reader.close()


def test_a_broker_that_did_not_answer_once_hides_a_frozen_partition(
    kafka: tuple[Settings, Endpoints],
) -> None:
    settings, where = kafka
    topic = "events.millbrook-311.frozen"
    admin = AdminClient(clients.client(settings, where))
    clients.ensure_topics(admin, [clients.Topic(topic, 1, clients.EVENTS)])
    publish(settings, where, topic)
    nowhere = clients.consumer(settings, Endpoints("127.0.0.1:9", ""), group_id="lookout")
    deaf = Consumer({**nowhere, "log_level": 0})
    reader = Consumer(
        clients.consumer(settings, where, group_id="lookout", enable_partition_eof=True)
    )
    still = StandingStill(deaf)
    places = {"intake": {(topic, 0): 0}}, {(topic, 0): 1}
    assert still.look(*places, 0)["intake", topic, "0"] == 0
    assert still.look(*places, PATIENCE + 10)["intake", topic, "0"] == PATIENCE + 10
    still._reader = reader
    assert still.look(*places, PATIENCE + 20)["intake", topic, "0"] == PATIENCE + 20
    deaf.close()
    reader.close()
