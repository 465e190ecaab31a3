"""Where a process serves its metrics and probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crosstown.errors import Stop

EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
LOCAL: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on; port 0: a free one."""

    host: str = LOCAL
    port: int = 0


def address(text: str) -> Address:
    """`host:port` as the setting says it, `[host]:port` for IPv6; empty: a free port of 127.0.0.1."""
    if not text:
        return Address()
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    right = port.isascii() and port.isdigit() and int(port) < 65_536
    if not bare or not right or ((":" in bare) != host.startswith("[")):
        raise Stop(f"CROSSTOWN_METRICS is {text[:80]!r}", mend="say host:port, e.g. 0.0.0.0:9400")
    return Address(bare, int(port))


def url(host: str, port: int) -> str:
    """How others on this machine reach what listens there."""
    if host in EVERYWHERE:
        host = LOCAL if "." in host else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
