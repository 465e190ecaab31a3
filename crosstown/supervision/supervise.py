"""Keeps a home's processes running: Kafka, the registry, the programs; ends them in order.

`run/up.json` says what runs, from the first moment on, rewritten whenever something changes. One
supervisor a home (a lock); what a killed one left behind is ended before anything starts.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from crosstown.backbone.client_file import write_client
from crosstown.backbone.reach import kafka_answers, registry_answers
from crosstown.contracts.repository import Repository
from crosstown.embedded.broker import Broker
from crosstown.errors import CrosstownError, Stop, Unavailable
from crosstown.health.health import Health
from crosstown.health.pulse import Pulse
from crosstown.health.room import no_room
from crosstown.home import Endpoints, Home
from crosstown.lookout.lookout import Lookout
from crosstown.processes import living
from crosstown.processes.lock import Lock
from crosstown.processes.ports import remembered
from crosstown.program import serving_metrics, write_json
from crosstown.settings import Settings
from crosstown.supervision.part import Outside, Part
from crosstown.supervision.prepare import prepare
from crosstown.supervision.running import describe, measure, scraped, supervisor
from crosstown.supervision.running_program import RunningProgram

REGISTRY: Final = "crosstown.registry.server"
PROGRAMS: Final[dict[str, str]] = {
    "intake": "streams.intake",
    "cases": "streams.cases",
    "casebook": "streams.casebook",
    "watch": "streams.watch",
    "feeds": "streams.feeds",
    "reciprocity": "streams.reciprocity",
    "eraser": "streams.eraser",
    "gateway": "streams.gateway",
    "webhooks": "streams.webhooks",
}
"""Every program and its module, in the order of the data; each in the frame of `program.main`."""

NAMES: Final = ("broker", "registry", *PROGRAMS)
SCRAPED: Final = "prometheus"
"""The file under `run` that tells Prometheus whom to ask, in the form of its file_sd_configs."""
OUTSIDE_PATIENCE: Final = 15.0
"""Seconds in which a cluster or registry of one's own must have answered once."""


FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class RunsAlready(Stop):
    """Another supervisor has this home."""

    exit_code = 0


