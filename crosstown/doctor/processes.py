"""Whether one supervisor keeps one of each program running, and each of them answers."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx
import psutil  # type: ignore[import-untyped]

from crosstown.doctor.finding import OPERATIONS, Finding, Severity
from crosstown.health.asking import SILENT, unready
from crosstown.home import Home
from crosstown.processes import living
from crosstown.processes.lock import Lock
from crosstown.settings import Settings

CHECK: Final = "processes"
AGAIN: Final = 3
"""Started again more often than this, a program is about to fail for good, or nobody looked."""
BESIDE: Final = frozenset(("watch", "reciprocity", "webhooks"))
"""What takes and tells goes on without these."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What runs of one home. `elsewhere`: settings name both a cluster and a registry.

    `parts` is what `run/up.json` says of each process, `left` the home's processes that run though
    nobody keeps them, by pid; `halted` are supervisors that got SIGSTOP; `twice` those programs of which two run; `deaf` those that don't
    answer at their own address; `unready` why others say that they aren't ready; `holders` who has the supervisor's lock without being it.
    """

    home: Path
    elsewhere: bool
    data: bool
    recorded: bool
    supervisor: int | None
    halted: Sequence[int] = ()
    supervisors: Sequence[int] = ()
    holders: Sequence[int] = ()
    parts: Sequence[Mapping[str, Any]] = ()
    left: Mapping[int, str] | None = None
    twice: Sequence[str] = ()
    deaf: Sequence[str] = ()
    unready: Mapping[str, Sequence[str]] = field(default_factory=dict)


def look(settings: Settings) -> Seen:
    """Ask the system and the record of the supervisor; works where nothing runs."""
    home = Home(settings.home)
    up = home.up() or {}
    keeper = living.found(up.get("supervisor"))
    ours = {process.pid: _module(command) for process, command in living.marked(home.path).items()}
    counted = Counter(name for name in ours.values() if name)
    supervisors = _supervisors(home.path)
    return Seen(
        home.path, bool(settings.bootstrap and settings.registry), home.broker.exists(), bool(up),
        keeper.pid if keeper else None,
        [pid for pid in sorted({*supervisors, *([keeper.pid] if keeper else ())}) if _halted(pid)],
        supervisors, _holders(home, keeper),
        up.get("processes", ()) if keeper else (), None if keeper else ours,
        sorted(name for name, count in counted.items() if count > 1),
        _deaf(up) if keeper else (), _unready(up) if keeper else {},
    )  # fmt: skip


def _halted(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:  # it has just gone
        return False


def _module(command: Sequence[str]) -> str:
    """The Python module or Java class that a process of ours runs."""
    if "kafka.Kafka" in command:
        return "kafka.Kafka"
    return next((after for word, after in pairwise(command) if word == "-m"), "")


def _supervisors(home: Path) -> list[int]:
    """All `crosstown up` of this home, whoever started them; not what only waits for one of them."""
    found: dict[int, int] = {}
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            is_up = "up" in command[1:] and any(
                word == "crosstown.cli" or Path(word).name == "crosstown" for word in command
            )
            waits = not {"--detach", "-d"}.isdisjoint(command)
            if is_up and not waits and _home_of(process, command) == os.path.realpath(home):
                found[process.pid] = process.ppid()
        except (psutil.Error, OSError):  # it has just gone, or is another user's
            continue
    return sorted(found.keys() - found.values())  # a parent is a wrapper: uv run, sudo


def _home_of(process: psutil.Process, command: Sequence[str]) -> str:
    said = next((after for word, after in pairwise(command) if word == "--home"), "")
    said = said or next((word[7:] for word in command if word.startswith("--home=")), "")
    said = said or process.environ().get("CROSSTOWN_HOME", "") or "~/.crosstown"
    return os.path.realpath(Path(process.cwd()) / Path(said).expanduser())


def _holders(home: Home, keeper: psutil.Process | None) -> list[int]:
    """Who has the lock without being the supervisor; only where it can't be had."""
    file = home.run / "up.lock"
    if keeper is not None or not file.exists() or sys.platform == "win32":
        return []
    lock = Lock(file)
    if lock.acquire():
        lock.release()
        return []
    return [process.pid for process in living.holding(file)] or [0]


def _deaf(up: Mapping[str, Any]) -> list[str]:
    """The programs that run and whose figures nobody gives within 3 seconds."""
    running = {one["name"] for one in up["processes"] if one["state"] == "running"}
    asked = {name: url for name, url in up["metrics"].items() if name in running}
    with ThreadPoolExecutor(8) as pool:
        heard = dict(zip(asked, pool.map(_answers, asked.values()), strict=True))
    return sorted(name for name, answered in heard.items() if not answered)


