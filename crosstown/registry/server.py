"""The embedded schema registry: Confluent's HTTP routes over the compacted topic `_schemas`.

A registration is answered when the topic holds it; after SIGKILL the same ids are served again.
Whatever a client sends or leaves unsent, others are served: there is a bound on what one request,
one silence and all connections together may take.
It listens on 127.0.0.1 unless `CROSSTOWN_REGISTRY_LISTEN` and a certificate open it to others; who
changes something says the operator's name and password (login.py).
Program: `python -m crosstown.registry.server`.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import logging
import math
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from crosstown import metrics, tls
from crosstown.backbone.login import OPERATOR, made
from crosstown.errors import Stop, Unavailable
from crosstown.home import Endpoints, Home
from crosstown.http_server import HttpServer
from crosstown.processes.ports import remembered
from crosstown.program import Program, main
from crosstown.registry.log import Log
from crosstown.registry.routes import Routes
from crosstown.settings import Settings

log = logging.getLogger(__name__)

MAX_BODY: Final = 1_000_000
SETTING: Final = "CROSSTOWN_REGISTRY"
SWALLOWED: Final = 50_000_000
"""How much is read and dropped after a refusal: to hang up on a sender would lose it the answer."""
MAX_CONNECTIONS: Final = 200
"""Above this, who has been silent longest is hung up on."""
SILENCE: Final = 60.0
"""Seconds from one answer to the next request's end, however it trickles in."""
TYPE: Final = "application/vnd.schemaregistry.v1+json"
TYPES: Final = frozenset((
    TYPE, "application/vnd.schemaregistry+json", "application/json", "application/octet-stream",
))  # fmt: skip
"""What a web page can't send to another site unasked."""


