"""Feeds as a receiver over HTTP meets them: written by hand, agreed by hand, on a shared Kafka."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import fastavro
import httpx
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from pushing import Own, gateway, key_of

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Word
from crosstown.avro.codec import encode, frame
from crosstown.backbone import kafka
from crosstown.contracts.repository import Repository
from crosstown.embedded.broker import Broker
from crosstown.feeds.form import form
from crosstown.formats import AGREEMENT_WORD
from crosstown.home import Endpoints
from crosstown.registry.client import Registry
from crosstown.registry.server import Server
from crosstown.settings import Settings

ROOT = Path(__file__).parents[1]
PLAIN = False
"""There are no certificates here; reading those of the world takes httpx 20 ms a request."""
MARCH = dt.datetime(2026, 3, 2, 8, 30, tzinfo=dt.UTC)


@dataclass
class City:
    """A Kafka and a registry with feeds, agreements and one gateway at a time."""

    home: Path
    settings: Settings
    where: Endpoints
    registry: str
    schemas: Path
    producers: dict[str, Any] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def agree(self, id_: str, receiver: str = "riverton-tenants", *, accepted: bool = True,
              **more: Any) -> Agreement:  # fmt: skip
        """A handshake by its file, accepted by all; the file may be written again."""
        agreement = Agreement.model_validate({
            "id": id_, "kind": "handshake", "providers": ["riverton-311"], "receiver": receiver,
            "stewards": {"riverton-311": "Dana Ruiz", receiver: "Sam Abara"}, "gives": "events",
            "purpose": "So that these tests can be carried out.", "jurisdictions": ["us-xx-riverton"],
            "contracts": [{"contract": "riverton-311/requests"}], "envelope": ["type", "occurred_at"],
            **more,
        })  # fmt: skip
        file = self.schemas / "agreements" / f"{id_}.yaml"
        said = agreement.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        file.write_text(json.dumps(said), "utf-8")
        if accepted:
            for party in agreement.parties:
                self.say(agreement, "accepted", party)
        return agreement

    def say(
        self, agreement: Agreement,
        word: Literal["requested", "accepted", "declined", "revoked"], party: str, **more: Any,
    ) -> None:  # fmt: skip
        """A word of a party, as the command line would write it."""
        at = more.pop("said_at", time.time_ns() // 1000)
        one = Word(agreement=agreement.id, word=word, party=party, by="somebody", said_at=at,
                   terms=agreement.terms, **more)  # fmt: skip
        fields = {name: getattr(one, name) for name in one.__slots__}
        self._send("agreements", one.key, frame(1, encode(AGREEMENT_WORD, fields)))

    def make(self, agreement: Agreement) -> None:
        """Its feed's topic."""
        admin = AdminClient(kafka.client(self.settings, self.where))
        kafka.ensure_topics(admin, [kafka.Topic(agreement.topic, 1, kafka.TIMED)])

    def write(self, agreement: Agreement, count: int = 1, each: int = 10, **said: Any) -> int:
        """So many more messages in its feed, in transactions of some `each`; gives the last number."""
        producer, schema_id, schema = self._writer(agreement)
        number = self.last.get(agreement.id, 0)
        end = number + count
        said = {"type": "test", "occurred_at": MARCH, **said}
        while number < end:
            producer.begin_transaction()
            for _ in range(min(each, end - number)):
                number += 1
                value = _value(schema_id, schema, {"number": number, "change": "SAID",
                               "event": f"event-{number}", "record": "r", "said": said})  # fmt: skip
                producer.produce(agreement.topic, value, str(number))
            producer.commit_transaction(10)
        self.last[agreement.id] = end
        return end

    def _writer(self, agreement: Agreement) -> Any:
        """Producer, schema's id and schema of an agreement's terms."""
        if agreement.terms not in self.producers:
            self.make(agreement)
            schema = form(agreement, Repository.load(self.schemas).contracts)
            with Registry(self.registry) as registry:
                registry.set_compatibility(f"{agreement.topic}-value", "NONE")
                id_ = registry.register(f"{agreement.topic}-value", json.dumps(schema))
            one = Producer(kafka.producer(self.settings, self.where,
                                          transactional_id=agreement.topic, linger_ms=0))  # fmt: skip
            one.init_transactions(10)
            self.producers[agreement.terms] = one, id_, fastavro.parse_schema(schema)
        return self.producers[agreement.terms]

    def drop(self, agreement: Agreement, before: int) -> None:
        """Time takes away what lies before an offset."""
        admin = AdminClient(kafka.client(self.settings, self.where))
        for one in admin.delete_records([TopicPartition(agreement.topic, 0, before)]).values():
            one.result(10)

    def _send(self, topic: str, key: bytes, value: bytes) -> None:
        if "" not in self.producers:
            self.producers[""] = Producer(kafka.producer(self.settings, self.where, linger_ms=0)), 0
        self.producers[""][0].produce(topic, value, key)
        assert self.producers[""][0].flush(10) == 0

    @contextmanager
    def gateway(self, name: str, **env: str) -> Iterator[Own]:
        """A gateway with a home of its own, from its start to its end."""
        home = self.home / name
        home.mkdir(exist_ok=True)
        ours = {"CROSSTOWN_BOOTSTRAP": self.where.bootstrap, "CROSSTOWN_REGISTRY": self.registry,
                "CROSSTOWN_KAFKA": json.dumps(self.settings.kafka),
                "CROSSTOWN_SCHEMAS": str(self.schemas)}  # fmt: skip
        with gateway(home, **(ours | env)) as own:
            yield own


