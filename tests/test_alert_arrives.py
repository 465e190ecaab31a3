"""An alert that fires and reaches nobody: the shipped rules, a real Prometheus, a real Alertmanager."""

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
from installation import Installation

FOLDER = Path(__file__).parents[1] / "deploy/prometheus"
AGENCY = "fairhaven-311"
TOOLS = ("prometheus", "prometheus-alertmanager", "promtool")


@pytest.fixture(autouse=True, scope="module")
def tools() -> None:
    """Prometheus' programs; skipped where they aren't installed, outside of CI only."""
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


def test_an_alert_reaches_nobody(installation: Installation, tmp_path: Path) -> None:
    installation("key", "add", AGENCY).ok()
    installation("key", "rotate", AGENCY, "--grace", "1").ok()
    with watched(tmp_path, installation.home) as (ask, arrived):
        found = until("the alert arrives", lambda: [
            one for one in arrived if one["labels"]["alertname"] == "OldKeyEnds"
        ])[0]  # fmt: skip
        assert found["status"] == "firing"
        assert found["labels"]["agency"] == AGENCY
        assert found["annotations"]["summary"] == f"The old key of {AGENCY} ends soon"
        assert found["annotations"]["runbook"] == "docs/runbooks/old-key-ends.md"
        names = {
            one["name"] for one in installation("status", "-o", "json").ok().json()["processes"]
        }
        wanted = {"supervisor", *names}
        targets = until("every program is asked", lambda: [
            one for one in ask("targets")["activeTargets"]
            if {t["labels"]["instance"] for t in ask("targets")["activeTargets"]} == wanted
        ])  # fmt: skip
        until("every program answers",
              lambda: all(t["health"] == "up" for t in ask("targets")["activeTargets"]))  # fmt: skip
        (group,) = ask("rules")["groups"]
        assert {(rule["name"], rule.get("lastError", "")) for rule in
                group["rules"] if rule["health"] != "ok"} == set()  # fmt: skip
        looked = ask("query?query=crosstown_looked_timestamp_seconds")["result"]
        assert {one["metric"]["at"] for one in looked} == {"home", "contracts", "cluster"}
        still = ask("query?query=max(crosstown_standing_still_seconds)by(program)")["result"]
        assert {one["metric"]["program"] for one in still} >= {"cases", "eraser"}
        assert "the lookout" not in (installation.home / "logs/up.log").read_text("utf-8")
        for one in targets:
            with urlopen(one["scrapeUrl"], timeout=10) as answer:  # noqa: S310 - as we wrote it
                done = subprocess.run(["promtool", "check", "metrics"], input=answer.read(),
                                      capture_output=True, check=False, timeout=60)  # fmt: skip
            assert (done.returncode, done.stderr) == (0, b""), (one["labels"], done.stderr)
        installation("key", "revoke", AGENCY).ok()
        until("it's said that it's over", lambda: [
            one for one in arrived
            if one["labels"]["alertname"] == "OldKeyEnds" and one["status"] == "resolved"
        ])  # fmt: skip
