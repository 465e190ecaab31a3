"""A text in plain characters, with the way back to where each of them stood."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


def folded(text: str) -> tuple[str, list[int]]:
    """The plain text, and for each of its characters where it stood.

    Wide digits and all kinds of dashes and spaces become the usual ones, letters lose their marks, and
    what has no width goes.
    """
    parts: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        plain = _fold(character)
        parts.append(plain)
        places += [at] * len(plain)
    return "".join(parts), places


@lru_cache(maxsize=4_096)
def _fold(character: str) -> str:
    if character in "\t\n\r\x0b\x0c":
        return " "
    plain = []
    for one in unicodedata.normalize("NFKD", character):
        category = unicodedata.category(one)
        if category in ("Cf", "Cc", "Mn", "Me"):
            continue
        if category == "Nd":
            one = str(unicodedata.digit(one))  # noqa: PLW2901 - the same digit, as we write it
        elif category == "Pd" or one == "\u2212":
            one = "-"  # noqa: PLW2901
        elif category.startswith("Z"):
            one = " "  # noqa: PLW2901
        elif one in "\u00b7\u2022\u2219\u2027\u30fb":
            one = "."  # noqa: PLW2901
        plain.append(one)
    return "".join(plain)
