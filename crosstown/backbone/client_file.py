"""The file `client.properties` of a home: what Kafka clients that aren't ours need to connect.

librdkafka's settings, one `name=value` a line, as kcat reads them (`kcat -F`). It holds the operator's
password, so only its owner reads it; an agency's own account has a file of its own.
"""

from __future__ import annotations

import os

from crosstown.backbone.login import login, made
from crosstown.home import Endpoints, Home
from crosstown.private import write_private
from crosstown.settings import Settings


def write_client(home: Home, settings: Settings, endpoints: Endpoints) -> None:
    """Write it in one piece: the broker's address, and how to be let in."""
    if settings.embedded:
        made(home)
    how = login(settings, endpoints) | settings.kafka
    part = home.client.with_suffix(f".{os.getpid()}.part")
    said = {"bootstrap.servers": endpoints.bootstrap, **how}
    write_private(part, "".join(f"{name}={value}\n" for name, value in said.items()))
    part.replace(home.client)
