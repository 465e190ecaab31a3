"""Who may do what at the broker: accounts, access rules, refusals; a plan and what it comes to."""

from __future__ import annotations

import json
import shutil
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from installation import Said, call
from test_cli_commands import check

from crosstown.backbone import kafka
from crosstown.backbone.login import account
from crosstown.backbone.replicas import in_sync, replicas, size
from crosstown.contracts.repository import Repository
from crosstown.embedded.broker import Broker
from crosstown.embedded.refusals import refusal, refusals
from crosstown.errors import Stop
from crosstown.home import Endpoints
from crosstown.provisioning.access import Grant, grants
from crosstown.provisioning.cluster import Cluster
from crosstown.provisioning.plan import Found, TopicState, plan
from crosstown.provisioning.wanted import wanted
from crosstown.registry.server import Server
from crosstown.settings import Settings
from crosstown.supervision.prepare import prepare

REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED
REPOSITORY = Repository.load()
AGENCIES = sorted(one.id for one in REPOSITORY.agencies)


class Town:
    """A broker and a registry of one's own, prepared as `crosstown up` does; no programs."""

    def __init__(self, home: Path) -> None:
        self.broker = Broker(Settings(home=home)).start()
        self._server = self._registry()
        self.settings = Settings(
            home=home, bootstrap=self.broker.bootstrap, registry=self._server.url
        )
        self.where = Endpoints(self.broker.bootstrap, self._server.url)
        prepare(self.settings, self.where)
        self.cluster = Cluster(self.settings, self.where)

    def _registry(self) -> Server:
        where = Endpoints(self.broker.bootstrap, "")
        return Server(Settings(home=self.broker.settings.home), where).start()

    def __call__(self, *words: str, **env: str) -> Said:
        """Call the command line here."""
        ours = {
            "CROSSTOWN_BOOTSTRAP": self.where.bootstrap,
            "CROSSTOWN_REGISTRY": self.where.registry,
        }
        return call(self.settings.home, *words, **(ours | env))

    def restart(self) -> None:
        self.broker.stop()
        self.broker.start()
        self.cluster.close()
        self.cluster = Cluster(self.settings, self.where)

    def add(self, agency: str) -> dict[str, Any]:
        """Its account, as its client's settings."""
        said = self("agency", "add", agency, "-o", "json").ok().json()
        check("agency", said)
        return self.client(agency, said["password"])

    def client(self, agency: str, password: str) -> dict[str, Any]:
        how = account("SCRAM-SHA-512", agency, password)
        return {"bootstrap.servers": self.where.bootstrap, "log_level": 0, **how}

    def close(self) -> None:
        self.cluster.close()
        self._server.close()
        self.broker.stop()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    one = Town(tmp_path_factory.mktemp("town"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def clients(town: Town) -> dict[str, dict[str, Any]]:
    """An account for each agency, made at once: 24 calls of the command line would take a minute."""
    want = town.cluster.wanted(*AGENCIES)
    found = town.cluster.found(want, with_quotas=False)
    for agency in AGENCIES:
        found = found.with_user(agency)
    for change in plan(want, found):
        town.cluster.carry_out(change, want)
    for agency in AGENCIES:
        town.cluster.set_password(agency, f"secret of {agency}")
    return {agency: town.client(agency, f"secret of {agency}") for agency in AGENCIES}


def written(how: dict[str, Any], *topics: str) -> dict[str, int]:
    """What came of writing to topics: an error's code, 0 where it went."""
    told: dict[str, int] = {}
    producer = Producer(how | {"message.timeout.ms": 20_000, "error_cb": lambda _: None})
    for topic in topics:
        producer.produce(
            topic, b"x",
            on_delivery=lambda error, message: told.setdefault(message.topic(), error.code() if error else 0),
        )  # fmt: skip
    assert producer.flush(30) == 0
    return told


def read(how: dict[str, Any], *topics: str) -> dict[str, int]:
    """What came of reading topics from their beginning: an error's code, 0 for a message."""
    told: dict[str, int] = {}
    group = {"group.id": f"{how['sasl.username']}.test", "auto.offset.reset": "earliest"}
    reader = Consumer(how | group | {"error_cb": lambda _: None})
    reader.subscribe(list(topics))
    try:
        for _ in range(100):
            for message in reader.consume(500, 0.2):
                error = message.error()
                told.setdefault(message.topic(), error.code() if error else 0)
            if told.keys() == set(topics):
                break
    finally:
        reader.close()
    return told


def own(agency: str) -> list[str]:
    return sorted({one.name for one in grants(REPOSITORY, agency) if one.kind == "topic"})


def test_an_agency_writes_or_reads_what_is_anothers(
    town: Town, clients: dict[str, dict[str, Any]]
) -> None:
    everything = [topic for agency in AGENCIES for topic in own(agency)]
    ours = ["accepted", "timelines", "dead-letters", "alerts.deadline", "alerts.pickup", "backbone",
            "_schemas", "__consumer_offsets"]  # fmt: skip
    present = town.cluster._admin.list_topics(timeout=10).topics
    assert set(everything) <= set(present)
    others = [one for one in ours if one in present]
    assert "accepted" in others
    with ThreadPoolExecutor(4) as pool:
        wrote = list(pool.map(lambda one: written(clients[one], *everything, *others), AGENCIES))
        got = list(pool.map(lambda one: read(clients[one], *everything, *others), AGENCIES))
    for agency, went, came in zip(AGENCIES, wrote, got, strict=True):
        for topic in (*everything, *others):
            expected = 0 if topic in own(agency) else REFUSED
            assert went[topic] == expected, f"{agency} writes {topic}"
            assert came.get(topic) == expected, f"{agency} reads {topic}"


def test_an_agency_takes_part_in_anothers_group(clients: dict[str, dict[str, Any]]) -> None:
    how = clients["riverton-housing"] | {
        "group.id": "riverton-police.night",
        "error_cb": lambda _: None,
    }
    reader = Consumer(how)
    reader.subscribe(["events.riverton-housing.inspections"])
    try:
        codes = {m.error().code() for m in reader.consume(10, 10) if m.error()}
    finally:
        reader.close()
    assert codes == {KafkaError.GROUP_AUTHORIZATION_FAILED}


def test_who_says_no_name_gets_in(town: Town) -> None:
    describe_cluster = struct.pack(">hhihBBB", 60, 0, 1, -1, 0, 0, 0)
    for port in (town.broker._known["port"], town.broker._known["controller"]):
        with socket.create_connection(("127.0.0.1", port), 5) as line:
            line.settimeout(10)
            line.sendall(struct.pack(">i", len(describe_cluster)) + describe_cluster)
            assert line.recv(1) == b"", "something is answered"
    admin = AdminClient({"bootstrap.servers": town.where.bootstrap, "log_level": 0,
                         "error_cb": lambda _: None})  # fmt: skip
    with pytest.raises(Exception, match=r"transport failure|timed out"):
        admin.list_topics(timeout=2)


def test_a_wrong_password_looks_like_a_slow_cluster(
    town: Town, clients: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    assert "riverton-housing" in clients
    wrong = json.dumps(account("SCRAM-SHA-512", "riverton-housing", "wrong"))
    for words in (("tail", "accepted"), ("plan",), ("dead-letters",)):
        said = call(tmp_path, *words, CROSSTOWN_BOOTSTRAP=town.where.bootstrap,
                    CROSSTOWN_REGISTRY=town.where.registry, CROSSTOWN_KAFKA=wrong)  # fmt: skip
        assert said.code == 2, said
        assert "refuses the user name or password" in said.err
        assert "crosstown agency rotate" in said.err
    producer = Producer(kafka.producer(Settings(home=tmp_path, bootstrap=town.where.bootstrap,
                                                kafka=json.loads(wrong)), town.where))  # fmt: skip
    producer.produce("accepted", b"x")
    with pytest.raises(Stop, match="refuses the user name or password"):
        producer.flush(30)


def test_an_agency_that_was_cut_off_goes_on_and_others_with_it_are_cut_off(town: Town) -> None:
    gone, stays = (town.add(one) if one not in town.cluster.users() else
                   town.client(one, f"secret of {one}")
                   for one in ("riverton-housing", "riverton-police"))  # fmt: skip
    topic = "events.riverton-housing.inspections"
    open_since_before = Producer(gone | {"error_cb": lambda _: None, "message.timeout.ms": 20_000})
    told: list[KafkaError | None] = []

    def say() -> KafkaError | None:
        open_since_before.produce(topic, b"x", on_delivery=lambda error, _: told.append(error))
        assert open_since_before.flush(30) == 0
        return told[-1]

    assert say() is None
    assert town("agency", "remove", "riverton-housing").code == 2, "nobody was asked"
    assert say() is None
    town("agency", "remove", "riverton-housing", "--yes").ok()
    refused = say()
    assert refused is not None
    assert refused.code() == REFUSED
    assert "riverton-housing" not in town.cluster.users()
    town.restart()
    assert written(stays, "events.riverton-police.incidents") == {
        "events.riverton-police.incidents": 0
    }
    with pytest.raises(Stop, match="refuses"):
        kafka.wait_for_broker(_as(gone, town), town.where, 10)
    again = town.add("riverton-housing")
    assert written(again, topic) == {topic: 0}


def test_the_old_password_is_good_after_a_new_one_was_given(town: Town, tmp_path: Path) -> None:
    if "riverton-water" not in town.cluster.users():
        town.add("riverton-water")
    first = tmp_path / "first.properties"
    town("agency", "rotate", "riverton-water", "--to", str(first)).ok()
    old = _read(first)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600 or sys.platform == "win32"
    said = town("agency", "rotate", "riverton-water", "-o", "json").ok().json()
    check("agency", said)
    topic = "events.riverton-water.orders"
    assert written(town.client("riverton-water", said["password"]), topic) == {topic: 0}
    with pytest.raises(Stop, match="refuses"):
        kafka.wait_for_broker(_as(old, town), town.where, 10)
    again = town("agency", "rotate", "riverton-water", "--to", str(first))
    assert again.code == 2, "a file would be written over"


def test_an_account_is_given_twice_or_to_nobody(town: Town) -> None:
    said = town("agency", "add", "riverton-watr")
    assert said.code == 2
    assert "riverton-water" in said.err
    assert "agencies.yaml" in said.err
    for words in (("rotate", "animal-control-x"), ("remove", "nobody"), ("add", "")):
        assert town("agency", *words).code == 2
    if "riverton-water" not in town.cluster.users():
        town.add("riverton-water")
    assert "has an account already" in town("agency", "add", "riverton-water").err
    listed = {one["agency"]: one for one in town("agency", "-o", "json").ok().lines()}
    assert listed["riverton-water"] == {
        "agency": "riverton-water", "account": True, "contracts": ["riverton-water/orders"],
    }  # fmt: skip


def test_a_refusal_is_seen_nowhere(town: Town, clients: dict[str, dict[str, Any]]) -> None:
    assert written(clients["youthline"], "events.riverton-police.incidents") != {}
    log = town.broker.home.refusals
    found = refusals([log])
    mine = [one for one in found if one.user == "youthline"]
    assert any("events.riverton-police.incidents" in one.what for one in mine)
    assert all(one.host == "127.0.0.1" and one.first <= one.last for one in mine)
    said = call(town.settings.home, "refusals", "--user", "youthline", "-o", "json").ok()
    check("refusals", *said.lines())
    assert {one["account"] for one in said.lines()} == {"youthline"}
    assert "youthline" in call(town.settings.home, "refusals").ok().out
    elsewhere = town("refusals")
    assert elsewhere.code == 2
    assert "kafka-authorizer.log" in elsewhere.err


def test_a_line_that_is_no_refusal_is_taken_for_one() -> None:
    assert refusal("2026-01-01T00:00:00.000Z something else") is None
    assert refusal("") is None
    said = refusal("2026-01-01T00:00:00.000Z Principal = User:a b is Denied operation = WRITE from host ="
                   " 10.0.0.1 on resource = Topic:LITERAL:x is Denied for request = Produce with"
                   " resourceRefCount = 1 based on rule DefaultDeny")  # fmt: skip
    assert said is not None
    assert (said.user, said.host, said.what) == (
        "a b",
        "10.0.0.1",
        "WRITE topic x is Denied (Produce)",
    )


def test_a_password_lies_where_others_can_read_it(town: Town) -> None:
    secret = town.broker.login["sasl.password"].encode()
    holders = set()
    for file in town.settings.home.rglob("*"):
        if file.is_file() and secret in file.read_bytes():
            holders.add(file.name)
            assert stat.S_IMODE(file.stat().st_mode) == 0o600 or sys.platform == "win32", file
    assert holders <= {"operator.secret", "server.properties", "client.properties"}
    assert {"operator.secret", "server.properties"} <= holders


def test_what_differs_stays_hidden_or_is_mended_without_asking(town: Town, tmp_path: Path) -> None:
    if "riverton-police" not in town.cluster.users():
        town.add("riverton-police")
    clean = town("plan", "-o", "json")
    assert clean.ok().json()["changes"] == []
    city = tmp_path / "contracts"
    shutil.copytree(Repository.load().path, city)
    agencies = city / "agencies.yaml"
    text = agencies.read_text("utf-8")
    agencies.write_text(
        text.replace("{id: riverton-police, ", "{id: riverton-police, publish_mb_per_s: 2, "),
        "utf-8",
    )
    (city / "riverton-water/leaks.v1.yaml").write_text(
        (city / "riverton-water/orders.v1.yaml").read_text("utf-8").replace("/orders", "/leaks"),
        "utf-8",
    )
    shutil.copy(city / "riverton-water/orders.v1.avsc", city / "riverton-water/leaks.v1.avsc")
    police = city / "riverton-police/incidents.v1.yaml"
    police.write_text(police.read_text("utf-8").replace("value: 10\n", "value: 9\n"), "utf-8")
    cluster = town.cluster
    loose = Grant("riverton-police", "topic", "accepted", "READ")
    cluster.allow(frozenset({loose, Grant("stranger", "topic", "accepted", "READ")}))
    cluster.set_password("stranger", "x" * 20)
    cluster.disallow(
        frozenset({Grant("riverton-police", "topic", "events.riverton-police.notes", "WRITE")})
    )
    kafka.ensure_topics(
        cluster._admin,
        [kafka.Topic("events.nobody.empty", 1, {}), kafka.Topic("events.nobody.full", 1, {})],
    )
    producer = Producer(town.broker.how)
    producer.produce("events.nobody.full", b"x")
    assert producer.flush(10) == 0
    cluster._admin.incremental_alter_configs([ConfigResource(
        ConfigResource.Type.TOPIC, "accepted",
        incremental_configs=[ConfigEntry("segment.ms", "1234567", incremental_operation=AlterConfigOpType.SET)],
    )])  # fmt: skip
    here = {"CROSSTOWN_SCHEMAS": str(city)}

    def seen(said: Said, key: str = "changes") -> set[tuple[str, str, str]]:
        assert said.code == 3, said
        return {(one["action"], one["kind"], one["name"]) for one in said.json()[key]}

    harmless = {
        ("create", "topic", "events.riverton-water.leaks"),
        ("change", "compatibility", "events.riverton-water.leaks-value"),
        ("create", "schema", "events.riverton-water.leaks-value"),
        ("create", "acl", "riverton-police"),
        ("change", "config", "accepted"),
        ("change", "quota", "riverton-police"),
    }
    harmful = {
        ("remove", "acl", "riverton-police"),
        ("remove", "user", "stranger"),
        ("change", "config", "events.riverton-police.incidents"),
        ("remove", "topic", "events.nobody.empty"),
    }
    by_hand = {("by-hand", "topic", "events.nobody.full")}
    more = {("create", "acl", "riverton-water")} if "riverton-water" in cluster.users() else set()
    planned = town("plan", "-o", "json", **here)
    check("plan", planned.json())
    assert seen(planned) == harmless | harmful | by_hand | more
    applied = town("apply", "-o", "json", **here)
    check("apply", applied.json())
    assert seen(applied, "done") == harmless | more
    assert seen(applied, "left") == harmful | by_hand
    assert seen(town("plan", "-o", "json", **here)) == harmful | by_hand
    told = town("apply", "--yes", **here)
    assert told.code == 3
    assert "for you to do" in told.out
    assert seen(town("plan", "-o", "json", **here)) == by_hand
    assert loose not in cluster.grants()
    cluster._admin.delete_topics(["events.nobody.full"])["events.nobody.full"].result(30)
    assert "as the contracts say" in town("plan", **here).ok().out
    assert "Nothing to do" in town("apply", **here).ok().out
    back = town("apply", "--yes")
    assert "quota" in back.out
    assert "100,000" not in back.out


def test_a_topic_has_fewer_copies_than_its_cluster_can_hold() -> None:
    assert [(replicas(n), in_sync(n)) for n in (1, 2, 3, 7)] == [(1, 1), (2, 1), (3, 2), (3, 2)]
    want = _wanted(brokers=3)
    assert {one.replicas for one in want.topics.values()} == {3}
    assert {one.config["min.insync.replicas"] for one in want.topics.values()} == {"2"}
    shrunk = {name: replace(one, replicas=1) for name, one in want.topics.items()}
    (change,) = [one for one in plan(want, _found(shrunk)) if one.name == "accepted"]
    assert (change.action, change.kind) == ("by-hand", "replicas")


def test_while_a_broker_is_down_two_copies_are_taken_for_enough() -> None:
    part = SimpleNamespace(replicas=[3, 1, 2], isrs=[3, 1])
    topics = {"accepted": SimpleNamespace(partitions={0: part})}
    assert size(SimpleNamespace(brokers={1: "", 3: ""}, topics=topics)) == 3
    assert size(SimpleNamespace(brokers={1: "", 3: ""}, topics={})) == 2
    assert size(SimpleNamespace(brokers=dict.fromkeys(range(5)), topics=topics)) == 5


def test_a_plan_throws_something_away_and_calls_it_harmless() -> None:
    want = _wanted()
    events = "events.riverton-police.incidents"

    def destructive(key: str, value: str | None) -> bool:
        config = {k: v for k, v in want.topics[events].config.items() if k != key}
        if value is not None:
            config[key] = value
        topics = {**want.topics, events: replace(want.topics[events], config=config)}
        (change,) = [one for one in plan(want, _found(topics)) if one.kind == "config"]
        return change.destructive

    assert destructive("retention.ms", "-1")
    assert destructive("retention.ms", None)
    assert destructive("retention.ms", str(20 * 365 * 86_400_000))
    assert not destructive("retention.ms", "1000")
    assert destructive("cleanup.policy", "compact")
    assert destructive("min.insync.replicas", "2")
    assert not destructive("min.insync.replicas", None)
    more = {**want.topics, events: replace(want.topics[events], partitions=3)}
    assert not [one for one in plan(want, _found(more)) if one.kind == "partitions"]
    accepted = {**want.topics, "accepted": replace(want.topics["accepted"], partitions=3)}
    (change,) = [one for one in plan(want, _found(accepted)) if one.kind == "partitions"]
    assert change.action == "by-hand"


def _wanted(brokers: int = 1) -> Any:
    from crosstown.backbone.generation import Generation

    return wanted(REPOSITORY, Generation(), 1, 24, brokers, ())


def _found(topics: dict[str, TopicState]) -> Found:
    return Found(topics, {}, {}, frozenset(), frozenset(), {})


def _as(how: dict[str, Any], town: Town) -> Settings:
    login = {key: value for key, value in how.items() if key.startswith(("sasl", "security"))}
    return Settings(home=town.settings.home, bootstrap=town.where.bootstrap, kafka=login)


def _read(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines())
