"""Names that must never change: event ids, case ids, shards.

Source of the rules: docs/decisions/0002. Golden values: tests/golden/identity.json.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from functools import lru_cache
from json.encoder import encode_basestring

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:crosstown")
_NAMESPACE_BYTES = NAMESPACE.bytes
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def uuid5_of(*values: object) -> str:
    """UUIDv5 (RFC 9562) of the compact JSON array of `values`, as 36 characters.

    Compact means: separators `,` and `:`, no ASCII escapes, UTF-8.
    """
    try:
        name = "[" + ",".join([encode_basestring(v) for v in values]) + "]"  # type: ignore[arg-type]
    except TypeError:  # not all are text
        name = _encode(values)
    data = _NAMESPACE_BYTES + name.encode("utf-8", "surrogatepass")
    h = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


def event_id(record: str, event_type: str, identity: tuple[object, ...] = ()) -> str:
    """The id of one happening: UUIDv5 of [record, type, identity values...]."""
    return uuid5_of(record, event_type, *identity)


@lru_cache(maxsize=65_536)
def case_key(jurisdiction: str, record: str) -> str:
    """The key of a record in `timelines`; for the record that heads a case, the case's id."""
    return uuid5_of(jurisdiction, record)


def slug(name: str) -> str:
    """A name as an id: lower case, runs of anything but a-z and 0-9 become one `-`.

    >>> slug("Mayor's 24 Hour Hotline")
    'mayor-s-24-hour-hotline'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def slug_suffix(name: str) -> str:
    """What tells two names with one slug apart: 8 hex digits of the name's SHA-256."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]


@lru_cache(maxsize=4_096)
def murmur2(key: str) -> int:
    """Kafka's default partitioner hash of a key's UTF-8 bytes, made positive.

    Source: org.apache.kafka.common.utils.Utils.murmur2 and toPositive.
    """
    data = key.encode()
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * m) & mask
        k = ((k ^ (k >> 24)) * m) & mask
        h = ((h * m) & mask) ^ k
    tail = data[whole:]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * m) & mask
    h = ((h ^ (h >> 13)) * m) & mask
    return (h ^ (h >> 15)) & 0x7FFFFFFF


def shard(jurisdiction: str, partitions: int) -> int:
    """The partition that a jurisdiction's events and timelines lie on."""
    return murmur2(jurisdiction) % partitions
