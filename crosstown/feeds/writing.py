"""The one way to write feeds: messages and what is noted of them in `delivered`, in one transaction.

There is one writer of feeds. Its transactional id fences an earlier one off; who was fenced off ends.
Whether a commit of unknown outcome went in is read in `delivered`, never guessed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

from crosstown import metrics
from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.processing.transact import CALL, Output, aborted, committed, fenced, send
from crosstown.program import Program

log = logging.getLogger(__name__)

ATTEMPTS: Final = 3
"""How often a batch is written before everything is begun anew."""


class FencedOff(Exception):
    """Another writer of feeds has taken over."""


class Writing:
    """The producer of all feeds."""

    def __init__(self, program: Program) -> None:
        self._name = program.name
        self._config = kafka.producer(
            program.settings, program.endpoints, transactional_id=f"{program.name}-0",
            transaction_timeout_ms=10_000, message_max_bytes=2_000_000, linger_ms=5,
        )  # fmt: skip
        self._producer: Producer | None = None

    def open(self) -> None:
        """Settle what an earlier writer left open, and fence it off; raises `Unavailable`.

        Must come before `delivered` is read.
        """
        if self._producer is not None:
            return
        producer = Producer(self._config)
        try:
            producer.init_transactions(CALL)
        except KafkaException as error:
            raise Unavailable(f"no transaction coordinator: {error.args[0].str()}") from None
        self._producer = producer

    def write(self, outputs: Sequence[Output], went_in: Callable[[], bool]) -> None:
        """Write outputs as one; `went_in` looks whether they are in after all.

        Raises `Unavailable` where they aren't in after some attempts, or it can't be known now: then
        the state must be made anew. Raises `FencedOff`.
        """
        began = time.monotonic()
        for _ in range(ATTEMPTS):
            self.open()
            try:
                self._attempt(outputs)
            except KafkaException as error:
                if not self._aborted(error.args[0]):
                    self.open()
                    if went_in():
                        return
            else:
                committed(self._name, began)
                return
        raise Unavailable(f"a batch for feeds wasn't written after {ATTEMPTS} attempts")

    def _attempt(self, outputs: Sequence[Output]) -> None:
        producer = self._producer
        assert producer is not None  # noqa: S101
        producer.begin_transaction()
        send(producer, outputs)
        producer.commit_transaction(CALL)

    def _aborted(self, error: KafkaError) -> bool:
        """Whether it is known that nothing went in; without that the producer goes."""
        if error.fatal() or fenced(error):
            log.warning("transaction not committed: %s", error.str())
            metrics.transactions.labels(self._name, "fenced").inc()
            raise FencedOff
        producer, self._producer = self._producer, None
        if producer is not None and aborted(producer, error, self._name):
            self._producer = producer
        return self._producer is not None