def _value(schema_id: int, schema: Any, fields: dict[str, Any]) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, schema, fields)
    return frame(schema_id, stream.getvalue())


def city(folder: Path, broker: Broker, server: Server) -> City:
    """One of a test module's own, on the session's Kafka: name your agreements apart."""
    home, schemas = folder / "home", folder / "schemas"
    home.mkdir()
    shutil.copytree(ROOT / "schemas", schemas, ignore=shutil.ignore_patterns("*.py", "agreements"))
    (schemas / "agreements").mkdir()
    where = Endpoints(broker.bootstrap, server.url)
    settings = Settings(
        home=home, bootstrap=broker.bootstrap, registry=server.url, kafka=broker.login
    )
    admin = AdminClient(kafka.client(settings, where))
    kafka.ensure_topics(admin, kafka.own_topics(1))
    name, password = server.login
    named = server.url.replace("//", f"//{name}:{password}@")
    return City(home, settings, where, named, schemas)


@dataclass(frozen=True)
class Receiver:
    """One with a key, who reads."""

    url: str
    key: str

    def get(self, path: str = "/feeds", timeout: float = 30, **headers: str) -> httpx.Response:
        """Ask for something."""
        return httpx.get(
            self.url + path, headers=self.headers(**headers), timeout=timeout, verify=PLAIN
        )

    def headers(self, **more: str) -> dict[str, str]:
        """Its key, and what else is said."""
        return {"Authorization": f"Bearer {self.key}",
                **{name.replace("_", "-"): value for name, value in more.items()}}  # fmt: skip

    def lines(self, id_: str, query: str = "") -> list[dict[str, Any]]:
        """Messages as lines."""
        answer = self.get(f"/feeds/{id_}/events{query}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]

    @contextmanager
    def stream(self, id_: str, since: int | None = None, timeout: float = 30) -> Iterator[Stream]:
        """Messages as a stream, as a browser's EventSource asks for it."""
        headers = self.headers(Accept="text/event-stream")
        if since is not None:
            headers["Last-Event-ID"] = str(since)
        with httpx.stream(
            "GET", f"{self.url}/feeds/{id_}/events", headers=headers, timeout=timeout, verify=PLAIN
        ) as answer:
            yield Stream(answer)


class Stream:
    """Server-sent events as the standard reads them."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        self.comments = 0

    def __iter__(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Kind, id and data of each event."""
        kind, id_, data = "message", 0, ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            match name:
                case "event":
                    kind = value
                case "id":
                    id_ = int(value)
                case "data":
                    data = value
                case "" if data:
                    yield kind, id_, json.loads(data)
                    kind, data = "message", ""
                case ":":
                    self.comments += 1
                case _:
                    pass

    def take(self, count: int) -> list[int]:
        """The ids of the next ones."""
        found = []
        for kind, id_, _ in self:
            assert kind == "message"
            found.append(id_)
            if len(found) == count:
                break
        return found


def receiver(own: Own, agency: str = "riverton-tenants") -> Receiver:
    """Somebody with a key at a gateway."""
    return Receiver(own.url, key_of(own.home, agency))
