"""The sample city's agreements on a whole installation: what the receivers can read, and what they can't."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest
from chaos import Installation, installation, until
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from riverton_said import REPOSITORY

from crosstown.agreements import word_log
from crosstown.agreements.agreement import Agreement
from crosstown.backbone import generation, kafka
from crosstown.backbone.sweep import messages
from crosstown.erasure.erasures import Erasures, Key
from crosstown.feeds.contract_of import ContractOf
from crosstown.feeds.sharing import Sharing
from crosstown.home import Endpoints, Home, endpoints
from crosstown.publishing.bodies import publish_bodies
from crosstown.registry.client import Registry
from crosstown.registry.own_values import body_of
from crosstown.sample import write
from crosstown.settings import Settings

HIDDEN = {"address_text": "14 Canaryville Row", "tenant_name": "Ottoline Quisling"}
CONTROL = "heronfeather"
RECORD = "riverton-housing/inspection/HI-99999"
AGREEMENTS = list(REPOSITORY.agreements.values())


class City:
    """An installation where the sample is published and all has been accepted by its stewards."""

    def __init__(self, home: Installation, files: list[Path]) -> None:
        self.home = home
        self.settings = Settings(home=home.home)
        home.run("publish", "riverton", *files, "--known-at", "2025-07-01T00:00:00Z")
        self.inspect(inspector_notes=f"{CONTROL}, boiler off", **HIDDEN)
        for one in AGREEMENTS:
            for party in one.parties:
                home.run("agreements", "accept", one.id, "--agency", party,
                         "--by", one.stewards[party])  # fmt: skip
        self.settled()

    @property
    def where(self) -> Endpoints:
        return endpoints(self.settings)

    def inspect(self, **more: str) -> None:
        """One more inspection, published by the agency itself."""
        file = REPOSITORY.path / "examples/riverton-housing/inspections.v1.inspected.json"
        body = {
            **json.loads(file.read_text("utf-8")),
            "number": "HI-99999",
            "outcome": "PASSED",
            **more,
        }
        contract = REPOSITORY.contracts["riverton-housing/inspections"]
        done = publish_bodies(
            self.settings, self.where, REPOSITORY, contract, [body], contract.owner, None, "event"
        )
        assert not done.rejected, done.rejected

    def settled(self) -> None:
        """Until all that lies in `accepted` is told; what is said of agreements is heard by then."""
        self.home.run("stats", "--wait", "--timeout", 120)
        time.sleep(2)
        live = generation.live(self.settings, self.where)
        until(lambda: self.home.lag("feeds", live.accepted.__eq__) <= 2 * self.shards, 60)

    @property
    def shards(self) -> int:
        """Partitions; behind the last message of each lies a transaction's marker."""
        live = generation.live(self.settings, self.where).accepted
        admin = AdminClient(kafka.client(self.settings, self.where))
        return len(admin.list_topics(timeout=10).topics[live].partitions)

    def lying(self, one: Agreement) -> list[Any]:
        """The messages of a feed."""
        return list(messages(self.settings, self.where, one.topic, 0))

    def last(self, one: Agreement) -> dict[str, bytes]:
        """What each thing in a feed is now, as bytes behind the number; nothing for what is gone."""
        registry = Registry.at(self.settings, self.where)
        found: dict[str, bytes] = {}
        for message in self.lying(one):
            fields = opened(registry, message.value())
            thing = fields.pop("event", None) or fields.pop("case")
            del fields["number"]
            found[thing] = repr(fields).encode()
            if fields["change"] == "GONE":
                del found[thing]
        registry.close()
        return found

    def expected(self) -> dict[str, dict[str, bytes]]:
        """The same, by the pure core alone over what lies in `accepted`, from nothing."""
        home, live = Home(self.settings.home), generation.live(self.settings, self.where)
        registry = Registry.at(self.settings, self.where)
        sharing = Sharing(
            REPOSITORY, home.pseudonym_key(self.settings),
            Erasures(Key(home.erasure_key(self.settings))), live.with_windows(REPOSITORY).window,
            registry.schema,
        )  # fmt: skip
        sharing.terms(AGREEMENTS)
        ask = ContractOf(REPOSITORY, registry)
        for partition in range(self.shards):
            for message in messages(self.settings, self.where, live.accepted, partition):
                value = message.value()
                sharing.say(ask(message), message.key(), value and value[5:])
        for word in word_log.read(self.settings, self.where):
            sharing.word(word)
        found: dict[str, dict[str, bytes]] = {one.id: {} for one in AGREEMENTS}
        for told in sharing.outputs(time.time_ns() // 1000):
            fields = read(sharing.schema(told.agreement), told.value)
            thing = fields.pop("event", None) or fields.pop("case")
            del fields["number"]
            found[told.agreement][thing] = repr(fields).encode()
        registry.close()
        return found


def opened(registry: Registry, value: bytes) -> dict[str, Any]:
    schema = json.loads(registry.schema(int.from_bytes(value[1:5], "big")))
    return read(schema, body_of(value))


def read(schema: Any, body: bytes) -> dict[str, Any]:
    found: Any = fastavro.schemaless_reader(BytesIO(body), fastavro.parse_schema(schema), None)
    return dict(found)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    files = write(tmp_path_factory.mktemp("sample"))
    with installation(tmp_path_factory.mktemp("home"), partitions=2) as home:
        yield City(home, files)


def test_a_receiver_hears_another_thing_than_was_agreed(city: City) -> None:
    wanted = city.expected()
    for one in AGREEMENTS:
        assert city.last(one) == wanted[one.id], one.id
        assert len(wanted[one.id]) > 10, "the sample has next to nothing of it"


def test_what_was_not_agreed_is_found_in_a_receivers_bytes(city: City) -> None:
    everything = {one.id: b"\0".join(_bytes(m) for m in city.lying(one)) for one in AGREEMENTS}
    found = {name for name, data in everything.items() if CONTROL.encode() in data}
    assert found == {"health-sees-inspections"}, "the control word must be there and nowhere else"
    for name, data in everything.items():
        for word in (*HIDDEN.values(), "Canaryville", "Quisling"):
            assert word.encode() not in data, (name, word)
    for name in ("tenants-own-cases", "water-hears-of-brown-water"):
        for register in (b"/inspection/", b"/request/", b"/permit/", b"SR-"):
            assert register not in everything[name], f"{name} names {register!r}"
    accepted = generation.live(city.settings, city.where).accepted
    there = b"".join(m.value() or b"" for p in range(city.shards)
                     for m in messages(city.settings, city.where, accepted, p))  # fmt: skip
    assert b"Canaryville" in there, "the canary never flew"


def test_a_file_has_what_the_feed_has_not(city: City, tmp_path: Path) -> None:
    one = REPOSITORY.agreements["health-sees-inspections"]
    for kind in ("ndjson", "csv", "parquet"):
        made = city.home.json("feed", one.id, "--to", tmp_path / kind, "--format", kind)
        assert made["count"] == made["last"] == len(city.lying(one))
        files = list((tmp_path / kind).iterdir())
        assert sorted(file.suffix for file in files) == sorted([f".{kind}", ".json"])
        text = "".join(file.read_bytes().decode("latin-1") for file in files)
        if kind == "parquet":  # its pages are compressed
            text += repr(pq.read_table(tmp_path / kind / made["file"]).to_pylist())
        assert CONTROL in text
        for word in (*HIDDEN.values(), "Canaryville", "Quisling"):
            assert word not in text, (kind, word)
    city.home.run("feed", "tenants-own-cases", "--to", tmp_path, code=2)
    seen = city.home.run("audit", "show", "--of", "riverton-housing", "-o", "json").splitlines()
    assert "batch" in {json.loads(line)["way"] for line in seen}


def test_an_erased_record_stays_in_a_feed(city: City) -> None:
    one = REPOSITORY.agreements["health-sees-inspections"]
    assert any(RECORD.encode() in said for said in city.last(one).values())
    before = len(city.lying(one))
    city.home.run("erase", RECORD, "--because", "records rule 7", "--by", "records desk", "--yes")
    until(lambda: len(city.lying(one)) > before)
    assert not any(RECORD.encode() in said for said in city.last(one).values())
    time.sleep(3)  # the eraser's tombstones arrive
    city.settled()
    assert city.last(one) == city.expected()[one.id]
    assert len(city.lying(one)) == before + 1


def test_a_rebuild_tells_receivers_all_again(city: City) -> None:
    before = {one.id: len(city.lying(one)) for one in AGREEMENTS}
    city.home.run("rebuild", "--swap", "--partitions", "3")
    city.settled()
    city.inspect(inspector_notes="after the rebuild", number="HI-99998")
    one = REPOSITORY.agreements["health-sees-inspections"]
    until(lambda: len(city.lying(one)) > before[one.id])
    after = {one.id: len(city.lying(one)) for one in AGREEMENTS}
    assert after[one.id] == before[one.id] + 1
    assert after["water-hears-of-brown-water"] == before["water-hears-of-brown-water"]


def test_a_plan_finds_something_to_do_about_feeds(city: City) -> None:
    assert city.home.json("plan")["changes"] == []


def test_a_revoked_receiver_reads_on(city: City) -> None:
    given = city.home.json("agency", "add", "riverton-water")
    one = REPOSITORY.agreements["water-hears-of-brown-water"]
    reader = Consumer({
        "bootstrap.servers": given["bootstrap"], "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": given["mechanism"], "sasl.username": "riverton-water",
        "sasl.password": given["password"], "group.id": "riverton-water.test",
        "error_cb": lambda _: None, "log_level": 0,
    })  # fmt: skip
    reader.assign([TopicPartition(one.topic, 0, 0)])
    until(lambda: (m := reader.poll(0.5)) is not None and m.error() is None, 20)
    while reader.poll(1) is not None:
        pass
    city.home.run("agreements", "revoke", one.id, "--agency", "riverton-311", "--by", "Dana Ruiz",
                  "--because", "the pilot is over", "--yes")  # fmt: skip
    said = time.monotonic()
    codes: set[str] = set()
    while time.monotonic() < said + 5 and not codes:
        message = reader.poll(0.2)
        if message is not None and message.error() is not None:
            codes.add(message.error().name())
    reader.close()
    assert codes == {"TOPIC_AUTHORIZATION_FAILED"}
    assert city.home.json("plan")["changes"] == []


def _bytes(message: Any) -> bytes:
    headers = b"".join(k.encode() + (v or b"") for k, v in message.headers() or ())
    return (message.key() or b"") + (message.value() or b"") + headers
