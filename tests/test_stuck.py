"""A process that hangs and is kept, one that works and is ended, a full disk that ends everything."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from crosstown.health.asking import SILENT, probe, unready
from crosstown.health.broker_look import BrokerLook
from crosstown.health.pulse import Pulse
from crosstown.health.stuck import EXIT_CODE
from crosstown.home import Endpoints, Home
from crosstown.processes.ports import choose
from crosstown.settings import Settings
from crosstown.supervision.part import Part
from crosstown.supervision.running_program import RunningProgram

PROGRAM = """
import sys, time
from crosstown.program import Program, main

def run(program: Program) -> None:
    program.health.patience(1.0)
    program.health.turn()
    program.ready()
    if "{how}" == "hangs":
        time.sleep(600)
    while not program.rest(60):
        pass

sys.exit(main("{name}", run))
"""


class Runs:
    """A program of a test's own under a part of a supervisor, with no Kafka behind it."""

    def __init__(self, home: Path, how: str, where: str) -> None:
        name = f"one_that_{how}"
        (home / f"{name}.py").write_text(PROGRAM.format(how=how, name=name), "utf-8")
        self.at = f"http://127.0.0.1:{choose()}"
        env = {
            "CROSSTOWN_HOME": str(home), "CROSSTOWN_BOOTSTRAP": where,
            "CROSSTOWN_REGISTRY": "http://127.0.0.1:1", "CROSSTOWN_SUPERVISED": "1",
            "CROSSTOWN_METRICS": self.at.removeprefix("http://"),
            "PYTHONPATH": os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")]),
        }  # fmt: skip
        self.said: list[str] = []
        self.part = Part(name, _Own(name, Home(home).make(), env), self.said.append)

    def tick_until(self, so: Callable[[], bool], *, may_start: bool = True) -> None:
        """Let the supervisor's turns go by until it is so."""
        for _ in range(1_200):
            self.part.tick(may_start=may_start)
            if so():
                return
            time.sleep(0.05)
        pytest.fail(f"it never was so: {self.part.state} {self.said}")

    def close(self) -> None:
        """End it."""
        self.part.stop(1)


class _Own(RunningProgram):
    def __init__(self, name: str, home: Home, env: dict[str, str]) -> None:
        super().__init__(name, name, home, lambda: env)


def runs(home: Path, how: str, where: str = "127.0.0.1:1") -> Any:
    """A program that is ended with the test."""
    return closing(Runs(home, how, where))


def test_a_blocked_loop_is_kept(home: Path) -> None:
    with runs(home, "hangs") as one:
        one.tick_until(lambda: one.part.state == "running")
        assert probe(one.at, "/startupz") == []
        one.tick_until(lambda: probe(one.at, "/livez") not in ([], None))
        (why,) = probe(one.at, "/livez") or [""]
        assert why.startswith("main hasn't come round for")
        one.tick_until(lambda: one.part.restarts == 1)
        assert f"exit code {EXIT_CODE}: " in one.said[0]
        assert "main hasn't come round for" in one.said[0]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system can't stop a process")
def test_a_stopped_process_is_kept_or_one_that_answers_is_ended(home: Path) -> None:
    pulse = Pulse(patience=1.0, every=0.5)
    with runs(home, "rests") as one:
        one.tick_until(lambda: one.part.state == "running")
        pid = one.part.pid

        def asked_in_vain() -> bool:
            pulse.ask({pid: one.at})
            return pulse.silent(pid)

        for _ in range(6):
            assert not asked_in_vain()
            time.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        assert not asked_in_vain(), "not at the first time"
        one.tick_until(asked_in_vain)
        one.part.end_stuck("didn't answer any more and was ended")
        one.tick_until(lambda: one.part.state == "running")
        assert one.part.pid != pid
        assert not pulse.silent(one.part.pid)
        assert not pulse.silent(None)
        pulse.ask({})
        assert not pulse.silent(pid), "it's forgotten"


def test_nobody_says_that_kafka_is_away(home: Path, kafka: tuple[Settings, Endpoints]) -> None:
    look = BrokerLook(*kafka)
    with runs(home, "rests") as one:
        one.tick_until(lambda: one.part.state == "running")
        one.tick_until(lambda: bool(probe(one.at, "/readyz")))
        (why,) = probe(one.at, "/readyz") or [""]
        assert why.startswith("no Kafka answers at 127.0.0.1:1")
        assert probe(one.at, "/livez") == [], "that's no reason to end it"
        urls = {"one": f"{one.at}/metrics", "gone": "http://127.0.0.1:1/metrics"}
        assert unready(urls, [*urls, "broker"]) == {"one": [why], "gone": [SILENT]}
    assert look.why() == ""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own; skipped where one can't be mounted, outside of CI only."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk of its own can be made here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="this system mounts nothing")
def test_a_full_disk_ends_a_program_or_needs_somebody_to_repair_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk, runs(disk, "rests") as one:
        one.tick_until(lambda: one.part.state == "running")
        big = disk / "big"
        with pytest.raises(OSError, match="No space"):
            big.write_bytes(b"x" * 80_000_000)
        whys = probe(one.at, "/readyz") or []
        assert any("is full" in why for why in whys), whys
        assert probe(one.at, "/livez") == []
        one.part.recycle()
        one.tick_until(lambda: one.part.restarts == 1)
        one.tick_until(lambda: bool(probe(one.at, "/startupz")))
        assert one.part.state != "running", "it waits for room"
        big.unlink()
        one.tick_until(lambda: one.part.state == "running")
        assert one.part.restarts == 1, "the same process went on"
        assert not any("is full" in why for why in probe(one.at, "/readyz") or [])
