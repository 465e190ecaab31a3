"""Whether a cluster and a registry of one's own answer."""

from __future__ import annotations

from typing import Any

from crosstown.backbone import kafka
from crosstown.home import Endpoints, shown
from crosstown.settings import Settings
from crosstown.tls import trusting


def kafka_answers(settings: Settings, timeout: float = 2.0) -> bool:
    """Whether the cluster of the settings answers within `timeout` seconds."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    def quiet(_error: Any) -> None:
        pass

    there = Endpoints(settings.bootstrap, settings.registry)
    how = {**kafka.client(settings, there), "log_level": 0, "error_cb": quiet}
    try:
        AdminClient(how).list_topics(timeout=timeout)
    except KafkaException:
        return False
    return True


def registry_answers(settings: Settings, timeout: float = 2.0) -> bool:
    """Whether the registry of the settings answers (asking for a password is an answer)."""
    import httpx

    try:
        url = f"{shown(settings.registry).rstrip('/')}/subjects"
        return httpx.get(url, timeout=timeout, verify=trusting(settings.ca)).status_code < 500
    except httpx.HTTPError:
        return False