def _unready(up: Mapping[str, Any]) -> dict[str, list[str]]:
    """The programs that run and say themselves why they aren't ready, with their reasons."""
    names = [one["name"] for one in up["processes"]
             if one["state"] == "running" and one["name"] != "broker"]  # fmt: skip
    found = unready(up["metrics"], names)
    return {name: whys for name, whys in found.items() if whys != [SILENT]}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=3).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def judge(seen: Seen) -> Iterator[Finding]:
    """Nobody keeps them running, two do, one is stuck, or a program doesn't stay."""
    if len(seen.supervisors) > 1:
        yield _two(seen)
    if seen.twice:
        yield Finding(
            CHECK, Severity.CRITICAL, f"two of the same run: {', '.join(seen.twice)}", OPERATIONS,
            "an earlier supervisor left one behind, or somebody started one by hand: they throw each"
            " other out of their transactions",
            ("crosstown down", "crosstown up --detach"),
        )  # fmt: skip
    if seen.holders:
        yield _held(seen)
    elif seen.supervisor is None:
        yield from _unkept(seen)
    for pid in seen.halted:
        yield Finding(
            CHECK, Severity.CRITICAL, f"the supervisor (pid {pid}) is halted", OPERATIONS,
            "it got SIGSTOP (Ctrl-Z in its terminal): what dies now isn't started again",
            (f"kill -CONT {pid}",),
        )  # fmt: skip
    for one in seen.parts:
        yield from _part(seen.home, one, deaf=one["name"] in seen.deaf)
        if whys := seen.unready.get(one["name"]):
            yield Finding(
                CHECK, Severity.WARNING, f"{one['name']} isn't ready", OPERATIONS, "; ".join(whys),
                (f"tail -n 50 {seen.home}/logs/{one['name']}.log", "crosstown status"),
            )  # fmt: skip


def _two(seen: Seen) -> Finding:
    pids = ", ".join(map(str, seen.supervisors))
    return Finding(
        CHECK, Severity.CRITICAL, f"{len(seen.supervisors)} supervisors of one home (pids {pids})",
        OPERATIONS,
        f"{seen.home}/run/up.lock was deleted while one ran, or the home lies on a file system that"
        " keeps no locks: each ends what the other starts",
        (f"kill {' '.join(map(str, seen.supervisors))}", "crosstown down", "crosstown up --detach"),
    )  # fmt: skip


def _held(seen: Seen) -> Finding:
    known = [pid for pid in seen.holders if pid]
    who = f"pid {', '.join(map(str, known))}" if known else "a process of another user"
    return Finding(
        CHECK, Severity.CRITICAL, f"{who} has the lock {seen.home}/run/up.lock and isn't a supervisor",
        OPERATIONS,
        "a start or an end that hangs, or a foreign process: nothing can start here meanwhile",
        (f"ps -fp {','.join(map(str, known))}" if known else f"fuser -v {seen.home}/run/up.lock",
         f"kill {' '.join(map(str, known))}" if known else "end that process",
         "crosstown up --detach"),
    )  # fmt: skip


def _unkept(seen: Seen) -> Iterator[Finding]:
    """Nobody keeps this home running: why, as far as it can be told."""
    if seen.left:
        yield Finding(
            CHECK, Severity.CRITICAL,
            f"{len(seen.left)} processes run and nobody keeps them running", OPERATIONS,
            "the supervisor was killed (by hand, or by the system for want of memory): what ends now"
            " isn't started again",
            ("crosstown down", "crosstown up --detach"),
        )  # fmt: skip
    elif seen.elsewhere and not seen.recorded:
        yield Finding(
            CHECK, Severity.NOTE, f"nothing of ours runs under {seen.home}", OPERATIONS,
            "the settings name a cluster and a registry: the programs may run on other machines",
            ("crosstown status",),
        )  # fmt: skip
    else:
        cause = (
            "the supervisor was killed, or the machine was started anew" if seen.recorded
            else "it was ended (crosstown down), or never started" if seen.data
            else "nothing was ever started here: is it the right home?"
        )  # fmt: skip
        yield Finding(
            CHECK, Severity.CRITICAL, f"nothing runs under {seen.home}", OPERATIONS, cause,
            (f"tail -n 20 {seen.home}/logs/up.log", "crosstown up --detach") if seen.data
            else ("crosstown up --detach", "or name the right home: CROSSTOWN_HOME or --home"),
        )  # fmt: skip


def _part(home: Path, one: Mapping[str, Any], *, deaf: bool) -> Iterator[Finding]:
    name, state, times = str(one["name"]), str(one["state"]), int(one["restarts"])
    severe = Severity.WARNING if name in BESIDE else Severity.CRITICAL
    log = f"tail -n 50 {home}/logs/{name}.log"
    why = str(one["why"]) or "it said nothing"
    if state == "failed":
        yield Finding(
            CHECK, severe, f"{name} has failed and isn't started again", OPERATIONS, why,
            (log, "mend what it says, then: crosstown down; crosstown up --detach"),
        )  # fmt: skip
    elif state == "restarting" or times >= AGAIN:
        yield Finding(
            CHECK, severe if state == "restarting" else Severity.WARNING,
            f"{name} was started again {times} times" + (" and isn't ready" if state == "restarting" else ""),
            OPERATIONS, f"last it {why}", (log, "crosstown status"),
        )  # fmt: skip
    elif deaf:
        yield Finding(
            CHECK, severe, f"{name} (pid {one['pid']}) runs and doesn't answer", OPERATIONS,
            "it is halted, stuck, or the machine has no time for it",
            (f"ps -o pid,stat,pcpu,rss,etime -p {one['pid']}", log,
             f"kill -9 {one['pid']}  # it is started again at once and takes up where it was"),
        )  # fmt: skip
