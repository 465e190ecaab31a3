"""Whether strangers listen where this home's processes want to."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from crosstown.doctor.finding import OPERATIONS, Finding, Severity
from crosstown.home import Home
from crosstown.processes import living
from crosstown.processes.ports import free
from crosstown.settings import Settings


@dataclass(frozen=True, slots=True)
class Taken:
    """A port somebody else listens on; `fixed`: a setting names it, so no other can be taken."""

    port: int
    wants: str
    fixed: bool
    pid: int | None
    who: str


def look(settings: Settings) -> list[Taken]:
    """The ports of this home's broker, registry and gateway that strangers have, where that can be told."""
    wanted = _wanted(settings)
    listeners = _listeners()
    if listeners is None:
        return []
    ours = {process.pid for process in living.marked(settings.home)}
    up = living.found((Home(settings.home).up() or {}).get("supervisor"))
    if up is not None:
        ours.add(up.pid)
    taken = []
    for port, (wants, fixed) in wanted.items():
        pid = listeners.get(port)
        if not free(port) and pid not in ours:
            taken.append(Taken(port, wants, fixed, pid, _name(pid)))
    return taken


def _wanted(settings: Settings) -> dict[int, tuple[str, bool]]:
    home = Home(settings.home)
    wanted: dict[int, tuple[str, bool]] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads((home.broker / "broker.json").read_text("utf-8"))
        if settings.embedded:
            wanted[int(known["port"])] = ("Kafka", False)
            wanted[int(known["controller"])] = ("Kafka's controller", False)
    with contextlib.suppress(OSError, ValueError):
        if not settings.registry:
            wanted[int(home.registry_port.read_text("ascii"))] = ("the registry", False)
    port = settings.gateway.rpartition(":")[2]
    if port.isdigit() and 0 < int(port) < 65_536:
        wanted[int(port)] = ("the gateway", True)
    return {port: what for port, what in wanted.items() if 0 < port < 65_536}


def _listeners() -> Mapping[int, int | None] | None:
    """Who listens on which port; None where that isn't said."""
    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.Error:  # another system asks for an administrator
        return None
    return {one.laddr.port: one.pid for one in found if one.status == psutil.CONN_LISTEN}


def _name(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()}, pid {pid}"
    except psutil.Error:
        return f"pid {pid}"


def judge(taken: Sequence[Taken]) -> Iterator[Finding]:
    """Each port that is taken, and by whom."""
    for one in taken:
        where = f"127.0.0.1:{one.port}"
        after = (
            "it can't start there" if one.fixed
            else "the next start takes another port: clients with the old address must be told"
        )  # fmt: skip
        look_up = f"ps -fp {one.pid}" if one.pid else f"ss -ltnp 'sport = :{one.port}'"
        yield Finding(
            "ports", Severity.CRITICAL if one.fixed else Severity.WARNING,
            f"port {one.port} of {one.wants} is taken by {one.who}", OPERATIONS,
            f"somebody else listens at {where}; {after}",
            (look_up, "end that process, or name another port in CROSSTOWN_GATEWAY" if one.fixed
             else "end that process before the next: crosstown up"),
        )  # fmt: skip
