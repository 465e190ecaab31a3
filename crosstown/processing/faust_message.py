"""A message as Faust has read it, in the words of confluent-kafka: raw bytes and where it lay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Message:
    """One raw message; what takes confluent-kafka's message takes this one too."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def topic(self) -> str:
        """The topic that it lies on."""
        return str(self._raw.topic)

    def partition(self) -> int:
        """The partition that it lies on."""
        return int(self._raw.partition)

    def offset(self) -> int:
        """Its place in the partition."""
        return int(self._raw.offset)

    def key(self) -> bytes | None:
        """Its key as it was sent."""
        return None if self._raw.key is None else bytes(self._raw.key)

    def value(self) -> bytes | None:
        """Its value as it was sent; None: a tombstone."""
        return None if self._raw.value is None else bytes(self._raw.value)

    def timestamp(self) -> tuple[int, int]:
        """The kind of its time stamp, and the time in milliseconds UTC."""
        return int(self._raw.timestamp_type or 0), round((self._raw.timestamp or 0) * 1000)

    def headers(self) -> list[tuple[str, bytes | None]]:
        """Its headers in order."""
        found = self._raw.headers or ()
        return list(found.items() if isinstance(found, Mapping) else found)

    def __str__(self) -> str:
        return f"{self.topic()}[{self.partition()}] offset {self.offset()}"
