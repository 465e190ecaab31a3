"""What a request for a feed's messages asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from crosstown.errors import Refused

LIMIT: Final = 1_000
"""How many messages come where nobody says."""
MOST: Final = 10_000
WAIT: Final = 60
"""Seconds for which one may let a request wait, at most."""
STREAM: Final = "text/event-stream"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_MEND: Final = "see /openapi.json: since, limit, wait"


@dataclass(frozen=True, slots=True)
class Asked:
    """Messages after number `since` (0: from the first that is kept), `limit` at most.

    `wait` is for how many seconds to wait for the first; `stream`: as server-sent events, without end.
    """

    since: int = 0
    limit: int = LIMIT
    wait: int = 0
    stream: bool = False


def asked(query: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> Asked:
    """What is asked for; `Refused` (bad-query) where that can't be read.

    A stream goes on after the number in `Last-Event-ID`, which says it better than `since`.
    """
    said: dict[str, str] = {}
    for name, value in query:
        if name not in ("since", "limit", "wait"):
            raise Refused(
                "bad-query", f"{name[:40]!r} isn't asked for here", field=name[:40], mend=_MEND
            )
        if name in said:
            raise Refused("bad-query", f"{name} stands twice", field=name, mend="say it once")
        said[name] = value
    stream = STREAM in headers.get("Accept", "").lower()
    if stream:
        for name in ("limit", "wait"):
            if name in said:
                raise Refused("bad-query", f"a stream has no {name}", field=name,
                              mend=f"leave {name} out, or ask for application/x-ndjson")  # fmt: skip
        if headers.get("Last-Event-ID"):
            said["since"] = headers["Last-Event-ID"]
    return Asked(
        _number(said, "since", 0, 10**18),
        _number(said, "limit", LIMIT, MOST, least=1),
        _number(said, "wait", 0, WAIT),
        stream,
    )


def _number(said: Mapping[str, str], name: str, usual: int, most: int, least: int = 0) -> int:
    if name not in said:
        return usual
    found = _NUMBER.fullmatch(said[name])
    if found is None or not least <= int(said[name]) <= most:
        raise Refused("bad-query", f"{name} is {said[name][:40]!r}", field=name,
                      mend=f"{name} is a whole number from {least} to {most}")  # fmt: skip
    return int(said[name])
