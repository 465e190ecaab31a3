"""A real Prometheus and Alertmanager over an installation, by the shipped files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / "deploy/prometheus"
TOOLS = ("prometheus", "prometheus-alertmanager", "promtool")


def tools() -> None:
    """Skip where Prometheus' programs aren't installed, outside of CI only."""
    if not all(map(shutil.which, TOOLS)):
        how = "Prometheus is missing: apt-get install -y prometheus prometheus-alertmanager"
        assert "CI" not in os.environ, how
        pytest.skip(how)


def free() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Whoever is woken: an address on this machine, and the alerts that arrived there."""
    arrived: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.extend(json.loads(body)["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", arrived
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def process(folder: Path, *command: str) -> Iterator[None]:
    """A program that runs meanwhile; its log lies in the folder."""
    with (folder / f"{command[0]}.log").open("wb") as log:
        one = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            one.terminate()
            one.wait(30)


def until(what: str, holds: Callable[[], Any], seconds: float = 120) -> Any:
    """What `holds` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


def config(folder: Path, home: Path, alertmanager: int, hook: str) -> None:
    """The shipped files with this home, these ports and without waits."""
    shutil.copy(FOLDER / "crosstown.rules.yml", folder)
    one = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    one["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    one["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [
        f"127.0.0.1:{alertmanager}"
    ]
    (found,) = one["scrape_configs"][0]["file_sd_configs"]
    found["files"] = [str(home / "run" / Path(found["files"][0]).name)]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(one), "utf-8")
    other = yaml.safe_load((FOLDER / "alertmanager.yml").read_text("utf-8"))
    other["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    other["receivers"][0]["webhook_configs"][0]["url"] = hook
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(other), "utf-8")


@contextmanager
def watched(folder: Path, home: Path) -> Iterator[tuple[Callable[..., Any], list[dict[str, Any]]]]:
    """Prometheus and Alertmanager over a home: how to ask Prometheus, and what arrived."""
    ours, theirs = free(), free()

    def ask(path: str) -> Any:
        try:
            with urlopen(f"http://127.0.0.1:{ours}/api/v1/{path}", timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    with webhook() as (hook, arrived):
        config(folder, home, theirs, hook)
        with (
            process(folder, "prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml",
                    f"--storage.path={folder}/alerts", "--cluster.listen-address=",
                    f"--web.listen-address=127.0.0.1:{theirs}"),
            process(folder, "prometheus", f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/figures",
                    f"--web.listen-address=127.0.0.1:{ours}"),
        ):  # fmt: skip
            yield ask, arrived
