"""The next generation beside the live one: `accepted` folded anew, and copied where shards change.

    accepted ──> CaseShard with the next windows ──> timelines.N             (the part `cases`)
    accepted ──> by murmur2(jurisdiction) mod the next number ──> accepted.N (the part `copy`)

`crosstown rebuild` starts both and ends them. Source: docs/decisions/0013.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import replace

from confluent_kafka import Message

from crosstown.backbone import generation, kafka
from crosstown.backbone.generation import Generation
from crosstown.erasure.erasures import RESERVED
from crosstown.errors import Stop
from crosstown.event.envelope import read_prefix
from crosstown.event.identity import shard
from crosstown.processing.transact import Output, run_stateless
from crosstown.program import Program, main
from streams.cases import fold

log = logging.getLogger(__name__)

PART = "CROSSTOWN_REBUILD"
_FRAME = 5


class Copying:
    """Says each message of one `accepted` again in another, with its own number of partitions."""

    def __init__(self, topic: str, shards: int) -> None:
        self._topic = topic
        self._shards = shards

    def work(self, batch: list[Message]) -> Iterator[Output]:
        """Each message's copies; of bytes that intake didn't write a dead letter is there already."""
        for message in batch:
            key, value = message.key(), message.value()
            try:
                where = self._where(value)
            except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
                log.warning("%s/%d/%d isn't intake's and stays behind: %s", message.topic(),
                            message.partition(), message.offset(), error)  # fmt: skip
                continue
            for partition in where:
                yield Output(self._topic, key, value, partition, message.headers())

    def _where(self, value: bytes | None) -> range | tuple[int]:
        """Erasures hold in every shard; a tombstone doesn't say whose it was, and harms nowhere."""
        if value is None:
            return range(self._shards)
        fields, _ = read_prefix(value, _FRAME)
        if fields["type"].startswith(RESERVED):
            return range(self._shards)
        return (shard(fields["jurisdiction"], self._shards),)


def run(program: Program) -> None:
    """One part of a rebuild, until the command that started it ends it."""
    said = generation.said(program.settings, program.endpoints)
    live = said.get(generation.LIVE, Generation())
    following = said.get(generation.NEXT)
    if os.environ.get(PART) == "copy":
        source, target = (live.old, live) if following is None else (live, following)
        if source is None:
            raise Stop("there is nothing to copy", mend="crosstown rebuild starts this")
        admin = kafka.wait_for_broker(program.settings, program.endpoints, timeout=30)
        shards = len(admin.list_topics(timeout=10).topics[target.accepted].partitions)
        pattern = f"^{source.accepted}$".replace(".", r"\.")
        run_stateless(replace(program, group=target.copy), pattern,
                      Copying(target.accepted, shards).work, slot=0)  # fmt: skip
    elif following is None:
        raise Stop("there is nothing to rebuild", mend="crosstown rebuild starts this")
    else:
        fold(replace(program, group=following.cases), following, letters=False)


if __name__ == "__main__":
    sys.exit(main(f"rebuild-{os.environ.get(PART, 'cases')}", run))
