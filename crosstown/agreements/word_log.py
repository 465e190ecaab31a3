"""The topic `agreements`: what parties have said, read whole and added to; nothing in it is ever changed."""

from __future__ import annotations

import logging
from dataclasses import asdict
from io import BytesIO
from typing import Any, Final, cast

import fastavro

from crosstown.agreements.words import Word
from crosstown.backbone import kafka
from crosstown.backbone.one_message import not_taken
from crosstown.backbone.sweep import messages
from crosstown.errors import Refused, Unavailable
from crosstown.formats import AGREEMENT_WORD, plain
from crosstown.home import Endpoints
from crosstown.registry.own_values import body_of, own_values
from crosstown.settings import Settings

log = logging.getLogger(__name__)

TOPIC: Final = "agreements"
PATIENCE: Final = 15.0
"""Seconds in which Kafka must take a word."""
_SCHEMA: Final = fastavro.parse_schema(plain(AGREEMENT_WORD))
_WORDS: Final = ("requested", "accepted", "declined", "revoked")


def word_of(value: bytes | None) -> Word | None:
    """The word in a message's value; None where it is none (somebody else's bytes, a newer kind)."""
    try:
        fields = cast("Any", fastavro.schemaless_reader(BytesIO(body_of(value)), _SCHEMA, None))
    except Refused as error:
        log.warning("a foreign message among the agreements' words: %s", error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
        log.warning("a message among the agreements' words can't be opened: %s", error)
    else:
        if fields["word"] in _WORDS:
            return Word(**fields)
        log.warning("a word that is not known here: %s", fields["word"][:40])
    return None


def read(settings: Settings, endpoints: Endpoints) -> list[Word]:
    """All words, in the order in which they were written; none where nothing was ever said.

    Raises `Unavailable` where the topic can't be read to its end.
    """
    admin = kafka.wait_for_broker(settings, endpoints, 10)
    found = admin.list_topics(timeout=10).topics.get(TOPIC)
    read_ = (
        word_of(message.value())
        for partition in (found.partitions if found else ())
        for message in messages(settings, endpoints, TOPIC, partition)
    )
    return [word for word in read_ if word is not None]


def say(settings: Settings, endpoints: Endpoints, word: Word) -> None:
    """Add a word; returns once Kafka has it on all copies. Raises `Unavailable` where that isn't known."""
    values = own_values(TOPIC, settings, endpoints)
    why = not_taken(settings, endpoints, TOPIC, word.key, values.encode(asdict(word)), PATIENCE)
    if why is not None:
        said = f" ({why})" if why else ""
        raise Unavailable(f"Kafka hasn't taken the word{said}",
                          mend="crosstown agreements show says whether it is there; else say it again")  # fmt: skip
