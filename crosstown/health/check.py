"""One thing that must be so for a process to do its work, and how a probe tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is stable, for programs; `why` is for people: what is wrong, or what there is to know."""

    name: str
    ok: bool
    why: str = ""


def failing(checks: Iterable[Check]) -> list[Check]:
    """Those that aren't so."""
    return [one for one in checks if not one.ok]


def answer(checks: Iterable[Check]) -> tuple[int, bytes]:
    """A probe's answer: 200 or 503, and `{"status", "checks": [{"name", "ok", "why"}]}` as JSON."""
    told = list(checks)
    status = "failing" if failing(told) else "ok"
    body = {"status": status, "checks": [asdict(one) for one in told]}
    return (503 if failing(told) else 200), (json.dumps(body) + "\n").encode()
