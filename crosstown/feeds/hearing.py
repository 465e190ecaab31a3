"""What parties say of agreements, heard as soon as it is said.

`news` gives what had been said when it was called, to the last word: who calls it before each
transaction lets nothing out that was accepted after a revocation.
"""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from crosstown.agreements.word_log import TOPIC, word_of
from crosstown.agreements.words import Word
from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

PATIENCE: Final = 10.0
"""Seconds in which what was said must be read."""


class Hearing:
    """One reader of the topic `agreements`, from its beginning on."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._at = TopicPartition(TOPIC, 0, 0)
        self._reached = 0
        self._heard: list[Word] = []
        self._consumer = Consumer(
            kafka.consumer(
                settings, endpoints, group_id="hearing", enable_partition_eof=True,
                fetch_wait_max_ms=50,
            )
        )  # fmt: skip
        self._consumer.assign([self._at])

    def news(self) -> list[Word]:
        """All that was said until now and not given before; raises `Unavailable`.

        `Unavailable` means that nobody knows what was said: nothing may flow until it's known.
        """
        until = time.monotonic() + PATIENCE
        try:
            _, end = self._consumer.get_watermark_offsets(self._at, timeout=PATIENCE)
            while self._reached < end:
                if time.monotonic() > until:
                    raise Unavailable("what was said of agreements can't be read now")
                self._poll()
        except KafkaException as error:
            raise Unavailable(
                f"what was said of agreements can't be read: {error.args[0].str()}"
            ) from None
        news, self._heard = self._heard, []
        return news

    def _poll(self) -> None:
        message = self._consumer.poll(0.5)
        if message is None:
            return
        error = message.error()
        if error is None:
            word = word_of(message.value())
            if word is not None:
                self._heard.append(word)
            self._reached = message.offset() + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
            self._reached = max(self._reached, message.offset())  # markers lie before it
        else:
            raise KafkaException(error)

    def close(self) -> None:
        """Give up the connection."""
        self._consumer.close()
