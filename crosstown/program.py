"""The frame of every supervised program: settings, logging, metrics, readiness, an orderly end.

A program is a function that works until `stopping` is set: `sys.exit(main("intake", body))`. Its
log is standard error, one line an event (log_lines.py); `/metrics` and the probes (`crosstown.health`)
are served where the settings say. A signal (SIGTERM, Ctrl-C) stops it, and so does the death of the
supervisor, seen as the end of its input. One whose loop is stuck is ended, to be started again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from crosstown.errors import CrosstownError, Stop, Unavailable
from crosstown.health import address
from crosstown.health.health import Health
from crosstown.health.room import no_room
from crosstown.health.stuck import end_if_stuck
from crosstown.home import Endpoints, Home, endpoints
from crosstown.log_lines import log_as
from crosstown.settings import Settings

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds that an orphaned program has for its orderly end."""
TURN: Final = 1.0
"""Seconds between two turns of a loop that rests."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


STARTED_AS: Final = "CROSSTOWN_STARTED_AS"
"""The variable by which a program tells its supervisor that it's the one that was started.

Its pid can't: in a virtual environment on Windows a launcher starts the interpreter.
"""


@dataclass(frozen=True, slots=True)
class Program:
    """What a program's body gets."""

    name: str
    settings: Settings
    home: Home
    endpoints: Endpoints
    metrics_url: str
    stopping: threading.Event = field(default_factory=threading.Event)
    group: str = ""
    """Its consumer group and the beginning of its transactional ids; empty: its name."""
    health: Health = field(default_factory=Health)
    """What its loops say of themselves, for probes and for the watchdog."""

    @property
    def reads_as(self) -> str:
        """The group that its offsets stand under."""
        return self.group or self.name

    def ready(self, **more: Any) -> None:
        """Say in `run/<name>.json` that the work has begun, and whatever else others must know."""
        about = {"pid": os.getpid(), "token": os.environ.get(STARTED_AS, ""),
                 "metrics": self.metrics_url, **more}  # fmt: skip
        write_json(self.home, self.name, about)
        self.health.begin()

    def rest(self, seconds: float) -> bool:
        """Do nothing for so long, alive; returns at once with True where the program is to stop."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.health.turn()
            if self.stopping.wait(min(TURN, left)):
                return True
        self.health.turn()
        return self.stopping.is_set()


def write_json(home: Home, name: str, value: dict[str, Any] | list[Any]) -> None:
    """Put `value` at `run/<name>.json` in one piece: a reader sees the old or the new."""
    part = home.run / f"{name}.json.{os.getpid()}.part"
    part.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    part.replace(home.run / f"{name}.json")


def main(name: str, body: Callable[[Program], None]) -> int:
    """Run `body` as the program `name`; returns its exit code: 0, a `CrosstownError`'s, or 1."""
    log_as(os.environ.get("CROSSTOWN_LOG", ""), name)  # before the settings: they may be wrong
    try:
        settings = _settings()
        home = Home(settings.home).make()
        health = Health()
        with serving_metrics(settings, health) as url:
            program = Program(name, settings, home, endpoints(settings), url, health=health)
            _stop_on_signals(program.stopping)
            if os.environ.get("CROSSTOWN_SUPERVISED") == "1":
                threading.Thread(target=_stop_with, args=[program.stopping], daemon=True).start()
            log.info("%s starts; metrics at %s", name, url)
            _watch_over(program)
            body(program)
    except CrosstownError as error:
        log.error("%s", f"{error} -> {error.mend}" if error.mend else str(error))  # noqa: TRY400
        return error.exit_code
    except OSError as error:
        if error.errno not in FULL:
            log.exception("%s ends: a fault of ours", name)
            return 1
        log.error("%s ends: %s -> make room", name, error)  # noqa: TRY400
        return Unavailable.exit_code
    except Exception:
        log.exception("%s ends: a fault of ours", name)
        return 1
    log.info("%s has ended", name)
    return 0


def _settings() -> Settings:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    try:
        return Settings()
    except (ValidationError, SettingsError) as error:
        raise Stop(f"a setting can't be read: {error}", mend="look at CROSSTOWN_*") from None


@contextlib.contextmanager
def serving_metrics(settings: Settings, health: Health) -> Iterator[str]:
    """Serve `/metrics` and the probes meanwhile, where the settings say; gives the former's URL."""
    from crosstown.health.server import serving

    with serving(address.address(settings.metrics), health) as url:
        yield url


def _watch_over(program: Program) -> None:
    """Look after what every program needs; waits while its disk is full, since nothing would work."""
    from crosstown.health.broker_look import BrokerLook

    health, home = program.health, program.home.path
    health.must("disk", lambda: no_room(home))
    health.must("broker", BrokerLook(program.settings, program.endpoints).why)
    said = ""
    while (why := no_room(home)) and not program.stopping.wait(TURN):
        if not said:
            log.warning("waiting: %s", why)
        said = why
    end_if_stuck(health)


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(number: int, _frame: Any) -> None:
        log.info("%s: stopping", signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _stop_with(stopping: threading.Event) -> None:
    """Wait for the supervisor's end; a body that doesn't stop by then is ended hard."""
    while os.read(0, 4096):  # the raw file: a buffered one can't be closed under a daemon thread
        pass
    if not stopping.is_set():
        log.warning("the supervisor is gone: stopping")
        stopping.set()
    threading.Event().wait(PATIENCE)
    os._exit(1)
