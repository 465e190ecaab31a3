"""The HTTP server of every process: `/metrics`, `/livez`, `/readyz`, `/startupz`, and nothing else.

Plain HTTP, read only, without names of records. It must answer whatever the process is busy with, so
it has threads of its own, and bears who connects and says nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from prometheus_client import REGISTRY, exposition

from crosstown.errors import Unavailable
from crosstown.health.address import Address, url
from crosstown.health.check import Check, answer
from crosstown.health.health import Health
from crosstown.http_server import HttpServer

SILENCE: Final = 10.0
"""Seconds that a connection may keep us waiting."""
CONNECTIONS: Final = 64
"""Connections at one time; more are closed unheard."""

Probe = Callable[[], list[Check]]


@contextlib.contextmanager
def serving(at: Address, health: Health) -> Iterator[str]:
    """Serve meanwhile; gives the URL of the metrics. `Unavailable` where the port is taken."""
    server = _listening(at, health)
    thread = threading.Thread(target=server.serve_forever, args=[0.1], name="metrics", daemon=True)
    thread.start()
    try:
        yield f"{url(at.host, server.server_port)}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listening(at: Address, health: Health) -> _Server:
    try:
        return _Server(at, health)
    except OSError as error:
        raise Unavailable(
            f"can't serve metrics at {at.host}:{at.port}: {error.strerror}",
            mend="end what listens there, or name another CROSSTOWN_METRICS",
        ) from None


class _Server(HttpServer):
    def __init__(self, at: Address, health: Health) -> None:
        self.probes: dict[str, Probe] = {
            "/livez": health.live, "/readyz": health.ready, "/startupz": health.startup,
        }  # fmt: skip
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((at.host, at.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hear a connection where there is room for it."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, on its own thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENCE
    server_version = "crosstown"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one request; the connection ends with it."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, kind = exposition.choose_encoder(self.headers.get("Accept", ""))
            self._say(200, kind, encode(REGISTRY))
        elif path in self.server.probes:
            status, body = answer(self.server.probes[path]())
            self._say(status, "application/json", body)
        else:
            self._say(404, "text/plain; charset=utf-8", b"/metrics /livez /readyz /startupz\n")

    do_HEAD = do_GET  # noqa: N815 - the name that the parent calls

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Requests aren't logged."""
