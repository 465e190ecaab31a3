"""In which form a column writes its times; where day and month could be either, it's said.

A form is in strptime's words. Whether a text is of a form is asked of whoever will read the file
every night (`Clock`), so that what was inferred is what will be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Clock = Callable[[str, str], int | None]
"""What a form (or `ISO`) makes of a text: microseconds since 1970; None: it isn't of that form."""
ISO: Final = "ISO 8601 with its zone"
_DAYS: Final = (
    "%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %b %Y",
)  # fmt: skip
_CLOCKS: Final = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", "T%H:%M",
    "T%H:%M:%S", "T%H:%M:%S.%f", " %H%M", " %H%M%S", " %H.%M", ", %H:%M", "%H%M%S",
)  # fmt: skip
_FORMS: Final = (ISO, *(day + clock for day in _DAYS for clock in _CLOCKS))
_COULD: Final = re.compile(r"(?=.*\d).{6,40}", re.DOTALL)
_SWAPPED: Final = {"%m": "%d", "%d": "%m"}
ENOUGH: Final = 0.8
"""The share of a column's texts that must be of a form."""
"""In a file of a few rows: all of them but one."""
MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Form:
    """How a column writes its times; `other` could be it as well, by every text that is there."""

    form: str
    other: str = ""
    strange: tuple[str, ...] = ()
    """Texts that aren't of the form, the first few."""


def form_of(values: Sequence[str], clock: Clock) -> Form | None:
    """The form of a column's filled texts; None: they aren't times."""

    def reads(form: str, text: str) -> bool:
        return clock(form, text) is not None

    texts = list(dict.fromkeys(values))[:MOST]
    enough = max(2, len(texts) - 1) if 2 < len(texts) < 6 else ENOUGH * len(texts)
    if not texts or sum(_COULD.fullmatch(t) is not None for t in texts) < enough:
        return None
    first = texts[:20]
    likely = [form for form in _FORMS if any(reads(form, text) for text in first)]
    counts = {form: sum(reads(form, text) for text in texts) for form in likely}
    if not counts or max(counts.values()) < enough:
        return None
    best = max(counts, key=lambda form: counts[form])
    if "%Y%m%d" in best and not all("19" <= t[:2] <= "20" for t in texts if reads(best, t)):
        return None
    other = swapped(best)
    either = other != best and "." not in best and counts.get(other) == counts[best]
    tied = other if either else ""
    strange = tuple([text for text in texts if not reads(best, text)][:3])
    return Form(best, tied, strange)


def swapped(form: str) -> str:
    """The form with day and month in each other's place."""
    return re.sub(r"%[md]", lambda found: _SWAPPED[found[0]], form)


def style(form: str) -> str:
    """What two forms of one system have in common: the order of day and month."""
    return "".join(re.findall(r"%([mdbYy])", form))
