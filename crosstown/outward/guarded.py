"""HTTP to an address that a stranger named: looked up, checked and connected to in one step.

The check stands where the connection is made, so that no second look-up can give another answer than
the one that was checked (rebinding), whatever redirects, pools and retries do. Nothing follows a
redirect, no proxy is asked, and one request with its answer is over after its time, however slowly
somebody drips.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpcore
import psutil  # type: ignore[import-untyped]

from crosstown.errors import Unavailable
from crosstown.outward.address import Guard, Target

PATIENCE: Final = 15.0
"""Seconds that one request may take with its answer."""
MOST: Final = 64_000
"""Bytes of an answer that are read."""
TRIED: Final = 4
"""So many of a host's addresses are tried."""
Resolve = Callable[[str, int], list[str]]
_FAILED: Final = (
    httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError,
    httpcore.UnsupportedProtocol, OSError, UnicodeError,
)  # fmt: skip


class Answer(NamedTuple):
    """What a receiver said: status, its header Retry-After, the beginning of its body."""

    status: int
    retry_after: str
    body: bytes


def resolved(host: str, port: int) -> list[str]:
    """A host's addresses, as the system finds them; raises `OSError` where it finds none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def own_addresses() -> frozenset[str]:
    """The addresses that this machine has now."""
    return frozenset(
        one.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for one in interface
        if one.family in (socket.AF_INET, socket.AF_INET6)
    )


@dataclass(slots=True)
class Deadline:
    """Until when a request must be over, in monotonic seconds."""

    at: float = 0.0

    def left(self) -> float:
        """The seconds left; raises httpcore's `ReadTimeout` where there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("it took too long")
        return left


class Poster:
    """Posts to one target over one connection, which is kept while it lasts; for one thread."""

    def __init__(self, target: Target, guard: Guard, resolve: Resolve = resolved) -> None:
        self._target = target
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(), max_connections=1, keepalive_expiry=30,
            network_backend=_Guarded(guard, target, resolve, self._deadline),
        )  # fmt: skip

    def post(self, headers: Mapping[str, str], body: bytes, patience: float = PATIENCE) -> Answer:
        """Post a body; whatever the answer's status is.

        Raises `Refused` (webhook-address) where the address may not be called, `Unavailable` where
        there was no whole answer in time.
        """
        to = self._target
        url = httpcore.URL(
            scheme="https" if to.secure else "http", host=to.host, port=to.port, target=to.path
        )
        said = {"Host": to.named, "Content-Length": str(len(body)), **headers}
        self._deadline.at = time.monotonic() + patience
        try:
            with self._pool.stream("POST", url, headers=list(said.items()), content=body) as answer:
                return _read(answer)
        except _FAILED as error:
            raise Unavailable(f"{type(error).__name__}: {error}"[:200].rstrip(": ")) from None

    def close(self) -> None:
        """Give up the connection."""
        self._pool.close()


def _read(answer: httpcore.Response) -> Answer:
    body = b""
    for piece in answer.iter_stream():
        body += piece
        if len(body) >= MOST:
            break
    headers = {name.lower(): value for name, value in answer.headers}
    return Answer(answer.status, headers.get(b"retry-after", b"").decode("latin-1"), body[:MOST])


class _Guarded(httpcore.NetworkBackend):
    """Connects to addresses that were looked up and checked right before, and to no others."""

    def __init__(
        self, guard: Guard, target: Target, resolve: Resolve, deadline: Deadline
    ) -> None:  # fmt: skip
        self._guard, self._target, self._deadline = guard, target, deadline
        self._resolve = resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """A connection to one of the host's addresses; all of them must be allowed."""
        del timeout, local_address
        found = self._resolve(host, port)
        for address in found:
            self._guard.check(address, secure=self._target.secure)
        for address in found[:TRIED]:
            try:
                stream = self._plain.connect_tcp(
                    address, port, self._deadline.left() / 2, None, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
                continue
            return _Bounded(stream, self._deadline)
        raise failed if found else httpcore.ConnectError(f"{host} has no address")


class _Bounded(httpcore.NetworkStream):
    """A stream on which nothing lasts longer than the request may."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What came."""
        del timeout
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        del timeout
        self._stream.write(buffer, self._deadline.left())

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """The same stream with TLS, bounded too."""
        del timeout
        return _Bounded(
            self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()),
            self._deadline,
        )

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of it."""
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        """Close it."""
        self._stream.close()
