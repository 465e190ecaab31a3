"""Crosstown's own topics in words; names, keys and policies are those of docs/decisions/0002."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from crosstown.backbone import kafka
from crosstown.formats import TOPICS

RECORD_KEY: Final = (
    "the record, where Crosstown publishes; any, where a program of the agency's does"
)


@dataclass(frozen=True, slots=True)
class OwnTopic:
    """One topic that Crosstown itself writes."""

    name: str
    title: str
    key: str
    schema: dict[str, Any]
    kept: str


_TITLES: Final = {
    "accepted": "Every version of every event that passed intake",
    "timelines": "What is known of each record's case",
    "dead-letters": "Messages that couldn't be accepted, whole, and why",
    "alerts.deadline": "Deadlines that have passed",
    "alerts.pickup": "Hand-offs that nobody picked up",
    "agreements": "What parties say of agreements: asked, accepted, declined, revoked",
    "delivered": "What each feed last said of each thing",
    "reciprocity": "What each agency gives and gets, and whether its requests were answered",
    "webhooks": "How far each webhook has come",
    "pauses": "Whose messages intake leaves waiting, who said so, and why",
    "access": "The access log: who was given what under which agreement",
}
_KEYS: Final = {
    "accepted": "event_id:known_at:content:via",
    "timelines": "UUIDv5 of [jurisdiction, record]",
    "dead-letters": "topic/partition/offset of the message that died",
    "alerts.deadline": "UUIDv5 of [jurisdiction, record]",
    "alerts.pickup": "UUIDv5 of [jurisdiction, record]",
    "agreements": "agreement:said_at:word:party",
    "delivered": "agreement/thing",
    "reciprocity": "agency",
    "webhooks": "agreement",
    "pauses": "agency",
    "access": "the chain: a program and its slot",
}


def own_topics() -> list[OwnTopic]:
    """All of them."""
    return [
        OwnTopic(topic.name, _TITLES[topic.name], _KEYS[topic.name], TOPICS[topic.name],
                 _kept(topic.config))
        for topic in kafka.own_topics(1)
    ]  # fmt: skip


def _kept(config: Any) -> str:
    if "delete" not in config["cleanup.policy"]:
        return "the newest message of each key, without limit"
    if config["retention.ms"] == "-1":
        return "every message, without limit"
    days = int(config["retention.ms"]) // 86_400_000
    newest = "the newest message of each key, " if "compact" in config["cleanup.policy"] else ""
    return f"{newest}for {days} days"


def binding(config: Any) -> dict[str, Any]:
    """A topic's policy as AsyncAPI's Kafka binding has it."""
    numbers = ("retention.ms", "max.message.bytes")
    return {
        "cleanup.policy": config["cleanup.policy"].split(","),
        **{name: int(config[name]) for name in numbers if name in config},
    }


def config_of(name: str) -> Any:
    """The policy of one of Crosstown's own topics."""
    return next(topic.config for topic in kafka.own_topics(1) if topic.name == name)
