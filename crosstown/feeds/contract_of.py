"""Under which contract a message of `accepted` came in.

Intake says it in a header. Messages that were accepted before it did are looked up: by their
payload's schema, in whose subjects the topic stands. Where that leaves a doubt there is no answer,
and what has no contract isn't shared.
"""

from __future__ import annotations

import logging
from typing import Final

from confluent_kafka import Message

from crosstown.accepting.intake import CONTRACT
from crosstown.avro.codec import unframe
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused
from crosstown.event.envelope import read_long, read_prefix
from crosstown.registry.client import Registry

log = logging.getLogger(__name__)

UNKNOWN: Final = ""
_FRAME: Final = 5
_SUFFIX: Final = "-value"


class ContractOf:
    """Answers for one repository's contracts; raises `Unavailable` where the registry must be asked."""

    def __init__(self, repository: Repository, registry: Registry) -> None:
        self._repository = repository
        self._registry = registry
        self._known: dict[tuple[int, str], str] = {}

    def __call__(self, message: Message) -> str:
        """The contract's id; empty where it isn't known, and for a tombstone."""
        for name, value in message.headers() or ():
            if name == CONTRACT and value is not None:
                return str(value, "utf-8")
        value = message.value()
        return UNKNOWN if value is None else self._looked_up(value)

    def _looked_up(self, value: bytes) -> str:
        fields, at = read_prefix(value, _FRAME)
        for _ in ("known_at", "via", "the payload's length"):
            _, at = read_long(value, at)
        asked = unframe(value[at:])[0], fields["agency"]
        if asked not in self._known:
            self._known[asked] = self._by_schema(*asked)
        return self._known[asked]

    def _by_schema(self, schema_id: int, agency: str) -> str:
        try:
            subjects = self._registry.subjects_of(schema_id)
        except Refused:
            subjects = []
        found = set()
        for subject in subjects:
            behind = self._repository.for_topic(subject.removesuffix(_SUFFIX))
            if behind is not None and (behind[0].for_others or behind[1] == agency):
                found.add(behind[0].id)
        if len(found) == 1:
            return found.pop()
        log.warning("events of %s with schema %d are shared with nobody: their contract %s", agency,
                    schema_id, f"is one of {', '.join(sorted(found))}" if found else "isn't known")  # fmt: skip
        return UNKNOWN
