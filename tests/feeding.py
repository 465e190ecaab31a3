"""A town whose intake and feeds run on a Kafka of its own, and what its receivers can read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import psutil  # type: ignore[import-untyped]
from confluent_kafka import Consumer, KafkaError

from crosstown.agreements import word_log
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Word
from crosstown.backbone import kafka
from crosstown.backbone.login import account
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.embedded.broker import Broker
from crosstown.feeds.told_before import ToldBefore, told_before
from crosstown.home import Endpoints, Home
from crosstown.provisioning.cluster import Cluster
from crosstown.publishing.bodies import publish_bodies
from crosstown.registry.client import Registry
from crosstown.registry.own_values import body_of
from crosstown.registry.server import Server
from crosstown.settings import Settings
from crosstown.supervision.prepare import prepare
from crosstown.supervision.running_program import RunningProgram

SINCE = "2026-01-01"


class Said(NamedTuple):
    """One message of a feed; `offset` is where it lies."""

    number: int
    change: str
    fields: Mapping[str, Any]
    offset: int

    @property
    def thing(self) -> str:
        """The name of the event or case that it's about."""
        return str(self.fields.get("event") or self.fields.get("case"))


def handshake(name: str, receiver: str = "xx-county-health", **more: str) -> str:
    """An agreement's file: what 311 says in the envelope's own words."""
    said = {
        "id": name, "kind": "handshake", "providers": "[riverton-311]", "receiver": receiver,
        "stewards": f"{{riverton-311: Dana Ruiz, {receiver}: Lena Whitfield}}",
        "purpose": "Nurses know what was reported.", "gives": "events",
        "contracts": "[{contract: any/events}]", "envelope": "[type, step, occurred_at, headline]",
        "jurisdictions": "[us-xx-riverton]", "since": SINCE, "identifiers": "records",
        "delivery": "{ways: [http, kafka]}", **more,
    }  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in said.items())


def body(number: str | int, agency: str = "riverton-311", **more: Any) -> dict[str, Any]:
    """Something was reported in Riverton."""
    return {
        "agency": agency, "record": f"{agency}/request/{number}", "type": "request.opened",
        "step": "REPORTED", "occurred_at": "2026-03-02T08:30:00Z",
        "jurisdiction": "us-xx-riverton", **more,
    }  # fmt: skip


