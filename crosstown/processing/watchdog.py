"""Ends a process whose group stands still while messages arrive: the supervisor starts it again.

After a handler's error and a cut network a Faust partition can freeze with the process alive; and
an intake that was started twice within a second was once seen to read nothing for two minutes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from crosstown.backbone import kafka
from crosstown.program import Program

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 2.0
EXIT_CODE: Final = 75


@dataclass(slots=True)
class Still:
    """One partition: what is committed, and since when messages behind it wait."""

    committed: int
    clear: int = 0
    """Up to here only transaction markers lie: who has read it all commits less than the end."""
    since: float | None = None
    """When a message was first seen to wait; None: none does."""
    end: int = 0
    """The partition's end at that time."""

    def stalled(
        self, committed: int, end: int, now: float, stall: float,
        waits: Callable[[], bool | None], *, lone: bool = False,
    ) -> bool:  # fmt: skip
        """Take in what is seen now; whether commits stand still for `stall` s while messages wait.

        `waits`: whether a message lies there, not only markers; None where that can't be said yet.
        `lone`: whether what lies there already is enough, and no more need have come since.
        """
        if committed != self.committed or committed >= end:
            self.committed, self.since = committed, None
        elif self.since is None and end > self.clear:
            there = waits()
            if there:
                self.since, self.end = now, end
            elif there is not None:
                self.clear = end
        since = self.since
        return since is not None and now - since >= stall and (lone or end > self.end)


class Watchdog:
    """Looks at the committed offsets of the partitions held, from outside of Faust and its loop."""

    def __init__(
        self, program: Program, held: Callable[[Consumer], Collection[tuple[str, int]]],
        stall: float, *, lone: bool = False,
    ) -> None:  # fmt: skip
        """`held` gets a client of its own: one in use blocks who calls it from another thread."""
        self._lone = lone
        self._program = program
        self._held = held
        self._stall = stall
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to watch, on a thread of its own."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()

    def _watch(self) -> None:
        program = self._program
        settings = kafka.consumer(
            program.settings,
            program.endpoints,
            group_id=program.reads_as,
            enable_partition_eof=True,
        )
        client = Consumer({**settings, "log_level": 0})
        seen: dict[tuple[str, int], Still] = {}
        while not self._stop.wait(LOOK_EVERY):
            try:
                stalled = self._look(client, seen)
            except (KafkaException, RuntimeError):  # no broker, no judgement
                seen.clear()
                continue
            if stalled:
                log.error(
                    "ending, to be started again: commits stand still while messages arrive: %s",
                    ", ".join(stalled),
                )
                logging.shutdown()
                os._exit(EXIT_CODE)
        client.close()

    def _look(self, client: Consumer, seen: dict[tuple[str, int], Still]) -> list[str]:
        held = [TopicPartition(topic, partition) for topic, partition in self._held(client)]
        if not held:
            seen.clear()
        stalled = []
        now = time.monotonic()
        for at in client.committed(held, timeout=5) if held else ():
            _, end = client.get_watermark_offsets(TopicPartition(at.topic, at.partition), timeout=5)
            committed = max(at.offset, 0)
            still = seen.setdefault((at.topic, at.partition), Still(committed))
            waits = partial(data_waits, client, at.topic, at.partition, committed)
            if still.stalled(committed, end, now, self._stall, waits, lone=self._lone):
                stalled.append(f"{at.topic}[{at.partition}] at {committed} of {end}")
        return stalled


def data_waits(client: Consumer, topic: str, partition: int, committed: int) -> bool | None:
    """Whether a committed message lies at or after the committed offset; None: no answer in time.

    `client` tells a partition's end (`enable.partition.eof`), else markers alone say nothing.
    """
    client.assign([TopicPartition(topic, partition, committed)])
    try:
        message = client.poll(5)
        if message is None:
            return None
        error = message.error()
        if error is None:
            return True
        return False if error.code() == KafkaError._PARTITION_EOF else None  # noqa: SLF001 - its only name
    finally:
        client.unassign()
