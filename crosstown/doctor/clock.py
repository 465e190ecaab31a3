"""Whether this machine's clock is right, as far as others and its own files can tell."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from crosstown.doctor.finding import OPERATIONS, Finding, Severity, length
from crosstown.errors import CrosstownError
from crosstown.home import Home, endpoints, shown
from crosstown.settings import Settings
from crosstown.tls import trusting

OFF: Final = 5.0
"""Seconds that the registry's clock may differ from ours."""
TOO_FAR: Final = 3_600.0
"""Intake refuses what is said to be known an hour after its message; Kafka refuses such stamps."""
AHEAD: Final = 60.0
"""Seconds that a file may seem to be from the future."""
BUILT: Final = 1_767_225_600.0
"""2026-01-01: no right clock says less."""


@dataclass(frozen=True, slots=True)
class Clock:
    """This clock; the registry's less ours, None where it isn't told; files from the future."""

    now: float
    registry: float | None
    at: str
    future: Sequence[tuple[str, float]]


def look(settings: Settings) -> Clock:
    """Ask the registry for its date, and the home's files for theirs."""
    home = Home(settings.home)
    try:
        url = endpoints(settings).registry
        off = _off(url, settings.ca)
    except CrosstownError:
        url, off = "", None
    now = time.time()
    files = [*home.run.glob("*"), *home.logs.glob("*.log"), *home.broker.glob("*")]
    stamps = []
    for file in files:
        try:
            stamps.append((str(file), file.stat().st_mtime - now))
        except OSError:  # it was just deleted
            continue
    future = sorted((one for one in stamps if one[1] > AHEAD), key=lambda one: -one[1])
    return Clock(now, off, shown(url), future)


def _off(url: str, ca: Path | None) -> float | None:
    """The registry's clock less ours in seconds, to a second; None where it doesn't say."""
    try:
        before = time.time()
        answer = httpx.get(f"{url.rstrip('/')}/subjects", timeout=3, verify=trusting(ca))
        middle = (before + time.time()) / 2
        return email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp() + 0.5 - middle
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError, TypeError):
        return None


def judge(clock: Clock) -> Iterator[Finding]:
    """What says that the time here is another than elsewhere, or than it was."""
    mend = ("timedatectl", "timedatectl set-ntp true", "crosstown dead-letters")
    if clock.now < BUILT:
        yield Finding("clock", Severity.CRITICAL, "the clock of this machine is years behind",
                      OPERATIONS, "it has no battery, or never asked for the time: events get wrong times,"
                      " and no certificate holds", mend)  # fmt: skip
    if clock.registry is not None and abs(clock.registry) > OFF:
        off = clock.registry
        far = abs(off) > TOO_FAR
        less = "behind" if off > 0 else "ahead of"
        yield Finding(
            "clock", Severity.CRITICAL if far else Severity.WARNING,
            f"this machine's clock is {length(abs(off))} {less} the registry's", OPERATIONS,
            f"one of the two is wrong (registry: {clock.at}); "
            + ("over an hour apart, what is published becomes a dead letter" if far
               else "times of what is said here are off by that; over an hour it becomes dead letters"),
            mend,
        )  # fmt: skip
    if clock.future:
        file, ahead = clock.future[0]
        yield Finding(
            "clock", Severity.WARNING,
            f"{file} is from {length(ahead)} in the future", OPERATIONS,
            f"the clock was set back ({len(clock.future)} such files): what was said meanwhile looks"
            " newer than what is said now, and wins",
            mend,
        )  # fmt: skip
