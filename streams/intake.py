"""Intake: every message on `events.*` becomes one in `accepted` or a dead letter, exactly once."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator

from confluent_kafka import Message

from crosstown import generation, metrics
from crosstown.codec import frame
from crosstown.dead_letter import dead_letter
from crosstown.erasures import Key
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.intake import EVERY_PARTITION, Accepted, Intake
from crosstown.kafka import stamp_of, wait_for_broker
from crosstown.own_values import own_values
from crosstown.program import Program, main
from crosstown.registry import Registry
from crosstown.repository import Repository, shipped
from crosstown.transact import Lost, Output, run_stateless

log = logging.getLogger(__name__)


class Shell:
    """Reads the contracts, asks the registry, and turns each message into one output."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._registry = Registry.at(program.settings, program.endpoints)
        self._frame = frame(
            own_values("accepted", program.settings, program.endpoints).schema_id, b""
        )
        self._dead = own_values("dead-letters", program.settings, program.endpoints)
        admin = wait_for_broker(program.settings, program.endpoints, timeout=30)
        self._accepted = generation.live(program.settings, program.endpoints).accepted
        self._shards = len(admin.list_topics(timeout=10).topics[self._accepted].partitions)
        self._looked_at = 0.0
        self._read: frozenset[tuple[str, int, int]] = frozenset()
        self._intake = self._read_contracts()

    def work(self, batch: list[Message]) -> Iterator[Output]:
        """One output a message, in order."""
        counts: Counter[tuple[str, str]] = Counter()
        for message in batch:
            try:
                agency, contract, partition, key, body = self._accept(message)
            except Refused as refused:
                metrics.dead_letters.labels("intake", refused.reason).inc()
                yield dead_letter(message, refused, self._dead)
            else:
                counts[agency, contract] += 1
                everywhere = range(self._shards) if partition == EVERY_PARTITION else (partition,)
                for one in everywhere:
                    yield Output(self._accepted, key, self._frame + body, one)
        for labels, count in counts.items():
            metrics.accepted.labels(*labels).inc(count)

    def _accept(self, message: Message) -> Accepted:
        """Before a message becomes a dead letter, contracts that have changed since are read again."""
        try:
            return self._tried(message)
        except Refused:
            if not self._changed():
                raise
            self._intake = self._read_contracts()
            return self._tried(message)

    def _changed(self) -> bool:
        """Whether the files of the contracts aren't those that were read; looked at once a second."""
        now = time.monotonic()
        if now < self._looked_at + 1:
            return False
        self._looked_at = now
        return self._files() != self._read

    def _files(self) -> frozenset[tuple[str, int, int]]:
        """What tells contracts from changed ones: each file's path, time and size."""
        folder = self._program.settings.schemas or shipped()
        found = set()
        for file in folder.rglob("*.*"):
            with contextlib.suppress(FileNotFoundError):  # it was just replaced
                one = file.stat()
                found.add((str(file), one.st_mtime_ns, one.st_size))
        return frozenset(found)

    def _tried(self, message: Message) -> Accepted:
        while True:
            try:
                return self._intake.accept(
                    message.topic(), message.value(), message.headers() or (), stamp_of(message)
                )
            except Unavailable as error:
                log.warning("waiting: %s", error)
                if self._program.stopping.wait(1):
                    raise Lost from None

    def _read_contracts(self) -> Intake:
        """The contracts as they are in the files now; broken ones don't replace good ones."""
        first = not self._read
        self._read = self._files()
        try:
            contracts = Repository.of(self._program.settings)
        except Stop as error:
            if first:
                raise
            log.error("going on with the contracts as they were: %s", error)  # noqa: TRY400
            return self._intake
        key = Key(self._program.home.erasure_key(self._program.settings))
        return Intake(contracts, self._registry.schema, self._shards, key.fingerprint)


def run(program: Program) -> None:
    """events.* -> Intake -> accepted | dead-letters."""
    run_stateless(program, "^events\\..*", Shell(program).work, slot=program.settings.slot)


if __name__ == "__main__":
    sys.exit(main("intake", run))
