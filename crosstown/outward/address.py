"""Where a webhook may go: never to this machine, nor into a network that the public can't reach.

Pure. An address that a receiver names is a stranger's word: it could lead to a city's own database, or
to a cloud's own services, which believe whoever can reach them. Sources: IANA's registries of special
purpose addresses (IPv4 and IPv6); WHATWG's URL standard for what a browser takes for an IPv4 address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from crosstown.errors import Refused, Stop

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_URL: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]{2,45}\]|[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([1-9][0-9]{0,4}))?(/[!-~]*)?",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_MEND: Final = "say it as https://host.example/path"

_V4: Final[dict[str, str]] = {
    "0.0.0.0/8": "this machine", "10.0.0.0/8": "a private network", "100.64.0.0/10": "a carrier's network",
    "127.0.0.0/8": "this machine", "168.63.129.16/32": "a cloud's own service",
    "169.254.0.0/16": "link-local", "172.16.0.0/12": "a private network", "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation", "192.88.99.0/24": "a relay to IPv6",
    "192.168.0.0/16": "a private network", "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation", "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast", "240.0.0.0/4": "reserved",
}  # fmt: skip
_V6: Final[dict[str, str]] = {
    "::1/128": "this machine", "::/128": "this machine", "::ffff:0:0/96": "IPv4 in disguise",
    "64:ff9b::/96": "IPv4 in disguise", "64:ff9b:1::/48": "IPv4 in disguise",
    "2001::/23": "reserved, or a tunnel", "2001:db8::/32": "documentation", "2002::/16": "IPv4 in disguise",
    "3fff::/20": "documentation", "fc00::/7": "a private network", "fe80::/10": "link-local",
    "fec0::/10": "a private network", "ff00::/8": "multicast",
}  # fmt: skip
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ipaddress.ip_network(network), what) for network, what in (_V4 | _V6).items()
)


class Target(NamedTuple):
    """A webhook's address in its parts; `host` in small letters, IPv6 without brackets."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def named(self) -> str:
        """Host and port as the header Host has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def target(url: str) -> Target:
    """The parts of a webhook's address; raises `Refused` (webhook-address) where it's no plain URL.

    No name and password, no fragment, no characters that programs read differently; a host that could
    be taken for a number must be an IPv4 address as everybody writes them.
    """
    parts = _URL.fullmatch(url)
    if len(url) > 2_000 or parts is None or "\\" in url or "#" in url:
        raise _refused(f"{url[:80]!r} is no plain address", _MEND)
    scheme, host, port, path = parts.groups()
    secure = scheme.lower() == "https"
    found = Target(
        secure, host.lower().strip("[]"), int(port or (443 if secure else 80)), path or "/"
    )
    if found.port > 65_535:
        raise _refused(f"there is no port {found.port}", _MEND)
    if host.startswith("[") or _NUMBER.fullmatch(host.rpartition(".")[2]):
        _check_literal(found.host)
    elif len(host) > 253 or any(len(label) > 63 for label in host.split(".")):
        raise _refused(f"{host[:80]} is too long for a host's name", _MEND)
    return found


def _check_literal(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise _refused(f"{host[:80]} is no usual form of an address",
                       "four numbers from 0 to 255 without leading zeros, or a host's name") from None  # fmt: skip


def networks(said: Iterable[str]) -> tuple[Network, ...]:
    """The operator's networks, as 10.1.0.0/16 or one address; `Stop` where one isn't that."""
    try:
        return tuple(ipaddress.ip_network(one) for one in said)
    except ValueError as error:
        raise Stop(f"CROSSTOWN_WEBHOOK_ALLOW: {error}",
                   mend='a JSON array of networks or addresses, ["10.1.0.0/16"]') from None  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guard:
    """Which addresses may be called: public ones by TLS, and `allowed` networks in any way.

    `own` are this machine's addresses, which aren't called though they be public.
    """

    allowed: Sequence[Network] = ()
    own: Collection[str] = ()

    def check(self, address: str, *, secure: bool) -> None:
        """Raise `Refused` (webhook-address) unless an IP address may be called."""
        try:
            one = ipaddress.ip_address(address)
        except ValueError:
            raise _refused(f"{address[:80]!r} is no address") from None
        if any(one in network for network in self.allowed):
            return
        plain = str(one).partition("%")[0]
        why = _why_not(one) or ("this machine" if plain in self.own else "")
        if why:
            raise _refused(f"{address} may not be called: {why}",
                           "the operator may allow it: CROSSTOWN_WEBHOOK_ALLOW")  # fmt: skip
        if not secure:
            raise _refused(f"{address} would be called without TLS", "give an https:// address")


def _why_not(one: Address) -> str:
    for network, what in _FORBIDDEN:
        if one in network:
            return what
    if one.version == 6 and one not in _GLOBAL_V6:
        return "not a public address"
    return ""


def _refused(what: str, mend: str = "") -> Refused:
    return Refused("webhook-address", what, mend=mend)
