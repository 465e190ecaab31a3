"""Cases: `accepted` is folded into cases, and every change is told in `timelines`, exactly once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from confluent_kafka import Message

from crosstown import metrics
from crosstown.cases import City
from crosstown.codec import frame
from crosstown.dead_letter import dead_letter
from crosstown.envelope import read_long, read_prefix
from crosstown.errors import Refused
from crosstown.own_values import own_values
from crosstown.program import Program, main
from crosstown.repository import Repository
from crosstown.timeline import message_bytes
from crosstown.transact import Output, run_sharded

FRAME = 5
_hex = bytes.fromhex


class CaseShard:
    """The cities of one partition of `accepted`."""

    def __init__(self, partition: int, contracts: Repository, registry: str) -> None:
        self._partition = partition
        self._window = contracts.window
        self._frame = frame(own_values("timelines", registry).schema_id, b"")
        self._dead = own_values("dead-letters", registry)
        self._cities: dict[str, City] = {}

    def fold(self, message: Message) -> Iterable[Output]:
        """Take one version of one event in; bytes that intake didn't write are a dead letter."""
        try:
            self._say(message.key(), message.value())
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
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
                body = message_bytes(
                    change.jurisdiction, change.record, change.case_id, version, change.case
                )
                said, here = said + 1, here + (change.case is not None)
                yield Output("timelines", change.key.encode(), self._frame + body, self._partition)
        metrics.timelines.labels("timeline").inc(here)
        metrics.timelines.labels("pointer").inc(said - here)
        self._gauge()

    def _say(self, key: bytes, value: bytes) -> None:
        fields, end = read_prefix(value, FRAME)
        known_at, at = read_long(value, end)
        city = self._cities.get(fields["jurisdiction"])
        if city is None:
            city = City(fields["jurisdiction"], self._window)
            self._cities[fields["jurisdiction"]] = city
        content = _hex(key.split(b":")[2].decode())
        city.say(content, fields, value[FRAME : at + 1], end - FRAME, known_at, value[at] >> 1)

    def _gauge(self) -> None:
        records = sum(len(city.records) for city in self._cities.values())
        metrics.records.labels(self._partition).set(records)


def run(program: Program) -> None:
    """Read `accepted`, fold it in a CaseShard a partition, tell `timelines`."""
    contracts = Repository.load(program.settings.schemas)
    registry = program.endpoints.registry
    run_sharded(
        program, "accepted", lambda partition: CaseShard(partition, contracts, registry),
        slot=program.settings.slot,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main("cases", run))
