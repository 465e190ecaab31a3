"""The secrets that this home knows: each is looked for wherever it may have got to.

None is shown, none is made: a file that isn't there, or isn't ours to read, adds nothing.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import SecretStr

from crosstown.home import Home
from crosstown.settings import Settings

SHORTEST: Final = 4
"""A secret of fewer characters can't be told from the words around it; its settings are left out."""
LARGEST: Final = 1_000_000
"""Bytes of a file that are looked at for secrets."""
SET: Final = "is set"
"""What is told of a secret."""
OPEN: Final = frozenset((
    "bootstrap.servers", "security.protocol", "sasl.mechanism", "sasl.mechanisms", "client.id",
    "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification",
    "compression.type", "log_level", "debug",
))  # fmt: skip
"""librdkafka's settings whose values may be seen; of all others only the name."""


def known(settings: Settings, environment: Mapping[str, str] = os.environ) -> set[str]:
    """Every secret of this installation, as it is and as it may be written."""
    home = Home(settings.home)
    found = {*_of_settings(settings), *_of_files(home, settings)}
    addresses = [settings.bootstrap, settings.registry, *environment.values()]
    found.update(part for url in addresses for part in in_address(url))
    found.update(
        value for name, value in environment.items()
        if tells(name) and len(value) >= 8 and not value.startswith(("/", "."))
    )  # fmt: skip
    return {form for one in found if len(one) >= SHORTEST for form in forms(one)}


def forms(secret: str) -> Iterator[str]:
    """A secret as it is, in an address, in JSON, in Base64 and in hexadecimal digits."""
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    data = secret.encode("utf-8", "surrogateescape")
    for coded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        yield coded.decode().rstrip("=")
    yield data.hex()


def in_address(url: str) -> Iterator[str]:
    """The password in a URL, and, since Basic is sent as both in one, name and password."""
    if "@" not in url:
        return
    try:
        said = urlsplit(url if "//" in url else f"//{url}")
        name, password = unquote(said.username or ""), said.password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
        yield f"{name}:{unquote(password)}"
    elif name:
        yield name  # a token in a name's place


def _of_settings(settings: Settings) -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
            yield from in_address(value.get_secret_value())
    for name, value in settings.kafka.items():
        if tells(name):
            yield from (value, *value.splitlines())
    name, password = (
        settings.kafka.get("sasl.username", ""),
        settings.kafka.get("sasl.password", ""),
    )
    if password:
        yield f"{name}:{password}"


def _of_files(home: Home, settings: Settings) -> Iterator[str]:
    """Whole lines of key files, and every text in the files that list keys."""
    for file in (*home.path.glob("*.key"), *home.path.rglob("*.secret"), settings.gateway_key):
        for line in _read(file).splitlines():
            yield line.strip()
    operator = _read(home.broker / "operator.secret").strip()
    if operator:
        yield f"crosstown:{operator}"
    for file in (home.keys, home.webhooks):
        try:
            yield from _long_texts(json.loads(_read(file) or "null"))
        except ValueError:
            continue
    for line in _read(home.client).splitlines():
        name, _, value = line.partition("=")
        if tells(name):
            yield value


def _long_texts(value: Any) -> Iterable[str]:
    """Texts of the length of a key, anywhere within."""
    match value:
        case str() if len(value) >= 16:
            yield value
        case dict():
            for one in value.values():
                yield from _long_texts(one)
        case list():
            for one in value:
                yield from _long_texts(one)
        case _:
            return


def _read(file: Path | None) -> str:
    """What an ordinary file holds; empty where it isn't there, isn't ours, or is something else."""
    if file is None:
        return ""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return ""
        with file.open("rb") as data:
            return data.read(LARGEST).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def tells(name: str) -> bool:
    """Whether a setting or variable of this name holds a secret."""
    words = re.split(r"[^A-Z]+", name.upper())
    return any(word in _TELLING for word in words) and not name.lower().endswith("location")


_TELLING: Final = frozenset((
    "PASSWORD", "PASSWD", "PGPASSWORD", "SECRET", "TOKEN", "KEY", "APIKEY", "CREDENTIAL", "CREDENTIALS",
    "JAAS", "PEM", "PASSPHRASE",
))  # fmt: skip
