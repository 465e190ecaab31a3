"""What a feed needs before its first message: a topic of its own, and a schema at the registry."""

from __future__ import annotations

import json
from typing import Any, Final

from confluent_kafka.admin import AdminClient

from crosstown.agreements.agreement import Agreement
from crosstown.backbone import kafka
from crosstown.errors import CrosstownError, Refused, Stop
from crosstown.provisioning.wanted import feed
from crosstown.registry.client import Registry

COMPATIBILITY: Final = "NONE"
"""Of a feed's subject: changed terms change the form, and both parties have accepted that."""


class SetAside(CrosstownError):
    """One agreement can't be carried out as it stands; the others can."""

    def __init__(self, agreement: str, why: Stop | Refused) -> None:
        super().__init__(f"{agreement}: {why}", mend=why.mend)
        self.agreement = agreement


def lay(admin: AdminClient, registry: Registry, agreement: Agreement, schema: Any) -> int:
    """Make topic and subject if they aren't there; the schema's id.

    Raises `SetAside` where that can't be, `Unavailable` where Kafka or the registry doesn't answer.
    """
    subject = f"{agreement.topic}-value"
    try:
        topic = feed(agreement)
        kafka.ensure_topics(admin, [topic])
        kafka.keep_configs(admin, [topic])
        if registry.compatibility(subject) != COMPATIBILITY:
            registry.set_compatibility(subject, COMPATIBILITY)
        return registry.register(subject, json.dumps(schema))
    except (Stop, Refused) as error:
        raise SetAside(agreement.id, error) from None
