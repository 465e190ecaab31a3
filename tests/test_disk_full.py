"""A home on a disk that is full: publishers are told, nothing is lost, and room is all that it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from installation import call, line
from watched import until

from connectors.events import Events
from crosstown.backbone.login import login
from crosstown.contracts.repository import Repository
from crosstown.errors import Unavailable
from crosstown.home import endpoints
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.publish import NotAcknowledged, publish
from crosstown.settings import Settings

SIZE = 200_000_000
ROOM = 300_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own, in memory; only who may mount one has it."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    done = (
        subprocess.run(words, capture_output=True, check=False) if shutil.which("mount") else None
    )
    if done is None or done.returncode:
        pytest.skip("no small disk can be mounted here: run as root to see what a full one does")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def probe(metrics: str) -> dict[str, str]:
    """What a process says is wrong with it, by the name of the check."""
    try:
        with urlopen(metrics.removesuffix("/metrics") + "/readyz", timeout=10):  # noqa: S310 - ours
            return {}
    except HTTPError as error:
        with error:
            said: Any = json.load(error)
        return {one["name"]: one["why"] for one in said["checks"] if not one["ok"]}


@pytest.mark.long
def test_the_disk_is_full_and_somebody_must_repair_what_it_broke(
    disk: Path, tmp_path: Path
) -> None:
    home, filler = disk / "home", disk / "filler"

    def status() -> dict[str, Any]:
        return call(home, "status", "-o", "json").json()

    try:
        call(home, "up", "--detach").ok()
        first = "".join(line(str(n)) for n in range(20))
        call(home, "publish", "events", "-", stdin=first).ok()
        with filler.open("wb") as file:
            file.write(bytes(shutil.disk_usage(disk).free - ROOM))
        more = tmp_path / "more.jsonl"
        more.write_text(
            "".join(line(f"b{n}", headline=os.urandom(120).hex()) for n in range(3_000)), "utf-8"
        )
        settings = Settings(home=home)
        where = endpoints(settings)
        elsewhere = Settings(home=tmp_path / "elsewhere", bootstrap=where.bootstrap,
                             registry=where.registry, kafka=login(settings, where))  # fmt: skip
        with pytest.raises(NotAcknowledged, match="acknowledging"):
            publish(elsewhere, where, Repository.load(), Events, [more], patience=8)
        metrics = status()["metrics"]
        assert "broker is restarting" in probe(metrics["broker"])["processes"]
        for name in ("broker", "cases"):
            assert "is full" in probe(metrics[name])["disk"]
        filler.unlink()
        until("all of it runs again by itself", lambda: all(
            one["state"] == "running" for one in status()["processes"]
        ))  # fmt: skip
        until("all of it is ready", lambda: not any(map(probe, status()["metrics"].values())))
        call(home, "publish", "events", str(more)).ok()
        stats = call(home, "stats", "--wait", "-o", "json").ok().json()
        assert stats["events"] == 3_020
        assert "fault of ours" not in (home / "logs/up.log").read_text("utf-8")
    finally:
        call(home, "down")


def test_the_disk_is_full_and_a_publisher_sees_a_stack_trace(disk: Path) -> None:
    said = [(bytes(16), n, os.urandom(32)) for n in range(20_000)]
    with Ledger(disk / "published.sqlite") as ledger:
        ledger.learn(said[:10], ())
        with (disk / "filler").open("wb") as file:
            file.write(bytes(shutil.disk_usage(disk).free - ROOM))
        with pytest.raises(Unavailable, match="full") as told:
            ledger.learn(said, ())
        assert "publish again" in told.value.mend
        with pytest.raises(Unavailable, match="is full"):
            Ledger(disk / "another" / "published.sqlite")
        (disk / "filler").unlink()
        ledger.learn(said, ())
        assert len(ledger.heard([bytes(16)])[bytes(16)].said) == len(said)
