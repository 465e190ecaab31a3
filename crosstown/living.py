"""Processes told apart from strangers: a pid alone may be somebody else's by now.

A process is ours if its pid still has the start time that was noted (to two seconds: Linux derives
it from the clock, which may be set), or else the very command line, which names the home.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypedDict

import psutil  # type: ignore[import-untyped]

SAME_START: Final = 2.0


class Living(TypedDict):
    """What is noted of a process, as JSON."""

    pid: int
    started: float
    command: list[str]


def note(pid: int, command: Sequence[str]) -> Living:
    """What to remember of a process that was just started."""
    started = 0.0
    with contextlib.suppress(psutil.Error):
        started = psutil.Process(pid).create_time()
    return Living(pid=pid, started=started, command=list(command))


def found(living: Living | None) -> Any | None:
    """The running process that was noted (a `psutil.Process`), or None: it's gone."""
    if not living:
        return None
    try:
        process = psutil.Process(living["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        same = abs(process.create_time() - living["started"]) < SAME_START
        return process if same or process.cmdline() == living["command"] else None
    except psutil.Error:
        return None


def end(livings: Iterable[Living | None], patience: float) -> None:
    """Ask them all to end, wait `patience` seconds, then kill; returns when none is left."""
    running = [process for process in map(found, livings) if process is not None]
    for process in running:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(running, timeout=patience)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def spawn(command: Sequence[str], **more: Any) -> subprocess.Popen[bytes]:
    """Start a process that a Ctrl-C at the terminal doesn't reach: its parent ends it in order."""
    if sys.platform == "win32":
        more["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        more["start_new_session"] = True
    return subprocess.Popen(command, **more)


def wait_until(deadline: float, step: float = 0.05) -> bool:
    """Sleep a step; False once `deadline` (of `time.monotonic`) has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        return False
    time.sleep(min(step, left))
    return True