class Supervisor:
    """All that runs under one home, from `run` until `stopping` is set.

    `say` is told each turn of events in a line; `ready` is called once all of it runs. `prepare`
    makes what the programs need, once Kafka and the registry run, and returns how many shards.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        *,
        ready: Callable[[], None] = lambda: None,
        registry: str = REGISTRY,
        programs: Mapping[str, str] = PROGRAMS,
        prepare: Callable[[Settings, Endpoints], int] = prepare,
    ) -> None:
        self.settings = settings
        self.home = Home(settings.home).make()
        self.stopping = threading.Event()
        self.say = say = _on_any_disk(say)
        self._ready = ready
        self._pulse = Pulse()
        self._full = ""
        self._health = Health()
        self._health.must("processes", self._not_running)
        self._health.must("disk", lambda: no_room(self.home.path))
        self._prepare = prepare
        self._prepared: int | CrosstownError | None = None
        self._known: list[str] = []
        self._written: dict[str, Any] = {}
        self._me = living.myself()
        self._port = 0
        self._kafka = Broker(settings)
        self._broker: Part | Outside = (
            Part("broker", self._kafka, say)
            if settings.embedded
            else Outside("broker", lambda: kafka_answers(settings))
        )
        self._registry: Part | Outside = (
            Outside("registry", lambda: registry_answers(settings))
            if settings.registry
            else Part("registry", self._program("registry", registry), say)
        )
        self._programs = [
            Part(name, self._program(name, module), say) for name, module in programs.items()
        ]

    @property
    def parts(self) -> list[Part | Outside]:
        """Everything, in the order of starting."""
        return [self._broker, self._registry, *self._programs]

    @property
    def endpoints(self) -> Endpoints:
        """Where Kafka and the registry answer, or will."""
        return Endpoints(
            self.settings.bootstrap or self._kafka.bootstrap,
            self.settings.registry or f"http://127.0.0.1:{self._port}",
        )

    def run(self) -> None:
        """Start everything and keep it running; returns once all has ended in order.

        Raises `RunsAlready`; `Stop` or `Unavailable` where it can't start at all.
        """
        self._known = sorted(Repository.of(self.settings).contracts)
        if full := no_room(self.home.path):
            raise Unavailable(full, mend="make room there, or name another home: --home")
        lock = Lock(self.home.run / "up.lock")
        while not lock.acquire():  # another supervisor has it, or `down` for the moment
            if supervisor(self.home):
                raise RunsAlready(f"it runs already under {self.home.path}")
            if self.stopping.wait(0.1):
                return
        try:
            if living.end_orphans(self.home.path):
                self.say("ended what an earlier run had left behind")
            self._port = self._registry_port()
            with serving_metrics(self.settings, self._health) as url:
                self._keep_running(url)
        finally:
            self._end()
            lock.release()

    def _keep_running(self, metrics_url: str) -> None:
        began = time.monotonic()
        self._write(metrics_url)
        threading.Thread(target=self._prepare_once, name="prepare", daemon=True).start()
        lookout = Lookout(self.settings, lambda: self.endpoints if self._base_runs else None)
        threading.Thread(
            target=lookout.run, args=[self.stopping], name="lookout", daemon=True
        ).start()
        threading.Thread(
            target=self._pulse.run, args=[self.stopping, self._asked], name="pulse", daemon=True
        ).start()
        ready = False
        while not self.stopping.wait(0.05):
            self._health.turn()
            before = self.endpoints
            room = self._room()
            self._broker.tick(may_start=room)
            self._registry.tick(may_start=room and self._broker.state == "running")
            may_start = room and self._base_runs and isinstance(self._prepared, int)
            for part in self._programs:
                part.tick(may_start=may_start)
            self._end_silent()
            self._say_why_not()
            self._write(metrics_url)
            if self.endpoints != before:
                self._moved(before)
            self._check_start(time.monotonic() - began)
            if not ready and all(part.state == "running" for part in self.parts):
                ready = True
                self._health.begin()
                self._ready()

    def _room(self) -> bool:
        """Whether the disk has room; while it hasn't nothing is started, so nothing is given up."""
        why = no_room(self.home.path)
        if bool(why) != bool(self._full):
            self.say(f"{why}: nothing is started until there is room" if why else "there is room again")  # fmt: skip
        self._full = why
        return not why

    def _say_why_not(self) -> None:
        """Who would be started again, but for the disk, says so."""
        for part in self.parts if self._full else ():
            if part.state == "restarting":
                part.why = f"{self._full}; it starts again when there is room"

    def _asked(self) -> dict[int, str]:
        """Whom to ask whether it lives: processes of ours that serve probes."""
        parts = [self._registry, *self._programs]
        return {part.pid: part.metrics for part in parts if part.pid and part.metrics}

    def _end_silent(self) -> None:
        """End what was asked in vain for too long; it's started again."""
        for part in (self._registry, *self._programs):
            if isinstance(part, Part) and self._pulse.silent(part.pid):
                part.end_stuck("didn't answer any more and was ended")

    def _not_running(self) -> str:
        """Which parts don't run now."""
        return ", ".join(
            f"{one.name} is {one.state}" for one in self.parts if one.state != "running"
        )

    @property
    def _base_runs(self) -> bool:
        return self._broker.state == self._registry.state == "running"

    def _prepare_once(self) -> None:
        """In the background: Kafka and the registry may take their time, Ctrl-C may not."""
        while not self._base_runs:
            if self.stopping.wait(0.05):
                return
        try:
            self._prepared = self._prepare(self.settings, self.endpoints)
        except CrosstownError as error:
            self._prepared = error
        except Exception as error:  # noqa: BLE001 - it must not vanish with its thread
            self._prepared = CrosstownError(f"a fault of ours: {type(error).__name__}: {error}")

    def _check_start(self, seconds: float) -> None:
        """Raise where there is no use in going on: nothing has ever run, and won't."""
        if isinstance(self._prepared, CrosstownError):
            raise self._prepared
        for part in (self._broker, self._registry):
            patient = isinstance(part, Outside) and seconds < OUTSIDE_PATIENCE
            if self._prepared is None and part.state == "failed" and not patient:
                raise Unavailable(f"the {part.name} {part.why}")

    def _moved(self, before: Endpoints) -> None:
        """A stranger took a port: the new one is written, and the others must learn it."""
        self.say(f"a port was taken; now at {self.endpoints.bootstrap}, {self.endpoints.registry}")
        if before.bootstrap != self.endpoints.bootstrap:
            self._registry.recycle()
        for part in self._programs:
            part.recycle()

    def _end(self) -> None:
        """Programs first, then the registry, Kafka last; by force after nine seconds in all."""
        for group, patience in (
            (self._programs, 4.5),
            ([self._registry], 1.5),
            ([self._broker], 3),
        ):
            deadline = time.monotonic() + patience
            for part in group:
                part.ask()
            for part in group:
                part.stop(max(0.0, deadline - time.monotonic()))
        (self.home.run / "up.json").unlink(missing_ok=True)
        (self.home.run / f"{SCRAPED}.json").unlink(missing_ok=True)
        self.home.client.unlink(missing_ok=True)

    def _write(self, metrics_url: str) -> None:
        """Write `run/up.json` where something has changed."""
        shards = self._prepared if isinstance(self._prepared, int) else None
        now = describe(self.parts, self.endpoints, shards, metrics_url)
        if now != self._written:
            measure(self.parts)
            try:
                self._write_down(now)
            except OSError:  # a full disk; it is written once there is room
                if self._written:
                    return
                raise
            self._written = now

    def _write_down(self, now: dict[str, Any]) -> None:
        write_json(self.home, "up", {**now, "supervisor": self._me, "contracts": self._known})
        write_json(self.home, SCRAPED, scraped(now["metrics"]))
        if now["bootstrap"] != self._written.get("bootstrap"):
            write_client(self.home, self.settings, self.endpoints)

    def _program(self, name: str, module: str) -> RunningProgram:
        def env() -> dict[str, str]:
            if name == "registry":
                self._port = self._registry_port()
            shards = self._prepared if isinstance(self._prepared, int) else self.settings.partitions
            return {
                "CROSSTOWN_HOME": str(self.settings.home),
                "CROSSTOWN_METRICS": "",  # that port is ours; each program has a free one
                "CROSSTOWN_PARTITIONS": str(shards),
                "CROSSTOWN_REGISTRY_PORT": str(self._port),
                "CROSSTOWN_SUPERVISED": "1",
            }

        return RunningProgram(name, module, self.home, env)

    def _registry_port(self) -> int:
        """The embedded registry's port: the remembered one, unless a stranger has it."""
        file = self.home.registry_port
        port = remembered(file)
        file.write_text(str(port), "utf-8")
        return port


def _on_any_disk(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same, where the log may lie on a disk that is full: nobody ends because it can't be said."""

    def said(what: str) -> None:
        try:
            say(what)
        except OSError as error:
            if error.errno not in FULL:
                raise

    return said
