"""What the broker has refused: read from its own log, alike refusals counted together.

Kafka's authorizer says who was denied what; a wrong password it tells with the address alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_DENIED: Final = re.compile(
    r"(?P<at>\S+) Principal = User:(?P<user>.*?) is Denied operation = (?P<operation>\w+) "
    r"from host = (?P<host>\S+) on resource = (?P<kind>\w+):\w+:(?P<name>.*?) for request = "
    r"(?P<request>\w+) "
)
_LOGIN: Final = re.compile(
    r"(?P<at>\S+) .*Failed authentication with \S*?/(?P<host>[0-9a-fA-F.:]+) .*\((?P<why>[^()]*)\)\s*$"
)
_SPEECH: Final = re.compile(
    r"(?P<at>\S+) .*Unexpected error from \S*?/(?P<host>[0-9a-fA-F.:]+) .*; closing connection"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused, from when to when (ISO 8601, UTC), how often; empty: Kafka doesn't say."""

    user: str
    host: str
    what: str
    first: str
    last: str
    count: int = 1


def refusals(files: Iterable[Path]) -> list[Refusal]:
    """All refusals in the log's files, oldest file first; the latest comes first."""
    found: dict[tuple[str, str, str], Refusal] = {}
    for one in _all(files):
        key = one.user, one.host, one.what
        known = found.get(key)
        found[key] = replace(known, last=one.last, count=known.count + 1) if known else one
    return sorted(found.values(), key=lambda one: one.last, reverse=True)


def _all(files: Iterable[Path]) -> Iterator[Refusal]:
    for file in files:
        if not file.exists():
            continue
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from filter(None, map(refusal, lines))


def refusal(line: str) -> Refusal | None:
    """What a line of the log says; None where it is no refusal."""
    if said := _DENIED.match(line):
        what = f"{said['operation']} {said['kind'].lower()} {said['name']} ({said['request']})"
        return Refusal(said["user"], said["host"], what, said["at"], said["at"])
    if said := _LOGIN.match(line):
        return Refusal("", said["host"], f"to log in: {said['why']}", said["at"], said["at"])
    if said := _SPEECH.match(line):
        return Refusal("", said["host"], "to speak without logging in", said["at"], said["at"])
    return None
