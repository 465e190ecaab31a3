"""The number that a message of a feed has as its key. Pure."""

from __future__ import annotations


def number_of(key: bytes | None) -> int:
    """The number that a message's key is; 0 where it's none."""
    text = key or b""
    return int(text) if text.isdigit() and len(text) <= 18 else 0
