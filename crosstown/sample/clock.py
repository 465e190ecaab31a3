"""The half year of the sample city, and how its agencies' systems write a time.

It holds both nights on which clocks change. Times are seconds since 1970 UTC; local is
America/Chicago, reckoned here with two comparisons because a million times must be written quickly
(tests compare it with the time zone database).
"""

from __future__ import annotations

import time
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

START: Final = 1_727_758_800  # 2024-10-01 00:00 in Riverton
END: Final = 1_743_483_600  # 2025-04-01 00:00 in Riverton
CLOCKS_BACK: Final = 1_730_617_200  # 2024-11-03 02:00 -> 01:00
CLOCKS_ON: Final = 1_741_507_200  # 2025-03-09 02:00 -> 03:00

_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def offset(at: int) -> int:
    """Seconds that Riverton's clocks are ahead of UTC (negative: behind)."""
    return -6 * HOUR if CLOCKS_BACK <= at < CLOCKS_ON else -5 * HOUR


def office(at: int, morning: int = 8, evening: int = 17) -> int:
    """The same moment if an office is open then, else the next opening, some minutes later."""
    local = at + offset(at)
    day, second = divmod(local, DAY)
    hour = second // HOUR
    if morning <= hour < evening and (day + 3) % 7 < 5:
        return at
    if hour >= morning:
        day += 1
    while (day + 3) % 7 >= 5:
        day += 1
    opening = day * DAY + morning * HOUR + 5 * MINUTE + second % (40 * MINUTE)
    return opening - offset(opening - offset(at))


def iso_local(at: int) -> str:
    """`2024-10-03 14:05:00`, local, as a database prints it."""
    return "{}-{:02d}-{:02d} {:02d}:{:02d}:{:02d}".format(*time.gmtime(at + offset(at))[:6])


def us_am_pm(at: int) -> str:
    """`10/03/2024 02:05 PM`, local, as an office program prints it."""
    year, month, day, hour, minute = time.gmtime(at + offset(at))[:5]
    half = "AM" if hour < 12 else "PM"
    return f"{month:02d}/{day:02d}/{year} {hour % 12 or 12:02d}:{minute:02d} {half}"


def day_month(at: int) -> str:
    """`03-Oct-2024 14:05`, local."""
    year, month, day, hour, minute = time.gmtime(at + offset(at))[:5]
    return f"{day:02d}-{_MONTHS[month - 1]}-{year} {hour:02d}:{minute:02d}"


def dispatch(at: int) -> str:
    """`10/03/24 1405`, local, as a dispatcher's log has it."""
    year, month, day, hour, minute = time.gmtime(at + offset(at))[:5]
    return f"{month:02d}/{day:02d}/{year % 100:02d} {hour:02d}{minute:02d}"


def compact(at: int) -> str:
    """`20241003 140500`, local, as a utility's billing system has it."""
    return "{}{:02d}{:02d} {:02d}{:02d}{:02d}".format(*time.gmtime(at + offset(at))[:6])


def iso_zone(at: int) -> str:
    """`2024-10-03T14:05:00-05:00`: local, and it says so."""
    ahead = offset(at)
    return (
        "{}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*time.gmtime(at + ahead)[:6])
        + f"-{-ahead // HOUR:02d}:00"
    )


def iso_utc(at: int) -> str:
    """`2024-10-03T19:05:00Z`."""
    return "{}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*time.gmtime(at)[:6])


def spreadsheet(at: int) -> str:
    """`Oct 3, 2024 2:05 PM`, local, as people type it."""
    year, month, day, hour, minute = time.gmtime(at + offset(at))[:5]
    half = "AM" if hour < 12 else "PM"
    return f"{_MONTHS[month - 1]} {day}, {year} {hour % 12 or 12}:{minute:02d} {half}"
