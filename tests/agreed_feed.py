"""Feeds of a test's own: an agreement that all parties have accepted, and messages with numbers."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import yaml
from confluent_kafka import Producer

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.word_log import say
from crosstown.agreements.words import Word
from crosstown.avro.codec import frame
from crosstown.backbone import kafka
from crosstown.contracts.repository import Repository, shipped
from crosstown.feeds.form import form
from crosstown.home import Endpoints
from crosstown.registry.client import Registry
from crosstown.settings import Settings


def event(number: int, **more: Any) -> dict[str, Any]:
    """A message: something was reported; `more` are further fields of what is said."""
    return {"number": number, "change": "SAID", "event": f"e{number}", "record": f"r{number}",
            "said": {"type": "opened", "step": "REPORTED", "occurred_at": 1_700_000_000_000_000 + number,
                     "flags": ["a"], "payload": {"topic_text": f"text {number}"}, **more}}  # fmt: skip


def gone(number: int) -> dict[str, Any]:
    """A message: something isn't said any more."""
    return {
        "number": number,
        "change": "GONE",
        "event": f"e{number}",
        "record": f"r{number}",
        "said": None,
    }


@dataclass
class Feed:
    """One agreement's feed at a broker and a registry, with a contract repository of its own."""

    settings: Settings
    where: Endpoints
    agreement: Agreement
    last: int = 0
    schema: dict[str, Any] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """What a process of its own must be told to work with it."""
        return {"CROSSTOWN_BOOTSTRAP": self.where.bootstrap, "CROSSTOWN_REGISTRY": self.where.registry,
                "CROSSTOWN_KAFKA": json.dumps(self.settings.kafka),
                "CROSSTOWN_SCHEMAS": str(self.settings.schemas)}  # fmt: skip

    def word(self, word: Any, party: str, because: str = "") -> None:
        """A party says something of it."""
        said = Word(agreement=self.agreement.id, word=word, party=party, by="Somebody",
                    said_at=time.time_ns() // 1000, terms=self.agreement.terms, because=because)  # fmt: skip
        say(self.settings, self.where, said)

    def accept(self) -> None:
        """All parties accept it as it is."""
        for party in self.agreement.parties:
            self.word("accepted", party)

    def say(self, *messages: dict[str, Any]) -> None:
        """Write these messages, and the schema first."""
        schema = self.schema or form(self.agreement, Repository.load().contracts)
        with Registry.at(self.settings, self.where) as registry:
            registry.set_compatibility(f"{self.agreement.topic}-value", "NONE")
            schema_id = registry.register(f"{self.agreement.topic}-value", json.dumps(schema))
        parsed = fastavro.parse_schema(schema)
        rows = []
        for one in messages:
            stream = BytesIO()
            fastavro.schemaless_writer(stream, parsed, one)
            rows.append((str(one["number"]).encode(), frame(schema_id, stream.getvalue())))
            self.last = max(self.last, one["number"])
        self._produce(self.agreement.topic, rows)

    def report(self, count: int) -> None:
        """So many more events."""
        self.say(*(event(self.last + 1 + i) for i in range(count)))

    def _produce(self, topic: str, rows: list[tuple[bytes, bytes]]) -> None:
        how: dict[str, Any] = kafka.producer(
            self.settings, self.where, transactional_id=f"test-{topic}"
        )
        producer: Any = Producer(how)
        producer.init_transactions(30)
        producer.begin_transaction()
        for key, value in rows:
            producer.produce(topic, key=key, value=value)
        producer.commit_transaction(30)


def feed_of(agreement: str, home: Path, settings: Settings, where: Endpoints, **more: Any) -> Feed:
    """A handshake in force by this id; `more` stands in its file instead of the sample's."""
    schemas = home / "schemas"
    shutil.copytree(shipped(), schemas, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    folder = schemas / "agreements"
    said = yaml.safe_load((folder / "water-hears-of-brown-water.yaml").read_text("utf-8"))
    said |= {"id": agreement, "delivery": {"ways": ["http", "batch"]}, "coarser": {},
             "envelope": ["type", "step", "occurred_at", "flags"], **more}  # fmt: skip
    (folder / f"{agreement}.yaml").write_text(yaml.safe_dump(said), "utf-8")
    model = Agreement.model_validate(said)
    one = Feed(settings.model_copy(update={"schemas": schemas}), where, model)
    admin = kafka.wait_for_broker(settings, where, 30)
    own = [
        one
        for one in kafka.own_topics(1)
        if one.name in ("agreements", "access", "webhooks", "dead-letters")
    ]
    kafka.ensure_topics(admin, [*own, kafka.Topic(model.topic, 1, kafka.TIMED)])
    return one
