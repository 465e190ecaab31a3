"""Whether Kafka answers this process, asked every few seconds on a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from crosstown.backbone import kafka
from crosstown.errors import CrosstownError
from crosstown.home import Endpoints
from crosstown.settings import Settings

LOOK_EVERY: Final = 5.0
PATIENCE: Final = 4.0
"""Seconds that Kafka is given to answer."""
OLD: Final = 30.0
"""Seconds after which an answer says nothing of now."""


class BrokerLook:
    """Looks until the process ends; `why` says what is wrong, and never waits."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._said = ""
        self._at = time.monotonic()
        threading.Thread(target=self._run, name="broker look", daemon=True).start()

    def why(self) -> str:
        """Why Kafka can't be used from here now; empty: it answered lately."""
        age = time.monotonic() - self._at
        return self._said or (f"Kafka wasn't looked at for {age:.0f} s" if age > OLD else "")

    def _run(self) -> None:
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": lambda _error: None}
        try:
            admin = AdminClient({**kafka.client(self._settings, self._endpoints), **quiet})
        except (KafkaException, CrosstownError) as error:
            self._said = f"no client of Kafka can be made: {error}"
            return
        pause = threading.Event()
        while True:
            self._said = self._look(admin)
            self._at = time.monotonic()
            pause.wait(LOOK_EVERY)

    def _look(self, admin: AdminClient) -> str:
        try:
            admin.describe_cluster(request_timeout=PATIENCE).result()
        except KafkaException as error:
            return f"no Kafka answers at {self._endpoints.bootstrap}: {error.args[0].str()}"
        return ""
