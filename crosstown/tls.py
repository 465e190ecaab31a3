"""Where a server of ours listens and with which certificate; what a client of ours checks one by."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

from crosstown.errors import Stop


def place(said: str, setting: str) -> tuple[str, int]:
    """Host and port of `host:port`; `Stop` names the setting that holds something else."""
    host, _, port = said.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    good = port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65_536
    if not host or not good:
        raise Stop(f"{setting} is {said!r}", mend="say host:port, e.g. 0.0.0.0:8443")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serving(cert: Path | None, key: Path | None, setting: str) -> ssl.SSLContext | None:
    """A server's TLS, 1.2 or newer; None without a certificate. `setting` is `CROSSTOWN_GATEWAY` or so.

    Raises `Stop` where one is given without the other, or they aren't good.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise Stop(f"{setting}_CERT and {setting}_KEY belong together", mend="give both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, cert, key)
    return context


def load(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    """Read certificate and key; what connects from now on sees them. `Stop` where they aren't good."""
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise Stop(f"{cert} and {key} aren't a certificate and its key: {error}",
                   mend="PEM files: the whole chain, and the key without a password") from None  # fmt: skip


def trusting(ca: Path | None) -> ssl.SSLContext | bool:
    """What a client checks a server by: these certificates, else the system's. `Stop` where they can't be read."""
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ValueError) as error:
        raise Stop(f"CROSSTOWN_CA {ca} holds no certificates that can be read: {error}",
                   mend="name a PEM file of the authority that signed the registry's certificate") from None  # fmt: skip


def _no_password() -> str:
    raise ValueError("the key has a password")
