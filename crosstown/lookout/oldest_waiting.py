"""How old the oldest message is that a program has still to deal with."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from crosstown.backbone.kafka import stamp_of

PATIENCE: Final = 5.0
"""Seconds that one program's waiting messages may take to read; what isn't read by then keeps silent."""
Place = tuple[str, int]


class OldestWaiting:
    """Reads the first message behind what is committed, once for each committed offset.

    What lies there may be the mark of a transaction only: then nothing waits. The time is the message's
    Kafka time stamp, which its producer says: who stamps it long ago makes it look old.
    """

    def __init__(self, reader: Consumer) -> None:
        """`reader` is assigned by hand and tells where a partition ends."""
        self._reader = reader
        self._known: dict[tuple[str, Place], tuple[int, int, int]] = {}

    def look(
        self, committed: Mapping[str, Mapping[Place, int]], ends: Mapping[Place, int], now: int
    ) -> dict[tuple[str, ...], float]:
        """Seconds by program, topic and partition; 0 where nothing waits, none where it isn't known.

        `ends` up to where can be read; `now` in microseconds UTC.
        """
        ages: dict[tuple[str, ...], float] = {}
        for program, at in committed.items():
            stamps = self._stamps(program, at, ends)
            for place in at:
                if (stamp := stamps.get(place, 0)) is not None:
                    age = max(now - stamp, 0) / 1e6 if stamp else 0.0
                    ages[program, place[0], str(place[1])] = age
        kept = {(program, place) for program, at in committed.items() for place in at}
        self._known = {one: value for one, value in self._known.items() if one in kept}
        return ages

    def _stamps(
        self, program: str, at: Mapping[Place, int], ends: Mapping[Place, int]
    ) -> dict[Place, int | None]:
        """Of what is behind, the first message's time stamp; 0: no message, None: not known."""
        found: dict[Place, int | None] = {}
        asked = []
        for place, offset in at.items():
            end = ends[place]
            if offset >= end:
                continue
            offset_then, end_then, stamp = self._known.get((program, place), (-1, -1, 0))
            if offset_then == offset and (stamp or end_then == end):
                found[place] = stamp
            else:
                found[place] = None
                asked.append(place)
        for place, stamp in self._read((place, at[place]) for place in asked):
            found[place] = stamp
            self._known[program, place] = (at[place], ends[place], stamp)
        return found

    def _read(self, places: Iterable[tuple[Place, int]]) -> Iterable[tuple[Place, int]]:
        """Each place's first message's time stamp, 0 where only marks lie there."""
        wanted = dict(places)
        if not wanted:
            return
        self._reader.assign([TopicPartition(*place, offset) for place, offset in wanted.items()])
        deadline = time.monotonic() + PATIENCE
        try:
            while wanted and (left := deadline - time.monotonic()) > 0:
                for message in self._reader.consume(1, min(left, 1.0)):
                    place = (message.topic(), message.partition())
                    if wanted.pop(place, None) is None:
                        continue
                    self._reader.incremental_unassign([TopicPartition(*place)])
                    yield place, stamp_of(message) if message.error() is None else 0
        finally:
            self._reader.unassign()
