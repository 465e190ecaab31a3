"""Who is slow, silent or says too much to the registry doesn't keep it from others."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from contextlib import ExitStack, closing

import httpx
import pytest

from crosstown.registry import server as registry_server
from crosstown.registry.server import Server
from crosstown.registry.subjects import Subjects

HEAD = b"POST /subjects/slow/versions HTTP/1.1\r\nContent-Type: application/json\r\n"


@pytest.fixture
def port(server: Server) -> int:
    return server.port


def opened(port: int, *said: bytes) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=20)
    for some in said:
        one.sendall(some)
    return one


def ended(one: socket.socket) -> bool:
    """Whether the other side has hung up, with or without a word."""
    try:
        while one.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def answer(port: int, *said: bytes) -> bytes:
    with closing(opened(port, *said)) as one:
        one.shutdown(socket.SHUT_WR)
        told = b""
        while some := one.recv(65_536):
            told += some
        return told


def good(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/subjects", timeout=10).is_success


def test_half_open_connections_keep_others_out_or_pile_up(port: int) -> None:
    more = 60
    with ExitStack() as ends, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as kept:
        assert kept.get("/subjects").is_success
        silent = []
        for number in range(registry_server.MAX_CONNECTIONS + more):
            said = (b"", b"GET", HEAD, HEAD + b"Content-Length: 900\r\n\r\n{")[number % 4]
            silent.append(ends.enter_context(closing(opened(port, said))))
            silent[-1].settimeout(0.01)
            if number % 20 == 0:
                assert good(port)
        assert good(port)
        assert kept.get("/subjects").is_success
        left = [not ended(one) for one in silent]
        assert left.count(False) >= more
        assert left == sorted(left), "who was silent longest goes first"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_server, "SILENCE", 1.0)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("said", [b"", b"GET /sub", HEAD, HEAD + b"Content-Length: 900\r\n\r\n{"])
def test_a_request_that_trickles_in_is_waited_for_without_end(port: int, said: bytes) -> None:
    with closing(opened(port, said)) as one, contextlib.suppress(OSError):
        for _ in range(100):
            one.sendall(b" ")
            time.sleep(0.1)
        pytest.fail("ten seconds, and it is still listened to")
    assert good(port)


def test_a_sender_of_too_much_isnt_told(port: int) -> None:
    for size in (1_000_001, 20_000_000):
        length = f"Content-Length: {size}\r\n\r\n".encode()
        told = answer(port, HEAD + length, *[b" " * 1_000_000] * (size // 1_000_000))
        assert told.startswith(b"HTTP/1.1 413"), told[:80]
    told = answer(port, HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413"), told[:80]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Content-Length: 000000000000000000000000002000000\r\n", b"413"),
        (b"Content-Length: \xb2\r\n", b"400"),
        (b"Content-Length: +5\r\n", b"400"),
        (b"Content-Length: 0\r\nContent-Length: 5\r\n", b"400"),
        (b"Content-Length: 500\r\n", b"400"),  # and then no body
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"411"),
    ],
)
def test_what_comes_after_a_body_of_doubtful_length_is_taken_for_a_request(
    port: int, lines: bytes, status: bytes
) -> None:
    smuggled = b"GET /subjects HTTP/1.1\r\n\r\n"
    told = answer(port, HEAD + lines + b"\r\n", smuggled)
    assert told.startswith(b"HTTP/1.1 " + status), told[:80]
    assert told.count(b"HTTP/1.1 ") == 1
    assert b"application/vnd.schemaregistry.v1+json" in told


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; charset=json", "application/x-www-form-urlencoded;json", ""]
)
def test_a_web_page_sends_a_body_without_asking_for_leave(server: Server, kind: str) -> None:
    """These types go to another site without a preflight; the check was for `json` anywhere."""
    told = httpx.post(
        f"{server.url}/subjects/page/versions", content=b'{"schema": "\\"int\\""}',
        headers={"Content-Type": kind}, auth=server.login,
    )  # fmt: skip
    assert (told.status_code, told.json()["error_code"]) == (415, 415)


def test_head_has_a_body_or_another_length_than_get(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        for path in ("/subjects", "/schemas/ids/99999999", "/nothing"):
            head, get = client.head(path), client.get(path)
            assert head.content == b""
            assert head.status_code == get.status_code
            assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_ids_that_another_registry_gave_to_one_schema_are_lost() -> None:
    """Written in one or in two, a full name is one; a topic may hold both with an id each."""
    held = Subjects()
    one = '{"type":"record","name":"city.R","fields":[]}'
    two = '{"type":"record","name":"R","namespace":"city","fields":[]}'
    for number, subject, text in ((5, "a", one), (6, "b", two)):
        key = {"keytype": "SCHEMA", "subject": subject, "version": 1, "magic": 1}
        value = {"subject": subject, "version": 1, "id": number, "schema": text, "deleted": False}
        held.fold(json.dumps(key).encode(), json.dumps(value).encode())
    for subject, wanted in (("a", 5), ("b", 6)):
        for text in (one, two):
            assert held.lookup(subject, json.loads(text)).id == wanted
            assert held.register(subject, json.loads(text))[1] == []
    assert (held.text(5), held.text(6)) == (one, two)
    assert held.register("c", json.loads(two))[0].id == 5
