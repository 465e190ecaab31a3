"""The file `client.properties` of a home: what Kafka clients that aren't ours need to connect.

librdkafka's settings, one `name=value` a line, as kcat reads them (`kcat -F`). It may come to hold a
password, so only its owner reads it.
"""

from __future__ import annotations

import os

from crosstown.home import Endpoints, Home
from crosstown.settings import Settings


def write_client(home: Home, settings: Settings, endpoints: Endpoints) -> None:
    """Write it in one piece: the broker's address, and what CROSSTOWN_KAFKA adds."""
    said = {"bootstrap.servers": endpoints.bootstrap, **settings.kafka}
    part = home.client.with_suffix(f".{os.getpid()}.part")
    part.unlink(missing_ok=True)
    part.touch(0o600)
    part.write_text("".join(f"{name}={value}\n" for name, value in said.items()), "utf-8")
    part.replace(home.client)
