"""People's names, as a body's own fields tell them, in its other texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from crosstown.screen.folding import folded
from crosstown.screen.telltale import Finding

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_TITLES: Final = re.compile(
    r"(?:mr|mrs|ms|miss|mx|dr|prof|rev|jr|sr|ii|iii|none|unknown|anonymous|resident|tenant|owner|caller"
    r"|occupant|applicant|self|same|na|and|the|of|for)"
).fullmatch
_FIRMS: Final = re.compile(
    r"\b(?:llc|inc|ltd|corp|co|company|propert(?:y|ies)|management|realty|trust|associates|group|services"
    r"|construction|builders|plumbing|electric|roofing|contractors|housing|authority|apartments|city"
    r"|department|office|school|church|partners|holdings)\b"
).search


@lru_cache(maxsize=16_384)
def name_words(name: str) -> tuple[str, ...]:
    """What to look for of a name, in small letters: the whole, and its words of three letters and more.

    A company's name is looked for as a whole only.
    """
    plain = folded(name)[0].lower()
    words = [word for word in _WORD.findall(plain) if not _TITLES(word)]
    whole = " ".join(words)
    found = [whole] if len(words) > 1 else []
    if len(words) <= 5 and not _FIRMS(whole):
        found += [word for word in words if len(word) > 2]
    return tuple(dict.fromkeys(found))


def find_names(text: str, words: Sequence[str]) -> Iterator[Finding]:
    """A whole name however it is written; one word of it only where it begins with a capital."""
    lower = text.lower()
    if len(lower) != len(text):
        return
    for word in words:
        start = lower.find(word)
        while start >= 0:
            end = start + len(word)
            glued = lower[max(0, start - 1) : start].isalpha() or lower[end : end + 1].isalpha()
            if not glued and (" " in word or text[start].isupper()):
                yield Finding("name", start, end)
            start = lower.find(word, end)
