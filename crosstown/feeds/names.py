"""Names that hold under one agreement only: nobody else, and no other agreement, can make them again.

A record's number, and so the UUIDv5 of it, can be guessed; a name takes the installation's secret.
Pure; the secret is an argument. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one agreement; each is 32 hex digits."""

    key: bytes = field(repr=False)

    @classmethod
    def under(cls, secret: bytes, agreement: str) -> Names:
        """The names under the agreement of this id; `secret` is the installation's."""
        return cls(hmac.digest(secret, f"agreement:{agreement}".encode(), "sha256"))

    def event(self, event_id: str) -> str:
        """The name of an event, by its id in the envelope."""
        return self._name(f"event:{event_id}")

    def record(self, record: str) -> str:
        """The name of a record, by its full number `agency/register/number`."""
        return self._name(f"record:{record}")

    def case(self, case_id: str) -> str:
        """The name of a timeline: `case_id` is UUIDv5 of [jurisdiction, its first covered record]."""
        return self._name(f"case:{case_id}")

    def _name(self, text: str) -> str:
        return hmac.digest(self.key, text.encode(), "sha256").hex()[:_DIGITS]
