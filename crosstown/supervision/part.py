"""One part of what runs, kept running: the rule by which a supervisor starts and gives up.

stopped ─> starting ─> running ─> restarting ─> running ...
               └─ five exits in a row before it was ready ─> failed
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Literal, Protocol

from crosstown.errors import CrosstownError
from crosstown.processes.last_words import fate

State = Literal["starting", "running", "restarting", "failed", "stopped"]
GIVE_UP: Final = 5
PAUSE: Final = 0.15
"""Seconds before the first start after an exit; each further one in a row waits as much longer,
so that even the fourth comes within a second."""


class Runner(Protocol):
    """A process as the supervisor sees it: `Broker` and `RunningProgram`."""

    @property
    def metrics(self) -> str:
        """Where it serves its metrics; empty: it doesn't, or not yet."""

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended; a negative one is a signal's."""

    def launch(self) -> None:
        """Start its process and don't wait until it's ready."""

    def alive(self) -> bool:
        """Whether its process runs."""

    def answers(self) -> bool:
        """Whether it's ready for work."""

    def ask(self) -> None:
        """Ask it to end in order."""

    def stop(self, timeout: float) -> None:
        """End it, by force after `timeout` seconds."""

    def last_words(self) -> str:
        """What its log says last, and the log's name."""


class Part:
    """A process that is started again when it dies; `tick` never waits long."""

    def __init__(self, name: str, runner: Runner, say: Callable[[str], None]) -> None:
        self.name = name
        self.runner = runner
        self.state: State = "stopped"
        self.restarts = 0
        self.why = ""
        """Why it last ended, for people."""
        self.ended_at = 0.0
        """When it last ended by itself, seconds UTC; 0: never."""
        self._say = say
        self._exits = 0
        self._launched = False
        self._due = 0.0

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self.runner.pid

    @property
    def metrics(self) -> str:
        """Where it serves its metrics; empty: it doesn't, or not yet."""
        return self.runner.metrics

    def tick(self, *, may_start: bool) -> None:
        """Look at the process once, and do what its state asks for."""
        if self.state in ("running", "starting", "restarting") and self._launched:
            self._watch(count=may_start)
        elif self.state != "failed" and may_start and time.monotonic() >= self._due:
            self._launch()

    def _launch(self) -> None:
        first = self.state == "stopped"
        self.state = "starting" if first else "restarting"
        self.restarts += not first
        self._launched = True
        try:
            self.runner.launch()
        except CrosstownError as error:
            said = f"{error} -> {error.mend}" if error.mend else str(error)
            self._ended(f"can't be started: {said}", count=True)
        except OSError as error:
            self._ended(f"can't be started: {error}", count=True)

    def _watch(self, *, count: bool) -> None:
        if not self.runner.alive():
            how, words = fate(self.runner.code), self.runner.last_words()
            self._ended(f"{how}: {words}", count=count and self.state != "running")
        elif self.state != "running" and self.runner.answers():
            if self.state == "restarting":
                self._say(f"{self.name} runs again")
            self.state = "running"
            self._exits = 0

    def _ended(self, why: str, *, count: bool) -> None:
        """Start it again soon, or give up; `count`: it wasn't ready, though what it needs was."""
        self.why = why
        self.ended_at = time.time()
        self._exits += count
        self._launched = False
        if self._exits >= GIVE_UP:
            self.state = "failed"
            self._say(f"{self.name} {why}; given up after {GIVE_UP} times in a row")
        else:
            self.state = "restarting"
            self._due = time.monotonic() + PAUSE * max(1, self._exits)
            self._say(f"{self.name} {why}; starting it again")

    def end_stuck(self, why: str) -> None:
        """End it by force, since it doesn't answer any more; the next ticks start it again."""
        self.runner.stop(timeout=0.5)
        self._ended(why, count=False)

    def recycle(self) -> None:
        """End it, so that the next tick starts it with what has changed."""
        if self._launched:
            self.runner.stop(timeout=3)

    def ask(self) -> None:
        """Ask it to end in order."""
        self.runner.ask()

    def stop(self, timeout: float) -> None:
        """End it for good, by force after `timeout` seconds."""
        self.runner.stop(timeout)
        if self.state != "failed":
            self.state = "stopped"


class Outside:
    """A part that somebody else runs, a cluster or registry of one's own: only looked at."""

    def __init__(self, name: str, reached: Callable[[], bool]) -> None:
        self.name = name
        self.pid: int | None = None
        self.restarts = 0
        self.metrics = ""
        self.ended_at = 0.0
        self.why = "doesn't answer"
        self.state: State = "starting"
        self._reached = reached
        self._enough = threading.Event()
        threading.Thread(target=self._look, name=f"{name} outside", daemon=True).start()

    def _look(self) -> None:
        while not self._enough.is_set():
            self.state = "running" if self._reached() else "failed"
            self._enough.wait(1)

    def tick(self, *, may_start: bool) -> None:
        """Nothing to do: it's looked at in the background."""

    def recycle(self) -> None:
        """It isn't ours to end."""

    def ask(self) -> None:
        """It isn't ours to end."""

    def stop(self, timeout: float) -> None:
        """Look no longer."""
        del timeout
        self._enough.set()
        self.state = "stopped"
