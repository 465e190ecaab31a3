"""What running programs say of themselves, asked from outside at their metrics' address."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

WAIT: Final = 2.0
"""Seconds that one program is given to answer."""
SILENT: Final = "it doesn't answer"


def probe(metrics_url: str, path: str, wait: float = WAIT) -> list[str] | None:
    """Why a probe fails, each reason in words; empty: it doesn't. None: nobody answers there."""
    try:
        with urlopen(metrics_url.removesuffix("/metrics") + path, timeout=wait) as answer:  # noqa: S310 - http, as the supervisor wrote it
            answer.read(1)
    except HTTPError as error:
        with error:
            return _reasons(error)
    except (OSError, ValueError):
        return None
    return []


def _reasons(error: HTTPError) -> list[str]:
    try:
        said: Any = json.loads(error.read(65_536))
        return [str(one["why"] or one["name"]) for one in said["checks"] if not one["ok"]]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"it answers {error.code}"]


def unready(metrics: Mapping[str, str], names: Iterable[str]) -> dict[str, list[str]]:
    """Why programs aren't ready, by name; only of those that serve metrics and aren't."""
    asked = [name for name in names if name in metrics]
    if not asked:
        return {}
    with ThreadPoolExecutor(len(asked)) as all_at_once:
        found = all_at_once.map(lambda name: probe(metrics[name], "/readyz"), asked)
        whys = {name: [SILENT] if why is None else why
                for name, why in zip(asked, found, strict=True)}  # fmt: skip
    return {name: why for name, why in whys.items() if why}
