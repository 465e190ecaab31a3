"""Times as systems write them, as microseconds UTC.

A local time that occurs twice is taken as the first, one that is skipped as if the clock had not
been changed yet (PEP 495, fold=0); both are flagged.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from crosstown.moments import micros

AMBIGUOUS: Final = "ambiguous_local_time"
NONEXISTENT: Final = "nonexistent_local_time"
_DAY: Final = dt.timedelta(days=1)
_PARTS: Final = {
    "Y": r"(?P<Y>\d{4})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})", "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})",
    "p": r"(?P<p>[AaPp][Mm])",
    "b": r"(?P<b>[A-Za-z]{3})", "y": r"(?P<y>\d{2})", "f": r"(?P<f>\d{1,9})",
}  # fmt: skip
_MONTHS: Final = {
    "jan": "1", "feb": "2", "mar": "3", "apr": "4", "may": "5", "jun": "6", "jul": "7", "aug": "8",
    "sep": "9", "oct": "10", "nov": "11", "dec": "12",
}  # fmt: skip
_FIXED: Final = {**_PARTS, **{one: rf"(?P<{one}>\d\d)" for one in "mdHMS"}}


class LocalTimes:
    """Reads times of one zone written in one form (strptime's `%Y %y %m %b %d %H %I %M %S %f %p`).

    Months are in English; a year of two digits is one of this century.
    """

    def __init__(self, zone: str, form: str) -> None:
        self._zone = ZoneInfo(zone)
        self._form = form
        self._read = re.compile(_pattern(form)).fullmatch
        self._twelve = "%I" in form
        self._day = lru_cache(maxsize=4_096)(self._even_day)

    def read(self, text: str) -> tuple[int, str]:
        """Microseconds UTC and a flag (empty for most); raises `ValueError` where it's no time."""
        found = self._read(text)
        if found is None:
            raise ValueError(f"{text[:40]!r} is not of the form {self._form}")
        part = found.groupdict("0")
        if "b" in part:
            part["m"] = _MONTHS.get(part["b"].lower(), "0")
        if "y" in part:
            part["Y"] = f"20{part['y']}"
        hour, minute, second = _clock(part, twelve=self._twelve)
        if hour > 23 or minute > 59 or second > 59:
            raise ValueError(f"{text[:40]!r} is no time of a day")
        try:
            midnight = self._day(part["Y"], part["m"], part["d"])
        except (ValueError, OverflowError):
            raise ValueError(f"{text[:40]!r} is no day of the calendar") from None
        micro = int(f"{part['f']}00000"[:6]) if "f" in part else 0
        if midnight is not None:
            return midnight + (hour * 3600 + minute * 60 + second) * 1_000_000 + micro, ""
        return self._slow(dt.datetime(int(part["Y"]), int(part["m"]), int(part["d"]),
                                      hour, minute, second, micro, tzinfo=self._zone))  # fmt: skip

    def _even_day(self, year: str, month: str, day: str) -> int | None:
        """Midnight in microseconds UTC of a day on which no clock is changed; None for others."""
        start = dt.datetime(int(year), int(month), int(day), tzinfo=self._zone)
        end = start + _DAY
        offsets = {at.replace(fold=fold).utcoffset() for at in (start, end) for fold in (0, 1)}
        return micros(start) if len(offsets) == 1 else None

    def _slow(self, local: dt.datetime) -> tuple[int, str]:
        first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
        flag = ""
        if first is not None and second is not None and first != second:
            flag = AMBIGUOUS if first > second else NONEXISTENT
        return micros(local), flag


def _pattern(form: str) -> str:
    """A regular expression for a form; parts that touch have fixed widths."""
    pieces = re.split(r"%([A-Za-z])", form)
    out = [re.escape(pieces[0])]
    for i in range(1, len(pieces), 2):
        touching = (not pieces[i + 1] and i + 2 < len(pieces)) or (i > 1 and not pieces[i - 1])
        out += [(_FIXED if touching else _PARTS)[pieces[i]], re.escape(pieces[i + 1])]
    return "".join(out)


def _clock(part: dict[str, str], *, twelve: bool) -> tuple[int, int, int]:
    minute, second = int(part.get("M", "0")), int(part.get("S", "0"))
    if not twelve:
        return int(part.get("H", "0")), minute, second
    hour = int(part["I"])
    if not 1 <= hour <= 12:
        return 99, minute, second
    return hour % 12 + (12 if part.get("p", "a")[0] in "Pp" else 0), minute, second
