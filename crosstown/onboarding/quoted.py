"""Foreign text inside files that are being made: it is shown there, and never means anything."""

from __future__ import annotations

import json


def yaml_text(text: str) -> str:
    """A text as a YAML scalar in double quotes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def python_text(text: str) -> str:
    """A text as Python writes it, in double quotes where it has none itself."""
    plain = text.isprintable() and not set(text) & {'"', "\\"}
    return f'"{text}"' if plain else repr(text)


def comment(text: str, limit: int = 60) -> str:
    """A text on one line of a comment."""
    line = " ".join("".join(c if c.isprintable() else "?" for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
