"""One link of an access log's chain: what it says, and how its hash is made.

Pure. What is hashed is the link as one line of JSON in the form of RFC 8785 (fields sorted, no spaces,
UTF-8), so that anybody can check a chain without Crosstown. Source of the rules: docs/audit.md.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final, Literal, get_args

from crosstown.errors import Refused

BEGINNING: Final = "0" * 64
"""What the first link of a chain has in place of the hash before it."""
What = Literal["delivery", "checkpoint"]
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EXACT: Final = 1 << 53
"""Whole numbers below it are the same in every reader of JSON."""
_NUMBERS: Final = ("number", "at", "first", "last", "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a link says, without its place among the hashes; `at` is microseconds UTC.

    A delivery: at most these messages, `first` to `last`, went to `agency`. A checkpoint: the holder of
    `key` signs all before it.
    """

    chain: str
    number: int
    at: int
    what: What
    agency: str = ""
    agreement: str = ""
    purpose: str = ""
    way: str = ""
    first: int = 0
    last: int = 0
    count: int = 0
    salt: str = ""
    key: str = ""
    signature: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """As JSON has it: `at` is ISO 8601 in UTC, always with six decimals."""
        return asdict(self) | {"at": moment(self.at)}

    @property
    def digest(self) -> str:
        """SHA-256 of its line, 64 hex digits; it tells nothing to who doesn't know the salt."""
        return sha256(line(self.fields)).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a chain: what it says, the hash of the one before it, and its own."""

    said: Said
    prior: str
    hash: str

    @classmethod
    def after(cls, prior: str, said: Said) -> Link:
        """The link that follows the one with the hash `prior`."""
        return cls(said, prior, chained(prior, said.digest))

    @property
    def row(self) -> dict[str, Any]:
        """The fields of its message in the topic, times as plain longs."""
        return asdict(self.said) | {"prior": self.prior, "hash": self.hash}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Link:
        """The link that a message's fields are."""
        said = {name: value for name, value in row.items() if name not in ("prior", "hash")}
        return cls(Said(**said), row["prior"], row["hash"])


def chained(prior: str, digest: str) -> str:
    """A link's hash, from the hash before it and the digest of what it says."""
    return sha256(f"{prior}{digest}".encode()).hexdigest()


def line(fields: Mapping[str, Any]) -> bytes:
    """One line of JSON, without its end: the one way to write these fields (RFC 8785)."""
    text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def moment(at: int) -> str:
    """Microseconds UTC as ISO 8601, always with six decimals."""
    return (_EPOCH + dt.timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(fields: Any) -> Said:
    """What one JSON object says; `Refused` (not-a-link) where it can't be one."""
    try:
        at = dt.datetime.strptime(fields["at"], "%Y-%m-%dT%H:%M:%S.%f%z") - _EPOCH
        said = Said(**fields | {"at": at // dt.timedelta(microseconds=1)})
    except (TypeError, KeyError, ValueError, AttributeError):
        raise Refused("not-a-link", "it hasn't the fields of a link") from None
    return checked(said)


def checked(said: Said) -> Said:
    """The same, if it can stand in the log; `Refused` (not-a-link) where it can't."""
    for name, value in asdict(said).items():
        if type(value) is not (int if name in _NUMBERS else str):
            raise Refused("not-a-link", f"{name} is of another type")
    if said.what not in get_args(What):
        raise Refused("not-a-link", "it is neither a delivery nor a checkpoint")
    if not all(0 <= getattr(said, name) < _EXACT for name in _NUMBERS) or said.first > said.last:
        raise Refused("not-a-link", "a number is out of range")
    try:
        line(said.fields)
    except (UnicodeEncodeError, OverflowError):
        raise Refused("not-a-link", "it can't be written as UTF-8, or not as a time") from None
    return said
