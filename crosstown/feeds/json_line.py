"""A feed's message as JSON on one line; times in ISO 8601, UTC. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

from crosstown.registry.read_back import plain_text


def json_line(fields: dict[str, Any]) -> bytes:
    """A row as JSON without spaces."""
    try:
        text = _json(fields)
    except ValueError:
        text = _json(_finite(fields))
    return text.encode("utf-8", "replace")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                      default=plain_text)  # fmt: skip


def _finite(value: Any) -> Any:
    """JSON has no word for what isn't a finite number: null."""
    match value:
        case dict():
            return {name: _finite(one) for name, one in value.items()}
        case list():
            return [_finite(one) for one in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
