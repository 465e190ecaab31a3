"""A case as it leaves for a screen or a program: its texts screened once more.

What was accepted before its contract said so, or by older patterns, lies in the topics as it was.
Source of the rule: docs/decisions/0017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstown.screen.screening import clean


def leaving(case: Mapping[str, Any]) -> dict[str, Any]:
    """The case with its headlines and reasons masked, but for what an entry is flagged for."""
    return {
        **case,
        "entries": [
            {**one, "headline": clean(one["headline"], one["flags"])} for one in case["entries"]
        ],
        "links": [{**one, "why": clean(one["why"])} for one in case["links"]],
        "people": [{**one, "why": clean(one["why"])} for one in case["people"]],
    }