class Town:
    """Broker, registry, intake and feeds, over contracts of the test's own."""

    def __init__(self, home: Path, files: Mapping[str, str], partitions: int = 1) -> None:
        self.city = home / "contracts"
        shutil.copytree(Repository.load().path, self.city)
        shutil.rmtree(self.city / "agreements")
        (self.city / "agreements").mkdir()
        for name, text in files.items():
            self.write(name, text)
        self.broker = Broker(Settings(home=home)).start()
        where = Endpoints(self.broker.bootstrap, "")
        self._server = Server(Settings(home=home), where).start()
        self.settings = Settings(
            home=home, bootstrap=self.broker.bootstrap, registry=self._server.url,
            schemas=self.city, partitions=partitions,
        )  # fmt: skip
        self.where = Endpoints(self.broker.bootstrap, self._server.url)
        prepare(self.settings, self.where)
        self._registry = Registry.at(self.settings, self.where)
        self._programs: dict[str, RunningProgram] = {}
        self._schemas: dict[int, Any] = {}

    def close(self) -> None:
        for name in list(self._programs):
            self.stop(name)
        self._registry.close()
        self._server.close()
        self.broker.stop()

    def write(self, name: str, text: str) -> None:
        """Put an agreement's file there."""
        (self.city / "agreements" / f"{name}.yaml").write_text(text, "utf-8")

    def agreement(self, name: str) -> Agreement:
        return Repository.of(self.settings).agreements[name]

    def start(self, *names: str, **env: str) -> None:
        """Start programs, and wait until they say that they are ready."""
        for name in names:
            self._programs[name] = self.beside(name, **env)
        until(lambda: all(self._programs[name].answers() or not self.alive(name) for name in names))
        for name in names:
            assert self.alive(name), self.log(name)[-2_000:]

    def beside(self, name: str, **more: str) -> RunningProgram:
        """Another process of a program, which is the test's own to end."""
        env = {
            "CROSSTOWN_HOME": str(self.settings.home), "CROSSTOWN_SUPERVISED": "1",
            "CROSSTOWN_BOOTSTRAP": self.where.bootstrap, "CROSSTOWN_REGISTRY": self.where.registry,
            "CROSSTOWN_SCHEMAS": str(self.city), **more,
        }  # fmt: skip
        one = RunningProgram(name, f"streams.{name}", Home(self.settings.home), lambda: env)
        one.launch()
        return one

    def stop(self, name: str) -> None:
        self._programs.pop(name).stop(10)

    def kill(self, name: str) -> None:
        """SIGKILL, the death confirmed by its absence, and another one started."""
        pid = self._programs[name].pid
        assert pid is not None
        victim = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        self._programs[name].stop(1)
        assert not victim.is_running()
        self.start(name)

    def alive(self, name: str) -> bool:
        return self._programs[name].alive()

    def log(self, name: str) -> str:
        return (Home(self.settings.home).logs / f"{name}.log").read_text("utf-8")

    def say(self, word: str, name: str, *parties: str, at: int = 0) -> None:
        """Each party says a word of an agreement's present terms, now or at `at` (microseconds)."""
        one = self.agreement(name)
        for party in parties or one.parties:
            said = Word(agreement=name, word=word, party=party, by="a steward", said_at=at or time.time_ns() // 1000,  # type: ignore[arg-type]
                        terms=one.terms, because="of a test")  # fmt: skip
            word_log.say(self.settings, self.where, said)

    def publish(self, bodies: Iterable[Mapping[str, Any]], agency: str = "riverton-311") -> None:
        repository = Repository.of(self.settings)
        contract = repository.contracts["any/events"]
        done = publish_bodies(
            self.settings, self.where, repository, contract, bodies, agency, None, "event"
        )
        assert not done.rejected, done.rejected[:3]

    def feed(self, name: str) -> list[Said]:
        """All that lies in a feed, as its receiver reads it; none where there is no feed."""
        topic = f"feed.{name}"
        with Reader(self, {}) as reader:
            if topic not in reader.list_topics(timeout=10).topics:
                return []
        return [self.said(m) for m in messages(self.settings, self.where, topic, 0)]

    def said(self, message: Any) -> Said:
        value = message.value()
        schema_id = int.from_bytes(value[1:5], "big")
        if schema_id not in self._schemas:
            text = json.loads(self._registry.schema(schema_id))
            self._schemas[schema_id] = fastavro.parse_schema(text)
        fields: Any = fastavro.schemaless_reader(
            BytesIO(body_of(value)), self._schemas[schema_id], None
        )
        assert message.key() == str(fields["number"]).encode()
        return Said(fields["number"], fields["change"], fields, message.offset())

    def delivered(self) -> list[ToldBefore]:
        return list(told_before(self.settings, self.where))

    def account(self, agency: str) -> dict[str, Any]:
        """An account for an agency, as `crosstown agency add` gives one; its client's settings."""
        from crosstown.provisioning.plan import plan

        cluster = Cluster(self.settings, self.where)
        want = cluster.wanted(agency)
        found = cluster.found(want, with_quotas=False).with_user(agency)
        cluster.carry_out_harmless(plan(want, found), want)
        cluster.set_password(agency, f"secret of {agency}")
        cluster.close()
        how = account("SCRAM-SHA-512", agency, f"secret of {agency}")
        return {"bootstrap.servers": self.where.bootstrap, "log_level": 0, **how}


@contextmanager
def Reader(town: Town, how: Mapping[str, Any]) -> Iterator[Any]:  # noqa: N802 - it is one
    """A consumer, of an account's or of the operator's."""
    ours = kafka.consumer(town.settings, town.where, group_id="test")
    given = (
        {**how, "group.id": f"{how['sasl.username']}.test", "auto.offset.reset": "earliest"}
        if how
        else {}
    )
    one = Consumer({**(given or ours), "error_cb": lambda _: None})
    try:
        yield one
    finally:
        one.close()


def refusal(reader: Any, seconds: float) -> float:
    """How long it takes until a reader is refused, in seconds; fails where it isn't."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        message = reader.poll(0.1)
        if message is not None and message.error() is not None:
            assert message.error().code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, message.error()
            return time.monotonic() - began
    raise AssertionError(f"it still reads after {seconds} s")


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)
