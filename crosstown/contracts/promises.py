"""What a contract promises about time: how often it is published, how late, how long it is kept.

The standard's `slaProperties`: a property, a value and a unit. Source: ODCS 3.1, Service-Level
Agreement: "unit: d, day, days for days; y, yr, years for years, etc."
"""

from __future__ import annotations

from typing import Final

from crosstown.contracts.contract import ContractFile

_SECOND: Final = 1_000_000
_UNITS: Final = {
    "s": _SECOND, "second": _SECOND, "sec": _SECOND,
    "min": 60 * _SECOND, "minute": 60 * _SECOND,
    "h": 3_600 * _SECOND, "hour": 3_600 * _SECOND, "hr": 3_600 * _SECOND,
    "d": 86_400 * _SECOND, "day": 86_400 * _SECOND,
    "w": 7 * 86_400 * _SECOND, "week": 7 * 86_400 * _SECOND,
    "m": 30 * 86_400 * _SECOND, "month": 30 * 86_400 * _SECOND,
    "y": 365 * 86_400 * _SECOND, "yr": 365 * 86_400 * _SECOND, "year": 365 * 86_400 * _SECOND,
}  # fmt: skip


def promised(file: ContractFile, name: str) -> int | None:
    """What is promised under a name (frequency, latency, retention), in microseconds.

    None where nothing is said, or nothing that is a time: a number and one of the standard's units.
    A month has 30 days, a year 365.
    """
    for one in file.slaProperties:
        unit = _UNITS.get(one.unit.lower()) or _UNITS.get(one.unit.lower().removesuffix("s"))
        if one.property == name and unit and isinstance(one.value, int | float) and one.value > 0:
            return round(one.value * unit)
    return None
