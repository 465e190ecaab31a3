"""One of our Python programs as a process: its log, its readiness, its end."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from crosstown.home import Home
from crosstown.processes.last_words import last_words
from crosstown.processes.living import mark, spawn
from crosstown.program import STARTED_AS

LOG_LIMIT: Final = 20_000_000
"""A log larger than this (bytes) is set aside as `<name>.log.1` at the next start."""


class RunningProgram:
    """`python -m MODULE`, whose body runs in the frame of `crosstown.program`."""

    def __init__(
        self, name: str, module: str, home: Home, env: Callable[[], Mapping[str, str]]
    ) -> None:
        self.name = name
        self.module = module
        self.home = home
        self.metrics = ""
        """URL of its metrics, once it's ready."""
        self._env = env
        self.log = home.logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._log_starts_at = 0

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended; a negative one is a signal's."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process and self.alive() else None

    def launch(self) -> None:
        """Start its process; it dies with us, because its input ends then."""
        self._forget()
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name(f"{self.name}.log.1"))
        command = [sys.executable, "-P", "-m", self.module, mark(self.home.path)]
        with self.log.open("ab") as log:
            self._log_starts_at = log.tell()
            self._token = secrets.token_hex(8)
            env = environment({**self._env(), STARTED_AS: self._token})
            self._process = spawn(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=env)

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether it said that it's ready."""
        try:
            said = json.loads(self._file.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        if said["token"] != self._token or not self.alive():
            return False
        self.metrics = str(said["metrics"])
        return True

    def ask(self) -> None:
        """Ask it to end in order; `stop` waits for it."""
        if self._process is None:
            return
        self._close_input()
        if sys.platform != "win32":  # there, terminate kills; the end of its input is enough
            self._process.terminate()

    def stop(self, timeout: float) -> None:
        """End it in order, by force after `timeout` seconds; without a process, nothing."""
        self.ask()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, timeout))
            self._process.kill()
            self._process.wait()
        self._forget()

    def last_words(self) -> str:
        """The last telling line of its log since it was last started, and the log's name."""
        return last_words(self.log, self._log_starts_at)

    def _close_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _forget(self) -> None:
        self._close_input()
        self._process = None
        self.metrics = ""
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.home.run / f"{self.name}.json"


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours and `more`, for a child that must find Crosstown where we found it."""
    env = {**os.environ, **more}
    source = Path(__file__).parents[2]
    if "site-packages" not in source.parts:  # a checkout: it may not be installed
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), env.get("PYTHONPATH")]))
    return env
