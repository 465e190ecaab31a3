"""A street address as a key, so that the ways in which offices write one house come to one place."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from crosstown.event.identity import slug

KINDS: Final = {
    "street": "st", "avenue": "ave", "av": "ave", "road": "rd", "place": "pl", "lane": "ln",
    "drive": "dr", "court": "ct", "boulevard": "blvd", "square": "sq", "terrace": "ter",
    "highway": "hwy", "parkway": "pkwy", "circle": "cir", "alley": "aly",
}  # fmt: skip
SIDES: Final = {"north": "n", "south": "s", "east": "e", "west": "w"}
_UNIT: Final = re.compile(r"(,|#|\b(?:apt|apartment|unit|suite|ste|floor|fl|rm|room)\b).*")


def _folded(text: str) -> str:
    """In lower case and without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one))


@lru_cache(maxsize=65_536)
def street_key(text: str) -> str:
    """House, street and kind of street in lower case with `-` between, without unit and town.

    >>> street_key("12 ELM STREET, Apt 3"), street_key("12 N. Main St. #4"), street_key("7 Court Rd")
    ('12-elm-st', '12-n-main-st', '7-court-rd')

    Accents are left out, as most keyboards do: N with a tilde and plain n are one street.
    """
    words = slug(_UNIT.sub("", _folded(text))).split("-")
    words[-1] = KINDS.get(words[-1], words[-1])
    if len(words) >= 4:
        words[1] = SIDES.get(words[1], words[1])
    return "-".join(words)
