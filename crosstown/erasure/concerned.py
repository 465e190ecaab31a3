"""What lies in `accepted` of a record that is to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from crosstown.backbone.sweep import messages
from crosstown.erasure.erasures import Erasures
from crosstown.event.envelope import read_prefix
from crosstown.program import Program

_FRAME = 5


def scan(
    program: Program, topic: str, partition: int, end: int, erasures: Erasures
) -> Iterator[bytes]:
    """The keys in `accepted` before `end` that are of erased records, or say something of one."""
    for message in messages(program.settings, program.endpoints, topic, partition, end=end):
        value, key = message.value(), message.key()
        if value is None or key is None:
            continue
        try:
            fields, _ = read_prefix(value, _FRAME)
        except Exception:  # noqa: BLE001, S112 - not written by intake: the case program says so
            continue
        if erasures.concerns(fields):
            yield key
