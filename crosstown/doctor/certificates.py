"""Whether the certificates that this installation uses can be read, and for how long they hold."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crosstown.doctor.finding import OPERATIONS, Finding, Severity
from crosstown.lookout.place import ends
from crosstown.settings import Settings

SOON: Final = 30 * 86_400.0
"""Seconds; a new certificate may take somebody else's signature."""
OF_KAFKA: Final = ("ssl.ca.location", "ssl.certificate.location")
_BY_ITSELF: Final = (
    "put a new one and its key in their place; the gateway reads them within seconds"
)
_ANEW: Final = "put a new one in its place; then: crosstown down; crosstown up --detach"


@dataclass(frozen=True, slots=True)
class Certificate:
    """One file: in how many seconds it ends, None where it can't be read; `problem` with its key.

    `mend` is what to do once there is another.
    """

    of: str
    file: Path
    left: float | None
    problem: str = ""
    mend: str = _ANEW


def look(settings: Settings) -> list[Certificate]:
    """The gateway's certificate and those that CROSSTOWN_KAFKA names."""
    found = [
        _one(f"Kafka's {name}", Path(settings.kafka[name]))
        for name in OF_KAFKA if settings.kafka.get(name)
    ]  # fmt: skip
    if settings.gateway_cert:
        problem = _pair(settings.gateway_cert, settings.gateway_key)
        mend = _BY_ITSELF if settings.gateway_key else _ANEW  # a setting is read at the start only
        found.append(_one("the gateway", settings.gateway_cert, problem, mend))
    return found


def _one(of: str, file: Path, problem: str = "", mend: str = _ANEW) -> Certificate:
    until = ends(file)
    return Certificate(of, file, until - time.time() if until else None, problem, mend)


def _pair(cert: Path, key: Path | None) -> str:
    if key is None:
        return "CROSSTOWN_GATEWAY_KEY names no key for it"
    try:  # a password, so that nobody is asked for one
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        return f"its key {key} can't be used with it: {error}"
    return ""


def judge(certificates: Sequence[Certificate]) -> Iterator[Finding]:
    """Those that end, have ended, can't be read, or don't belong to their key."""
    for one in certificates:
        told = _told(one)
        if told:
            severity, what, cause = told
            yield Finding(
                "certificates", severity, f"the certificate of {one.of} {what}", OPERATIONS,
                f"{cause} ({one.file})",
                (f"openssl x509 -noout -subject -enddate -in {one.file}", one.mend),
            )  # fmt: skip


def _told(one: Certificate) -> tuple[Severity, str, str] | None:
    if one.left is None:
        return Severity.CRITICAL, "can't be read", "the file is gone, closed to us, or not in PEM"
    if one.left <= 0:
        return (Severity.CRITICAL, f"ended {-one.left / 86_400:.0f} days ago",
                "nobody renewed it: who checks it refuses the connection")  # fmt: skip
    if one.problem:
        return Severity.CRITICAL, "doesn't belong to its key", one.problem
    if one.left < SOON:
        return (Severity.WARNING, f"ends in {one.left / 86_400:.0f} days",
                "nobody renewed it yet: after that connections are refused")  # fmt: skip
    return None
