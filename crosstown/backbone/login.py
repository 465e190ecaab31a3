"""How a client is let in: as the settings say, or, at what this home runs itself, as its operator.

The embedded broker, and the embedded registry for changes, know one account that may do everything,
`crosstown`, whose password lies under the home for its owner's eyes only. All others have what
contracts give them (crosstown/provisioning/access.py).
"""

from __future__ import annotations

import json
import logging
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crosstown.errors import Stop
from crosstown.home import Endpoints, Home
from crosstown.private import made_once
from crosstown.settings import Settings

OPERATOR: Final = "crosstown"
"""The account of this home's own programs and command line."""


class _Hushed(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "in the clear" not in record.msg


def hush() -> None:
    """Keep aiokafka from warning, at each connection, of a password that stays on this machine."""
    logging.getLogger("aiokafka.conn").addFilter(_Hushed())


def made(home: Home) -> str:
    """The operator's password at this home's broker; made at the first asking."""
    home.broker.mkdir(parents=True, exist_ok=True)
    return made_once(_file(home), lambda: secrets.token_hex(24)).decode()


def login(settings: Settings, endpoints: Endpoints) -> dict[str, str]:
    """What a client must say to be let in, in librdkafka's words; empty where nobody asks.

    Raises `Stop` where this home's account is another user's.
    """
    if "security.protocol" in settings.kafka or not _is_own(settings, endpoints):
        return {}
    file = _file(Home(settings.home))
    try:
        return account("PLAIN", OPERATOR, file.read_text("ascii"))
    except FileNotFoundError:  # nothing was ever started here
        return {}
    except PermissionError:
        raise Stop(
            f"{file} is for its owner only",
            mend="work as the user who started Crosstown, or with an account of your own in"
            " CROSSTOWN_BOOTSTRAP, CROSSTOWN_REGISTRY and CROSSTOWN_KAFKA",
        ) from None


def at_registry(settings: Settings, url: str) -> tuple[str, str] | None:
    """Name and password for changes at the registry at `url`; None unless it is known to be ours."""
    if settings.registry_password and url == settings.registry:
        return OPERATOR, settings.registry_password.get_secret_value()
    home = Home(settings.home)
    try:
        if url != f"http://127.0.0.1:{home.registry_port.read_text('ascii')}":
            return None  # nobody else is told
        return OPERATOR, _file(home).read_text("ascii")
    except (OSError, ValueError):  # it has none yet, or it is another user's
        return None


def account(mechanism: str, name: str, secret: str) -> dict[str, str]:
    """An account's settings in librdkafka's words."""
    return {
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
        "sasl.username": name, "sasl.password": secret,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spoken:
    """How aiokafka is told what librdkafka's settings say."""

    protocol: str
    mechanism: str
    username: str
    password: str
    tls: ssl.SSLContext


def spoken(given: Mapping[str, Any]) -> Spoken:
    """Protocol, login and TLS of librdkafka's settings; a mechanism nobody named is PLAIN."""
    return Spoken(
        given.get("security.protocol", "PLAINTEXT").upper(),
        given.get("sasl.mechanism") or given.get("sasl.mechanisms", "PLAIN"),
        given.get("sasl.username", ""), given.get("sasl.password", ""),
        ssl.create_default_context(cafile=given.get("ssl.ca.location") or None),
    )  # fmt: skip


def _file(home: Home) -> Path:
    return home.broker / "operator.secret"


def _is_own(settings: Settings, endpoints: Endpoints) -> bool:
    """Whether that is the broker of this home, also where its address was given by hand."""
    if settings.embedded:
        return True
    try:
        known = json.loads((Home(settings.home).broker / "broker.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return f"127.0.0.1:{known.get('port')}" == endpoints.bootstrap
