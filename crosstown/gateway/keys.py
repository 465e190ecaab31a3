"""Agencies' keys to the gateway: who may push as whom, in `HOME/keys.json`, as hashes only.

A key is `ct_<agency>_<64 hex digits>`, 256 random bits, shown once. With so much chance in it
SHA-256 is enough: nobody can try them all. Changes go through a lock and replace the file in one
piece; who reads sees the old or the new.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from crosstown.errors import NotFound, Stop
from crosstown.private import write_private
from crosstown.processes.lock import waiting_for


@dataclass(frozen=True, slots=True)
class Secret:
    """One valid secret's hash; `ends` (microseconds UTC) is set once another has replaced it."""

    sha256: str
    ends: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An agency's key, the newest secret first; times are microseconds UTC."""

    created: int
    rotated: int | None
    secrets: tuple[Secret, ...]

    def still(self, now: int) -> Key:
        """The same without the secrets that have ended."""
        return replace(
            self, secrets=tuple(s for s in self.secrets if s.ends is None or s.ends > now)
        )


Keys = Mapping[str, Key]
"""By agency."""


def who(keys: Keys, said: str, now: int) -> str:
    """The agency whose key was said; empty where it's nobody's.

    Looks at every hash, whichever agency the key names: the time taken tells nothing.
    """
    digest = _hash(said)
    found = ""
    for agency, key in keys.items():
        for secret in key.secrets:
            same = hmac.compare_digest(secret.sha256, digest)
            if same and (secret.ends is None or secret.ends > now):
                found = agency
    return found


def _hash(said: str) -> str:
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def _new(agency: str) -> str:
    return f"ct_{agency}_{secrets.token_hex(32)}"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of one home; every change is a new file."""

    path: Path

    def read(self) -> dict[str, Key]:
        """All keys; none where there is no file. `Stop` where it can't be read."""
        try:
            said = json.loads(self.path.read_text("utf-8"))
            return {
                agency: Key(one["created"], one["rotated"],
                            tuple(Secret(s["sha256"], s["ends"]) for s in one["secrets"]))
                for agency, one in said["keys"].items()
            }  # fmt: skip
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Stop(f"{self.path} can't be read: {type(error).__name__}: {error}",
                       mend="put back a copy of it, or delete it and make new keys") from None  # fmt: skip

    def add(self, agency: str, now: int) -> str:
        """A new agency's key; `Stop` where it has one."""
        with self._changing() as keys:
            if agency in keys:
                raise Stop(f"{agency} has a key",
                           mend=f"a new one: crosstown key rotate {agency}")  # fmt: skip
            said = _new(agency)
            keys[agency] = Key(now, None, (Secret(_hash(said)),))
        return said

    def rotate(self, agency: str, now: int, grace: int) -> str:
        """A new key; the old ones end after `grace` microseconds, never later than they would."""
        with self._changing() as keys:
            key = _known(keys, agency).still(now)
            said = _new(agency)
            old = [
                replace(s, ends=min(now + grace, s.ends or now + grace))
                for s in key.secrets
                if grace
            ]
            keys[agency] = Key(key.created, now, (Secret(_hash(said)), *old))
        return said

    def revoke(self, agency: str) -> None:
        """End all that an agency has, at once."""
        with self._changing() as keys:
            _known(keys, agency)
            del keys[agency]

    def only(self, hashes: Collection[str]) -> None:
        """End every key but those whose SHA-256 is given."""
        with self._changing() as keys:
            for agency, key in list(keys.items()):
                left = tuple(secret for secret in key.secrets if secret.sha256 in hashes)
                if left:
                    keys[agency] = replace(key, secrets=left)
                else:
                    del keys[agency]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        with waiting_for(self.path.with_suffix(".lock"), lambda: None):
            keys = self.read()
            yield keys
            part = self.path.with_suffix(f".{os.getpid()}.part")
            value: dict[str, Any] = {"keys": {agency: asdict(key) for agency, key in keys.items()}}
            write_private(part, json.dumps(value, indent=1))
            part.replace(self.path)


def _known(keys: Keys, agency: str) -> Key:
    if agency not in keys:
        raise NotFound(f"{agency} has no key", mend=f"crosstown key add {agency}")
    return keys[agency]


class KeysNow:
    """The keys as the file has them at each moment, read again when it has changed."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = (-1, -1, -1)
        self._keys: Keys = {}

    def __call__(self) -> Keys:
        """The keys; raises `Stop` where the file can't be read: then nobody comes in."""
        try:
            now = self._file.path.stat()
            seen: tuple[int, int, int] | None = (now.st_mtime_ns, now.st_size, now.st_ino)
        except FileNotFoundError:
            seen = None
        if seen != self._seen:
            self._keys = self._file.read()
            self._seen = seen
        return self._keys
