"""An installation that runs in the background: started, waited for, and ended without a trace."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from crosstown.embedded.jars import classpath
from crosstown.errors import TimedOut, Unavailable
from crosstown.home import Home
from crosstown.processes import living
from crosstown.processes.lock import Lock
from crosstown.settings import Settings
from crosstown.supervision.running import Running, running, supervisor
from crosstown.supervision.running_program import environment
from crosstown.supervision.supervise import NAMES

PATIENCE: Final = 12.0
"""Seconds that a supervisor has for ending everything in order."""


class NotUp(Unavailable):
    """The supervisor ended before all ran; `exit_code` is its own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


def start(
    settings: Settings,
    *,
    timeout: float = 180,
    seen: Callable[[Running], None] = lambda _now: None,
    command: Sequence[str] | None = None,
) -> Running:
    """Start everything under the home in the background, and return when all of it runs.

    Where it runs already: wait for that, and Ctrl-C ends the waiting only. `seen` is told what runs, several times a second;
    `command` starts another supervisor than `crosstown up`. Raises `Unavailable` naming what
    failed (the others go on), `TimedOut`, or `NotUp` where it ended.
    """
    home = Home(settings.home).make()
    if settings.embedded:
        classpath(settings)  # here is somebody to see the progress
    ran_before = supervisor(home) is not None
    log = home.logs / "up.log"
    began = log.stat().st_size if log.exists() else 0
    given = ["--partitions", str(settings.partitions)]
    if command is None:
        command = [
            *(sys.executable, "-P", "-m", "crosstown.cli", "up", "--home", str(settings.home)),
            *(given if "partitions" in settings.model_fields_set else ()),
        ]
    with log.open("ab") as file:
        child = living.spawn(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment({})
        )
    threading.Thread(target=child.wait, daemon=True).start()  # it may outlive us, or be reaped
    try:
        return _wait(settings, child, log, began, time.monotonic() + timeout, seen)
    except KeyboardInterrupt:
        if not ran_before:
            end(settings)
        raise


def _wait(
    settings: Settings,
    child: subprocess.Popen[bytes],
    log: Path,
    began: int,
    deadline: float,
    seen: Callable[[Running], None],
) -> Running:
    while True:
        code = child.poll()
        now = running(settings, NAMES)
        seen(now)
        if now.ready:
            return now
        if code or (code == 0 and not now.supervised):
            raise NotUp(_said(log, began) or f"it ended at once; its log: {log}", code or 1)
        failed = [one for one in now.processes if one.state == "failed"]
        if now.supervised and failed and all(one.state in DONE for one in now.processes):
            raise Unavailable(
                "; ".join(f"{one.name} {one.why}" for one in failed),
                mend="the others go on; when it's mended: crosstown down, crosstown up",
            )
        if time.monotonic() > deadline:
            waiting = ", ".join(one.name for one in now.processes if one.state != "running")
            raise TimedOut(f"not ready yet: {waiting}", mend="see: crosstown status")
        time.sleep(0.1)


DONE: Final = ("running", "failed")


def _said(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return file.read().decode("utf-8", "replace").strip().removeprefix("crosstown: ")


def end(settings: Settings) -> bool:
    """End all that runs under the home and wait until it's gone; whether anything ran.

    Also after the supervisor's SIGKILL: whatever carries the home's mark is ended, Kafka last.
    """
    home = Home(settings.home)
    if not home.run.exists():
        return False
    lock = Lock(home.run / "up.lock")
    deadline = time.monotonic() + PATIENCE + 3
    ran = False
    while not lock.acquire():
        ran = True
        if (keeper := supervisor(home)) is not None:
            living.end([keeper], PATIENCE)
        if time.monotonic() > deadline:
            raise Unavailable(
                f"what runs under {home.path} doesn't end", mend="again: crosstown down"
            )
        time.sleep(0.05)
    try:
        ran = bool(living.end_orphans(home.path)) or ran
        for file in (*home.run.glob("*.json"), *home.run.glob("*.part")):
            file.unlink(missing_ok=True)
    finally:
        lock.release()
    return ran
