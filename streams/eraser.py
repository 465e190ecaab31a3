"""The eraser: what must be forgotten leaves the topics, as far as Kafka lets it and when.

    accepted ──> a tombstone for each saying of an erased record, in one transaction with the offset
    dead-letters, events.* ──> looked through by a second thread: tombstones; what intake has read is cut

Bounded by the topics' `max.compaction.lag.ms`. Every place: docs/erasure.md.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from confluent_kafka import Message

from crosstown.backbone import generation
from crosstown.contracts.repository import Repository
from crosstown.erasure.concerned import scan
from crosstown.erasure.elsewhere import Elsewhere
from crosstown.erasure.erasures import RESERVED, Erasures, Key
from crosstown.event.envelope import content_of, read_long, read_prefix
from crosstown.processing.transact import Output, Shard, run_sharded
from crosstown.program import Program, main

FRAME = 5
LOOKS = 3_600.0
"""Seconds that one look through all other topics may take."""


class Sweep(Shard):
    """The sayings of one partition of `accepted` that are to go."""

    def __init__(self, program: Program, accepted: str, partition: int, erasures: Erasures) -> None:
        self._program = program
        self._accepted = accepted
        self._partition = partition
        self._erasures = erasures
        self._doomed: dict[bytes, None] = {}
        self._look_back = False

    def fold(self, message: Message) -> Iterable[Output]:
        """Hear of erasures; note a saying of an erased record."""
        value, key = message.value(), message.key()
        if value is None or key is None:
            return ()
        erasing = b"/erasure/" in value[:512]
        if not erasing and not self._erasures.any:
            return ()
        try:
            fields, end = read_prefix(value, FRAME)
            if fields["type"].startswith(RESERVED):
                heard = self._erasures.say(fields, content_of(key), read_long(value, end)[0])
                self._look_back = self._look_back or heard.erases
            elif self._erasures.concerns(fields):
                self._doomed[key] = None
        except Exception:  # noqa: BLE001 - the case program writes the dead letter
            return ()
        return ()

    def settle(self) -> None:
        """What was folded so far was swept before."""
        self._doomed.clear()
        self._look_back = False

    def outputs(self, version: int) -> Iterator[Output]:
        """Tombstones; after a new erasure for all that lies before it too."""
        if self._look_back:  # before the first is written: the transaction's time begins there
            self._doomed |= dict.fromkeys(
                scan(self._program, self._accepted, self._partition, version, self._erasures)
            )
        if self._doomed:
            self._erasures.latest = time.time_ns() // 1000
        for key in self._doomed:
            yield Output(self._accepted, key, None, self._partition)
        self._doomed.clear()
        self._look_back = False


def run(program: Program) -> None:
    """Accepted -> tombstones; beside it what lies elsewhere."""
    key = Key(program.home.erasure_key(program.settings))
    live = generation.live(program.settings, program.endpoints)
    erasures: dict[int, Erasures] = {}

    def make(partition: int) -> Sweep:
        erasures[partition] = Erasures(key)
        return Sweep(program, live.accepted, partition, erasures[partition])

    contracts = Repository.of(program.settings)
    elsewhere = Elsewhere(program, contracts, live, lambda: next(iter(erasures.values()), None))
    program.health.patience(LOOKS, "elsewhere")
    thread = threading.Thread(target=elsewhere.run, daemon=True)
    thread.start()
    run_sharded(
        replace(program, group=live.eraser), live.accepted, make, slot=program.settings.slot
    )


if __name__ == "__main__":
    sys.exit(main("eraser", run))
