"""What runs under a home: as its supervisor writes it, and as everybody else reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

from crosstown import metrics
from crosstown.errors import Unavailable
from crosstown.home import Endpoints, Home, endpoints, shown
from crosstown.processes import living
from crosstown.settings import Settings
from crosstown.supervision.part import Outside, Part, State

_INSTANCE: Final = {"broker": "supervisor", "kafka": "broker"}
"""By which names Prometheus knows what `describe` calls otherwise."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of an installation; `why` says why it last ended."""

    name: str
    pid: int | None = None
    state: State = "stopped"
    restarts: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """What runs; `supervised`: somebody keeps it running."""

    bootstrap: str
    registry: str
    metrics: Mapping[str, str]
    processes: Sequence[Process]
    supervised: bool
    partitions: int | None = None
    ended: Mapping[str, float] = field(default_factory=dict)
    """By name when it last ended by itself, seconds UTC."""

    @property
    def ready(self) -> bool:
        """Whether all of it runs."""
        return self.supervised and all(one.state == "running" for one in self.processes)

    def missing(self, *names: str) -> list[Process]:
        """Those of `names` that don't run and aren't coming back."""
        return [
            one
            for one in self.processes
            if one.name in names and (one.state in ("failed", "stopped") or not self.supervised)
        ]


def describe(
    parts: Sequence[Part | Outside], endpoints: Endpoints, partitions: int | None, url: str
) -> dict[str, Any]:
    """The content of `run/up.json`.

    Under `broker` are the supervisor's own metrics, at `url`; Kafka's process tells its under `kafka`.
    """
    told = {"kafka" if p.name == "broker" else p.name: p.metrics for p in parts if p.metrics}
    return {
        "bootstrap": endpoints.bootstrap,
        "registry": shown(endpoints.registry),
        "partitions": partitions,
        "metrics": {"broker": url, **told},
        "processes": [
            {"name": part.name, "pid": part.pid, "state": part.state,
             "restarts": part.restarts, "why": part.why}
            for part in parts
        ],
        "ended": {part.name: part.ended_at for part in parts if part.ended_at},
    }  # fmt: skip


def scraped(urls: Mapping[str, str]) -> list[dict[str, Any]]:
    """Whom Prometheus asks: each program under its name, whatever port it has now.

    What `describe` names `broker` is the supervisor itself. Source of the form: Prometheus'
    documentation, file_sd_config.
    """
    return [
        {"targets": [urlsplit(url).netloc],
         "labels": {"job": "crosstown", "instance": _INSTANCE.get(name, name)}}
        for name, url in urls.items()
    ]  # fmt: skip


def measure(parts: Sequence[Part | Outside]) -> None:
    """Tell the same in the supervisor's metrics."""
    for part in parts:
        metrics.process_up.labels(part.name).set(part.state == "running")
        metrics.process_restarts.labels(part.name).set(part.restarts)


def supervisor(home: Home) -> psutil.Process | None:
    """The process that keeps this home running, if there is one."""
    return living.found((home.up() or {}).get("supervisor"))


def backbone(settings: Settings) -> Endpoints:
    """The endpoints of what runs; `Unavailable` with the way to start it where nothing does."""
    where = endpoints(settings)
    if not settings.bootstrap and supervisor(Home(settings.home)) is None:
        raise Unavailable(
            f"nothing runs under {settings.home}", mend="start it: crosstown up --detach"
        )
    return where


def gateway_url(home: Home, now: Running) -> str:
    """Where agencies push events, as the gateway said when it began; empty where it doesn't run."""
    if not any(one.name == "gateway" and one.state == "running" for one in now.processes):
        return ""
    try:
        return str(json.loads((home.run / "gateway.json").read_text("utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return ""


def running(settings: Settings, names: Sequence[str]) -> Running:
    """What runs now; without a supervisor all of `names` are stopped, or what it left running."""
    home = Home(settings.home)
    up = home.up() or {}
    if living.found(up.get("supervisor")):
        return Running(
            bootstrap=up["bootstrap"],
            registry=up["registry"],
            metrics=up["metrics"],
            processes=[Process(**one) for one in up["processes"]],
            supervised=True,
            partitions=up["partitions"],
            ended=up.get("ended", {}),
        )
    left = {process.pid for process in living.marked(home.path)} if up else set()
    pids = {one["name"]: one["pid"] for one in up.get("processes", ())}
    processes = [
        Process(name, pids[name], "running") if pids.get(name) in left else Process(name)
        for name in names
    ]
    return Running(
        bootstrap=settings.bootstrap or cast("str", up.get("bootstrap", "")),
        registry=shown(settings.registry) or cast("str", up.get("registry", "")),
        metrics={},
        processes=[_looked_at(settings, one) for one in processes],
        supervised=False,
    )


def _looked_at(settings: Settings, one: Process) -> Process:
    """What isn't ours to start either answers now or doesn't."""
    from crosstown.backbone.reach import kafka_answers, registry_answers

    match one.name:
        case "broker" if settings.bootstrap:
            answers = kafka_answers(settings)
        case "registry" if settings.registry:
            answers = registry_answers(settings)
        case _:
            return one
    return Process(one.name, state="running" if answers else "failed")
