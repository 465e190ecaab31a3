"""Where the gateway listens, and what it bears from who connects: slow, many, or no HTTP at all."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from crosstown import tls
from crosstown.errors import Stop, Unavailable
from crosstown.gateway.problems import Problem
from crosstown.processes.ports import remembered
from crosstown.settings import Settings

log = logging.getLogger(__name__)

SETTING: Final = "CROSSTOWN_GATEWAY"
PATIENCE: Final = 10.0
"""Seconds in which a connection must have sent a request's head, or its TLS greeting."""
CONNECTIONS: Final = 1_000
"""Connections at one time; more are closed unheard."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; `tls` unset: plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None

    @property
    def url(self) -> str:
        """Where clients on this machine, or by this name, reach it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def address(settings: Settings, memory: Path) -> Address:
    """Where the settings say, else 127.0.0.1 on the port of last time; `Stop` where it isn't safe."""
    secure = tls.serving(settings.gateway_cert, settings.gateway_key, SETTING)
    if not settings.gateway:
        port = remembered(memory)
        memory.write_text(str(port), "utf-8")
        return Address("127.0.0.1", port, secure)
    host, port = tls.place(settings.gateway, SETTING)
    if secure is None and not settings.gateway_plain and not tls.is_loopback(host):
        raise Stop(f"CROSSTOWN_GATEWAY {settings.gateway} is open to other machines, without TLS",
                   mend="give CROSSTOWN_GATEWAY_CERT and CROSSTOWN_GATEWAY_KEY; or CROSSTOWN_GATEWAY_PLAIN=1 "
                        "where what stands before it has HTTPS")  # fmt: skip
    return Address(host, port, secure)


def load(context: ssl.SSLContext, settings: Settings) -> None:
    """Read certificate and key again; what connects from now on sees them."""
    assert settings.gateway_cert is not None  # noqa: S101 - `address` has seen to it
    tls.load(context, settings.gateway_cert, settings.gateway_key)


class Connection(web.RequestHandler):
    """One client's connection; what isn't HTTP gets a problem, too."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500,
        exc: BaseException | None = None, message: str | None = None,
    ) -> web.StreamResponse:  # fmt: skip
        """A request that can't be parsed at all; anything else has been answered before."""
        del request, exc, message
        said = Problem(status, "bad-request" if status < 500 else "fault",
                       "this is no HTTP/1.1 request, or its head is too large",
                       "a line of the head has at most 8,190 bytes, the head 128 lines")  # fmt: skip
        response = said.response()
        response.force_close()
        return response


@asynccontextmanager
async def listening(app: web.Application, at: Address) -> AsyncIterator[None]:
    """Serve `app` meanwhile; `Unavailable` where somebody else listens there."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=3)
    await runner.setup()
    loop = asyncio.get_running_loop()
    manager = runner.server
    assert manager is not None  # noqa: S101 - setup has made it
    how: dict[str, Any] = {"keepalive_timeout": PATIENCE, "access_log": None, "lingering_time": 2.0,
                           "auto_decompress": False}  # fmt: skip

    def connected() -> asyncio.Protocol:
        if len(manager.connections) >= CONNECTIONS:
            return _Full()
        return Connection(manager, loop=loop, **how)

    try:
        server = await loop.create_server(connected, at.host, at.port, ssl=at.tls, backlog=256,
                                          ssl_handshake_timeout=PATIENCE if at.tls else None)  # fmt: skip
    except OSError as error:
        await runner.cleanup()
        raise Unavailable(f"the gateway can't listen on {at.host}:{at.port}: {error.strerror or error}",
                          mend="end what listens there, or name another CROSSTOWN_GATEWAY") from None  # fmt: skip
    try:
        yield
    finally:
        server.close()
        manager.pre_shutdown()
        await manager.shutdown(3)
        await runner.cleanup()


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()
