"""Cases: `accepted` is folded into cases, and every change is told in `timelines`, exactly once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from confluent_kafka import Message

from crosstown import generation, metrics
from crosstown.cases import City
from crosstown.codec import frame
from crosstown.dead_letter import dead_letter
from crosstown.envelope import read_long, read_prefix
from crosstown.erasures import RESERVED, Erasures, Key
from crosstown.errors import Refused
from crosstown.generation import Generation
from crosstown.own_values import own_values
from crosstown.program import Program, main
from crosstown.repository import Repository
from crosstown.timeline import message_bytes
from crosstown.transact import Output, run_sharded

log = logging.getLogger(__name__)

FRAME = 5
_hex = bytes.fromhex


class CaseShard:
    """The cities of one partition of `accepted`."""

    def __init__(
        self, partition: int, live: Generation, registry: str, erasures: Erasures, *,
        letters: bool = True,
    ) -> None:  # fmt: skip
        self._letters = letters
        self._topic = live.timelines
        self._partition = partition
        self._erasures = erasures
        self._window = live.window
        self._frame = frame(own_values("timelines", registry).schema_id, b"")
        self._dead = own_values("dead-letters", registry)
        self._cities: dict[str, City] = {}

    def fold(self, message: Message) -> Iterable[Output]:
        """Take one version of one event in; bytes that intake didn't write are a dead letter."""
        try:
            key, value = message.key(), message.value()
            if value is None:
                self._forget(key)
            else:
                self._say(key, value)
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
            if not self._letters:
                return ()
            refused = Refused("not-from-intake", f"{type(error).__name__}: {error}")
            metrics.dead_letters.labels("cases", refused.reason).inc()
            return (dead_letter(message, refused, self._dead),)
        return ()

    def settle(self) -> None:
        """The state is restored: nothing of it is to be told again."""
        for city in self._cities.values():
            city.settle()
        self._gauge()

    def outputs(self, version: int) -> Iterator[Output]:
        """A message for each record whose case changed."""
        said = here = 0
        for city in self._cities.values():
            for change in city.changes():
                key = change.key.encode()
                if change.erased:
                    yield Output(self._topic, key, None, self._partition)
                    continue
                body = message_bytes(
                    change.jurisdiction, change.record, change.case_id, version, change.case
                )
                said, here = said + 1, here + (change.case is not None)
                yield Output(self._topic, key, self._frame + body, self._partition)
        metrics.timelines.labels("timeline").inc(here)
        metrics.timelines.labels("pointer").inc(said - here)
        self._gauge()

    def _say(self, key: bytes, value: bytes) -> None:
        fields, end = read_prefix(value, FRAME)
        known_at, at = read_long(value, end)
        content = _hex(key.split(b":")[2].decode())
        if fields["type"].startswith(RESERVED):
            self._hear_of_erasure(fields, content, known_at)
            return
        city = self._cities.get(fields["jurisdiction"])
        if city is None:
            city = City(fields["jurisdiction"], self._window, self._erasures.erased)
            self._cities[fields["jurisdiction"]] = city
        city.say(content, fields, value[FRAME : at + 1], end - FRAME, known_at, value[at] >> 1)

    def _hear_of_erasure(self, fields: dict[str, Any], content: bytes, known_at: int) -> None:
        """An erasure or a hold: whose record it names, counts no more, or counts again."""
        erasures = self._erasures
        heard = erasures.say(fields, content, known_at)

        def to_erase(record: str) -> bool:
            return erasures.matching(heard.hashed, record) and erasures.erased(record)

        def to_restore(record: str) -> bool:
            return erasures.matching(heard.hashed, record) and not erasures.erased(record)

        for city in self._cities.values():
            if heard.erases:
                city.erase(to_erase)
            if heard.restores:
                city.restore(to_restore)

    def _forget(self, key: bytes) -> None:
        """A tombstone: an erased record's bytes are gone from the log."""
        event = _hex(key.split(b":")[0].decode().replace("-", ""))
        for city in self._cities.values():
            city.forget(event)

    def _gauge(self) -> None:
        records = sum(len(city.records) for city in self._cities.values())
        metrics.records.labels(self._partition).set(records)


def run(program: Program) -> None:
    """Read `accepted`, fold it in a CaseShard a partition, tell `timelines`."""
    contracts = Repository.of(program.settings)
    live = generation.live(program.settings, program.endpoints).with_windows(contracts)
    for words in generation.differing(live, contracts):
        log.warning("%s: it takes effect with crosstown rebuild --swap", words)
    fold(replace(program, group=live.cases), live)


def fold(program: Program, live: Generation, *, letters: bool = True) -> None:
    """A CaseShard a partition of a generation's `accepted`, until the program is to stop.

    `letters`: whether bytes that intake didn't write become dead letters; a rebuild reads them again.
    """
    registry = program.endpoints.registry
    key = Key(program.home.erasure_key(program.settings))
    run_sharded(
        program, live.accepted,
        lambda partition: CaseShard(partition, live, registry, Erasures(key), letters=letters),
        slot=program.settings.slot,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main("cases", run))
