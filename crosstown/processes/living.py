"""Processes that belong to a home, told apart from strangers: a pid alone may be somebody else's.

What a home starts carries a mark in its command line that names the home, so that whoever comes
after a SIGKILL finds it without a record. The supervisor, which a person starts, is known by its
pid together with its start time, or its command line where the clock has been set since.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypedDict

import psutil  # type: ignore[import-untyped]

SAME_START: Final = 2.0
"""Seconds between two readings of one process's start time: Linux derives it from the clock."""


class Living(TypedDict):
    """What is noted of a process, as JSON."""

    pid: int
    started: float
    command: list[str]


def myself() -> Living:
    """This process."""
    me = psutil.Process()
    return Living(pid=me.pid, started=me.create_time(), command=me.cmdline())


def found(living: Living | None) -> psutil.Process | None:
    """The running process that was noted; None: it's gone."""
    if not living:
        return None
    try:
        process = psutil.Process(living["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if abs(process.create_time() - living["started"]) < SAME_START:
            return process
        ours = process.pid == os.getpid()  # in a container each start has the same pid and command
        return process if process.cmdline() == living["command"] and not ours else None
    except psutil.Error:
        return None


def mark(home: Path) -> str:
    """The argument that every process of this home carries (Java: as a property, after `-D`)."""
    return f"crosstown.home={os.path.realpath(home)}"


def marked(home: Path) -> dict[psutil.Process, list[str]]:
    """The running processes of this home with their command lines."""
    wanted = {mark(home), f"-D{mark(home)}"}
    running: dict[psutil.Process, list[str]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has just gone, or is another user's
            command = process.cmdline()
            if not wanted.isdisjoint(command) and process.pid != os.getpid():
                running[process] = command
    return running


def holding(file: Path) -> list[psutil.Process]:
    """The other processes that have a file open, as far as one may see."""
    path, found = os.path.realpath(file), []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it has just gone, or is another user's
            if process.pid != os.getpid() and any(one.path == path for one in process.open_files()):
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process], patience: float) -> None:
    """Ask them all to end, wait `patience` seconds, then kill; returns when none is left."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(asked, timeout=patience)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def end_orphans(home: Path) -> int:
    """End what a dead supervisor left of this home, Kafka last; how many there were."""
    orphans = marked(home)
    brokers = [process for process, command in orphans.items() if "kafka.Kafka" in command]
    end([process for process in orphans if process not in brokers], patience=4)
    end(brokers, patience=4)
    return len(orphans)


def spawn(command: Sequence[str], **more: Any) -> subprocess.Popen[bytes]:
    """Start a process that a Ctrl-C at the terminal doesn't reach: its parent ends it in order."""
    if sys.platform == "win32":
        more["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        more["start_new_session"] = True
    return subprocess.Popen(command, **more)
