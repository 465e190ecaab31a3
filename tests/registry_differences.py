"""Where a registry answers otherwise than Confluent's documents say, and why; docs/registry.md."""

from __future__ import annotations

from typing import Any

APICURIO = "Apicurio 3.3.3"
OURS = "ours"

DIFFERENCES: dict[tuple[str, str], tuple[Any, str]] = {}
