"""Crosstown: agencies say what happened; their events become cross-agency case timelines, on Kafka.

For programs and notebooks: `from crosstown import Client`, which is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosstown.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    if name != "Client":
        raise AttributeError(f"module 'crosstown' has no attribute {name!r}")
    from crosstown.client import Client

    return Client