class Server:
    """The registry of one Kafka cluster on one port, of this machine's own unless `host` says otherwise."""

    def __init__(
        self, settings: Settings, endpoints: Endpoints, port: int = 0, host: str = "127.0.0.1",
        secure: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        home = Home(settings.home)
        given = settings.registry_password
        self.login = (OPERATOR, given.get_secret_value() if given else made(home))
        """Name and password of who may change something."""
        self._log = Log(settings, endpoints)
        self._http = _Http((host, port), Routes(self._log), self.login, secure)
        self._where = f"{'https' if secure else 'http'}://{host}"
        home.run.mkdir(parents=True, exist_ok=True)
        home.registry_port.write_text(str(self.port), "ascii")
        self._thread = threading.Thread(target=self._http.serve_forever, args=[0.1], daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"{self._where}:{self.port}"

    @property
    def schemas(self) -> int:
        """How many schemas it holds."""
        return len(self._log.subjects.texts)

    def start(self, turn: Callable[[], None] = lambda: None) -> Server:
        """Read the topic to its end, then answer; raises `Unavailable`, `Stop`."""
        try:
            self._log.open()
        except BaseException:
            self.close()
            raise
        self._http.turn = turn
        self._thread.start()
        return self

    def close(self) -> None:
        """Give up the port; what was answered is in the topic already."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
        self._http.hang_up()
        self._log.close()


class _Http(HttpServer):
    def __init__(
        self, address: tuple[str, int], routes: Routes, login: tuple[str, str],
        secure: ssl.SSLContext | None,
    ) -> None:  # fmt: skip
        super().__init__(address, _Handler)
        self.routes = routes
        self.turn: Callable[[], None] = lambda: None
        """Called each time that the loop comes round."""
        self._secure = secure
        self._basic = base64.b64encode(":".join(login).encode())
        self._open: dict[socket.socket, float] = {}
        """Since when each connection keeps us waiting; infinity while we keep it waiting."""

    def knows(self, authorization: str) -> bool:
        """Whether a request comes from the operator."""
        scheme, _, said = authorization.partition(" ")
        right = hmac.compare_digest(said.strip().encode("utf-8", "replace"), self._basic)
        return right and scheme.lower() == "basic"

    def get_request(self) -> tuple[Any, Any]:
        """Take a connection; with TLS its greeting is left to its own thread, for it may never come."""
        connection, client = super().get_request()
        if self._secure:
            connection = self._secure.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, which outlives its requests; make room for it."""
        self._open[request] = time.monotonic()
        if len(self._open) > MAX_CONNECTIONS:
            self._hang_up_on(min(self._waits(), key=lambda one: one[1])[0])
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Now and then: hang up on who has been silent, or slow, for too long."""
        self.turn()
        too_long = time.monotonic() - SILENCE
        for connection, since in self._waits():
            if since < too_long:
                self._hang_up_on(connection)

    def waits(self, connection: Any, *, for_us: bool) -> None:
        """Note who waits for whom from now on."""
        if connection in self._open:
            self._open[connection] = math.inf if for_us else time.monotonic()

    def _waits(self) -> tuple[tuple[socket.socket, float], ...]:
        return tuple(self._open.copy().items())

    def _hang_up_on(self, connection: socket.socket) -> None:
        self._open.pop(connection, None)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection, _ in self._waits():
            self._hang_up_on(connection)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # else what can't be read is answered without a status
    server_version = "crosstown-registry"
    timeout = SILENCE
    refused = False
    """Whether the connection ends with a request that wasn't read to its end."""
    wbufsize = 65_536  # headers and body in one packet: two would wait for each other

    def _serve(self) -> None:
        status, value = self._answer()
        metrics.registry_requests.labels(self.command, str(status)).inc()
        self._say(status, value)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - the names that the parent calls

    def _say(self, status: int, value: Any) -> None:
        data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(data)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="crosstown", charset="UTF-8"')
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()
        self.server.waits(self.connection, for_us=False)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the parent can't read, refused in the words of all other refusals."""
        del explain
        self.close_connection = self.refused = True
        words = message or self.responses[code][0]
        self._say(int(code), _error(int(code), f"HTTP {int(code)} {words[:200]}"))

    def _answer(self) -> tuple[int, Any]:
        lengths = set(self.headers.get_all("Content-Length", ["0"]))
        length = lengths.pop()
        if "Transfer-Encoding" in self.headers:
            return self._refuse(411, "Length Required: a body needs a Content-Length")
        if lengths or not (length.isascii() and length.isdigit()):
            return self._refuse(400, "Bad Request: one Content-Length, a whole number")
        if len(length) > 18 or int(length) > MAX_BODY:
            return self._refuse(413, f"Content Too Large: a body has at most {MAX_BODY:,} bytes")
        body = self.rfile.read(int(length))
        self.server.waits(self.connection, for_us=True)
        if len(body) < int(length):
            return self._refuse(400, "Bad Request: the body ends before its Content-Length")
        said = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if body and said not in TYPES:
            return 415, _error(415, f"HTTP 415 Unsupported Media Type: send {TYPE}.")
        return self._routed(body)

    def _routed(self, body: bytes) -> tuple[int, Any]:
        method = "GET" if self.command == "HEAD" else self.command
        try:
            known = self.server.knows(self.headers.get("Authorization", ""))
            return self.server.routes.answer(method, self.path, body, known=known)
        except Exception:
            log.exception("%s %s", self.command, self.path)
            return 500, _error(50001, "A fault of ours; it stands in the registry's log.")

    def _refuse(self, status: int, why: str) -> tuple[int, Any]:
        """Refuse what leaves open where the next request would begin."""
        self.close_connection = self.refused = True
        return status, _error(status, f"HTTP {status} {why}")

    def finish(self) -> None:
        """After a refusal, let the sender come to its end, within bounds."""
        super().finish()
        left = SWALLOWED if self.refused else 0
        with contextlib.suppress(OSError):
            self.connection.settimeout(1)
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (part := self.connection.recv(65_536)):
                left -= len(part)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Requests are counted, not logged one by one."""


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error_code": code, "message": message}


def _listening(settings: Settings, endpoints: Endpoints) -> Server:
    """A server on the port that the supervisor names; else that of last time, else a free one."""
    named = os.environ.get("CROSSTOWN_REGISTRY_PORT", "")
    if settings.registry_listen and not named:
        return _open_to_others(settings, endpoints)
    port = int(named or remembered(Home(settings.home).registry_port))
    try:
        return Server(settings, endpoints, port)
    except OSError as error:
        raise Unavailable(f"the schema registry can't listen on port {port}: {error.strerror}",
                          mend="end what listens there, or name another CROSSTOWN_REGISTRY_PORT") from None  # fmt: skip


def _open_to_others(settings: Settings, endpoints: Endpoints) -> Server:
    """A server where the settings say; `Stop` where passwords would go over the network in the clear."""
    host, port = tls.place(settings.registry_listen, f"{SETTING}_LISTEN")
    secure = tls.serving(settings.registry_cert, settings.registry_key, SETTING)
    if secure is None and not tls.is_loopback(host):
        raise Stop(f"{SETTING}_LISTEN {settings.registry_listen} is open to other machines, without TLS",
                   mend=f"give {SETTING}_CERT and {SETTING}_KEY")  # fmt: skip
    try:
        return Server(settings, endpoints, port, host, secure)
    except OSError as error:
        raise Unavailable(f"the schema registry can't listen on {host}:{port}: {error.strerror}",
                          mend=f"end what listens there, or name another {SETTING}_LISTEN") from None  # fmt: skip


def _run(program: Program) -> None:
    server = _listening(program.settings, program.endpoints)
    metrics.schemas.set_function(lambda: server.schemas)
    try:
        server.start(program.health.turn)
        program.ready(url=server.url)
        program.stopping.wait()
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main("registry", _run))
