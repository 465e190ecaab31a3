"""A probe that says the wrong thing: that all is well, or that it isn't, or nothing at all."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from crosstown.errors import Stop, Unavailable
from crosstown.health.address import Address, address, url
from crosstown.health.check import Check, answer
from crosstown.health.health import IN_HAND, PATIENCE, Health
from crosstown.health.room import no_room
from crosstown.health.server import CONNECTIONS, serving


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def whys(checks: list[Check]) -> dict[str, str]:
    """What fails, by name."""
    return {one.name: one.why for one in checks if not one.ok}


def ask(at: str, path: str, method: str = "GET") -> tuple[int, Any]:
    """Status and JSON body of a probe of the server whose metrics are at `at`."""
    connection = HTTPConnection(urlsplit(at).netloc, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        kind = response.getheader("Content-Type", "")
        return response.status, json.loads(body) if "json" in kind and body else body
    finally:
        connection.close()


def test_ready_is_said_before_the_work_has_begun() -> None:
    health = Health(Clock())
    assert whys(health.startup()) == {"begun": "its work hasn't begun yet"}
    health.waits("database", "the database is away")
    assert whys(health.ready())["begun"] == "the database is away"
    health.waits("database", "")
    health.begin()
    assert whys(health.startup()) == whys(health.ready()) == whys(health.live()) == {}


def test_a_loop_that_has_stopped_is_taken_for_alive_or_one_that_rests_for_dead() -> None:
    clock = Clock()
    health = Health(clock)
    health.begin()
    health.turn()
    health.turn("other")
    health.patience(3_600, "other")
    clock.now += PATIENCE
    assert whys(health.live()) == {}
    clock.now += 1
    assert whys(health.live()) == {"loops": "main hasn't come round for 121 s"}
    assert whys(health.ready()) == whys(health.live())
    health.turn()
    assert health.stuck() == ""
    health.over("other")
    clock.now += 4_000
    assert health.stuck() == "main hasn't come round for 4000 s"


def test_a_batch_that_is_never_written_is_no_trouble() -> None:
    clock = Clock()
    health = Health(clock)
    health.begin()
    health.takes(something=True)
    clock.now += IN_HAND
    assert whys(health.ready()) == {}
    clock.now += 1
    assert whys(health.ready()) == {"batch": "a batch has been in hand for 31 s"}
    health.takes(something=False)
    assert whys(health.ready()) == {}


def test_what_a_program_must_have_is_not_asked_for() -> None:
    health = Health(Clock())
    health.begin()
    said = ["away"]
    health.must("broker", lambda: said[0])
    assert whys(health.ready()) == {"broker": "away"}
    said[0] = ""
    assert whys(health.ready()) == {}
    assert [one.name for one in health.ready()] == ["begun", "loops", "waiting", "batch", "broker"]


def test_a_probe_answers_in_another_form() -> None:
    status, body = answer([Check("disk", ok=True), Check("broker", ok=False, why="away")])
    assert status == 503
    assert json.loads(body) == {
        "status": "failing",
        "checks": [
            {"name": "disk", "ok": True, "why": ""},
            {"name": "broker", "ok": False, "why": "away"},
        ],
    }
    assert answer([Check("disk", ok=True)])[0] == 200


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Address("127.0.0.1", 0)),
        ("0.0.0.0:9400", Address("0.0.0.0", 9400)),
        ("[::1]:9400", Address("::1", 9400)),
        ("metrics.local:0", Address("metrics.local", 0)),
    ],
)
def test_an_address_is_misread(text: str, found: Address) -> None:
    assert address(text) == found


@pytest.mark.parametrize(
    "text", ["9400", ":9400", "host:", "host:99999", "::1:9400", "h:9x", "h:²"]
)
def test_a_wrong_address_is_half_obeyed(text: str) -> None:
    with pytest.raises(Stop, match="CROSSTOWN_METRICS"):
        address(text)


def test_a_program_is_reached_by_an_address_that_is_none() -> None:
    assert url("0.0.0.0", 9400) == "http://127.0.0.1:9400"
    assert url("::", 9400) == "http://[::1]:9400"
    assert url("metrics.local", 1) == "http://metrics.local:1"


@pytest.fixture
def served() -> Iterator[tuple[str, Health]]:
    """A server's metrics URL, and what it tells of."""
    health = Health(Clock())
    with serving(Address(), health) as at:
        yield at, health


def test_a_probe_gives_no_reason(served: tuple[str, Health]) -> None:
    at, health = served
    assert ask(at, "/livez")[0] == 200
    assert ask(at, "/startupz")[0] == 503
    health.begin()
    assert ask(at, "/startupz") == (
        200, {"status": "ok", "checks": [{"name": "begun", "ok": True, "why": ""}]},
    )  # fmt: skip
    health.waits("registry", "the registry is away")
    status, said = ask(at, "/readyz?verbose")
    assert (status, said["status"]) == (503, "failing")
    assert {"name": "waiting", "ok": False, "why": "the registry is away"} in said["checks"]
    assert ask(at, "/readyz", "HEAD") == (503, b"")


def test_the_metrics_are_gone_or_something_else_is_served(served: tuple[str, Health]) -> None:
    at, _ = served
    status, body = ask(at, "/metrics")
    assert status == 200
    assert b"# HELP crosstown_lag " in body
    for path in ("/", "/metrics/../etc/passwd", "/debug", "/livezz"):
        assert ask(at, path)[0] == 404
    assert ask(at, "/livez", "POST")[0] == 501


def test_who_connects_and_says_nothing_keeps_probes_from_being_heard(
    served: tuple[str, Health],
) -> None:
    at, _ = served
    port = urlsplit(at).port
    silent = [socket.create_connection(("127.0.0.1", port or 0)) for _ in range(CONNECTIONS - 4)]
    try:
        assert ask(at, "/livez")[0] == 200
        silent[0].sendall(b"\x16\x03\x01" + b"\0" * 70_000)
        assert ask(at, "/livez")[0] == 200
    finally:
        for one in silent:
            one.close()
    assert threading.active_count() < CONNECTIONS + 40


def test_a_taken_port_is_a_stack_trace() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"), serving(Address("127.0.0.1", port), Health()):  # fmt: skip
            pass


def test_a_disk_that_is_full_or_gone_counts_as_room(tmp_path: Path) -> None:
    assert no_room(tmp_path) == ""
    assert "is full" in no_room(tmp_path, least=1 << 62)
    assert "can't be looked at" in no_room(tmp_path / "gone")
