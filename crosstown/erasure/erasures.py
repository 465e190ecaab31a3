"""Which records are to be forgotten: erasures and legal holds, by the keyed hash of a record's name.

A record is erased while an erasure of it counts and no hold does. Pure; the key is an argument.
Source of the rules: docs/decisions/0012.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

ERASED: Final = "record.erased"
HELD: Final = "record.held"
RESERVED: Final = "record."
"""The beginning of these types; intake lets no other contract use it."""
ANY_AGENCY: Final = "any_agency"
"""The flag that intake gives to the word of an agency with the role `erase`: it may name others' records."""
_WITHDRAWN: Final = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Key:
    """The installation's secret under which records are named in erasures."""

    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """What tells two keys apart without telling the key: 8 hex digits."""
        return sha256(self.secret).hexdigest()[:8]

    def name(self, record: str) -> str:
        """The keyed hash of a record's full name, with the key's fingerprint: `<8 hex>.<64 hex>`."""
        return f"{self.fingerprint}.{_hash(self.secret, record)}"


@lru_cache(maxsize=65_536)
def _hash(secret: bytes, record: str) -> str:
    return hmac.digest(secret, record.encode(), "sha256").hex()


@dataclass(slots=True)
class _Word:
    """One erasure or hold: of each content when it was last said and whether it stands."""

    said: dict[bytes, tuple[int, bool, bool]] = field(default_factory=dict)

    def counting(self) -> tuple[bool, bool]:
        """Whether it stands, and whether for every agency's records: by the rule of versions."""
        _, _, stands, everyone = max(
            (at, content, stands, everyone) for content, (at, stands, everyone) in self.said.items()
        )
        return stands, everyone


@dataclass(frozen=True, slots=True)
class Heard:
    """What a saying changed for the records that `hashed` names: some may be to erase, or to restore."""

    hashed: str
    erases: bool
    restores: bool


@dataclass(slots=True)
class Erasures:
    """All that was said of erasing and holding, in any order."""

    key: Key
    heard: int = 0
    """How many words on erasing were heard so far."""
    latest: int = 0
    """When the last of them was said, or something was last erased for one, microseconds UTC."""
    _words: dict[tuple[str, str, str], _Word] = field(default_factory=dict)
    _of: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def say(self, fields: Mapping[str, Any], content: bytes, known_at: int) -> Heard:
        """Take one version of a `record.*` event in.

        `fields` are the envelope's; its record is `<agency>/erasure/<fingerprint>.<hash>`.
        """
        self.heard += 1
        self.latest = max(self.latest, known_at)
        agency, _, hashed = fields["record"].split("/", 2)
        at = (hashed, fields["type"], agency)
        word = self._words.get(at)
        if word is None:
            word = self._words[at] = _Word()
            self._of.setdefault(hashed, []).append(at)
        last = word.said.get(content, (known_at,))[0]
        stands = fields["step"] != _WITHDRAWN
        before = self._standing(hashed)
        word.said[content] = (max(last, known_at), stands, ANY_AGENCY in fields["flags"])
        after = self._standing(hashed)
        return Heard(hashed, bool(after) and before != after, bool(before) and before != after)

    @property
    def any(self) -> bool:
        """Whether anything was ever said of erasing."""
        return bool(self._words)

    def concerns(self, fields: Mapping[str, Any]) -> bool:
        """Whether an envelope is of an erased record, or people's word on one."""
        if fields["type"].startswith("link."):
            return any(map(self.erased, fields["refs"]))
        return self.erased(fields["record"])

    def erased(self, record: str) -> bool:
        """Whether no event of this record counts."""
        if not self._words:
            return False
        words = {
            kind
            for kind, agency, everyone in self._standing(self.key.name(record))
            if everyone or record.startswith(agency + "/")
        }
        return ERASED in words and HELD not in words

    def matching(self, hashed: str, record: str) -> bool:
        """Whether a hash names this record."""
        return self.key.name(record) == hashed

    def _standing(self, hashed: str) -> set[tuple[str, str, bool]]:
        """Who has it erased or held now, as (type, agency, for every agency's records)."""
        found = set()
        for at in self._of.get(hashed, ()):
            if self._words[at].said:
                stands, everyone = self._words[at].counting()
                if stands:
                    found.add((at[1], at[2], everyone))
        return found
