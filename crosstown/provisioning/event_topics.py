"""The topics that agencies publish on, and their schemas: made when somebody first needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstown.backbone import kafka
from crosstown.errors import Refused, Stop
from crosstown.provisioning.wanted import events
from crosstown.registry.client import Registry

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from crosstown.contracts.checked import Checked


class EventTopics:
    """What one cluster has of them; a topic that is there already stays as its owner made it."""

    def __init__(self, admin: AdminClient, registry: Registry, timeout: float = 30) -> None:
        self._admin, self._registry, self._timeout = admin, registry, timeout
        self._present = set(admin.list_topics(timeout=10).topics)

    def schema_id(self, event: Checked) -> int:
        """The id under which an event's schema is registered; its topic is there then.

        Raises `Unavailable`; `Stop` where the registry won't have the schema.
        """
        if event.topic not in self._present:
            topic = events(event.topic, event.contract)
            kafka.ensure_topics(self._admin, [topic], self._timeout)
            self._present.add(event.topic)
        try:
            return self._registry.register(
                event.contract.subject(event.agency), event.contract.schema_text
            )
        except Refused as error:
            raise Stop(f"the registry won't have the schema of {event.contract.id}: {error}",
                       mend=error.mend or "a changed schema needs a new version") from None  # fmt: skip

    def forget(self, topic: str) -> None:
        """Look again whether this topic is there: somebody may have deleted it."""
        self._present.discard(topic)
