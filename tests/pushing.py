"""A gateway as agencies use it, and gateways of a test's own beside an installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from installation import Installation, Said, call

from crosstown.backbone.login import login

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def data(number: str, agency: str = "riverton-tenants", **more: Any) -> dict[str, Any]:
    """What happened: somebody called."""
    return {"agency": agency, "record": f"{agency}/contact/{number}", "type": "tenant.called",
            "occurred_at": "2026-03-02T08:30:00Z", "jurisdiction": "us-xx-riverton", **more}  # fmt: skip


def event(number: str, **more: Any) -> dict[str, Any]:
    """The same as a CloudEvent."""
    return {"specversion": "1.0", "id": number, "source": "/test", "type": "events",
            "data": data(number), **more}  # fmt: skip


@dataclass(frozen=True)
class Agency:
    """One with a key, at one gateway."""

    url: str
    key: str
    verify: Any = True

    def post(self, content: Any, media: str = STRUCTURED, **headers: str) -> httpx.Response:
        """Post to /events: JSON, or bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        said = {"Authorization": f"Bearer {self.key}", "Content-Type": media}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/events", content=body, headers=said, verify=self.verify,
                          timeout=60)  # fmt: skip


def key_of(home: Path, agency: str) -> str:
    """A key that works from now on: its first, or a new one."""
    said = call(home, "key", "add", agency)
    if said.code:
        said = call(home, "key", "rotate", agency, "--grace", "24").ok()
    return said.out.strip()


def url_of(installation: Installation) -> str:
    """Where the gateway of an installation answers, once it does."""

    def found() -> str:
        status = installation("status", "-o", "json").ok().json()
        return str(status["gateway"])

    until(lambda: bool(found()))
    return found()


def until(true: Callable[[], bool]) -> None:
    """Wait until it's so; a minute at most."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


@dataclass
class Own:
    """A gateway process of a test's own, with a home of its own, at an installation's cluster."""

    home: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return str(json.loads((self.home / "run" / "gateway.json").read_text())["url"])

    def agency(self, agency: str = "riverton-tenants", **more: Any) -> Agency:
        return Agency(self.url, key_of(self.home, agency), **more)


@contextmanager
def own_gateway(installation: Installation, home: Path, **env: str) -> Iterator[Own]:
    """Start one at an installation's cluster, wait until it's ready, end it."""
    where = installation.where
    how = login(installation.settings, where)
    named = f"http://{how['sasl.username']}:{how['sasl.password']}@"
    cluster = {"CROSSTOWN_BOOTSTRAP": where.bootstrap, "CROSSTOWN_KAFKA": json.dumps(how),
               "CROSSTOWN_REGISTRY": where.registry.replace("http://", named)}  # fmt: skip
    with gateway(home, **{**cluster, **env}) as own:
        yield own


@contextmanager
def gateway(home: Path, **env: str) -> Iterator[Own]:
    """Start one as the environment says, wait until it's ready, end it."""
    (home / "run" / "gateway.json").unlink(missing_ok=True)
    log = home / "gateway.log"
    with log.open("ab") as file:
        process = subprocess.Popen([sys.executable, "-m", "streams.gateway"], stdout=file, stderr=file,
                                   env={**os.environ, "CROSSTOWN_HOME": str(home), **env})  # fmt: skip
    own = Own(home, process, log)
    try:
        until(lambda: (home / "run" / "gateway.json").exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield own
    finally:
        process.terminate()
        process.wait(20)


def counted(installation: Installation, asked: str) -> Said:
    """A case once all that was published is in."""
    installation.stats()
    return installation("case", asked, "-o", "json")
