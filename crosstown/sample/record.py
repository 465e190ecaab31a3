"""What happens in the sample city, before any agency's system has written it down."""

from __future__ import annotations

from dataclasses import dataclass

from crosstown.sample.towns import Address, Town


@dataclass(frozen=True, slots=True)
class Act:
    """One happening of a record; times are seconds since 1970 UTC.

    `code` is a word of the agency's own code list, `to` the agency that it hands the matter to,
    `refs` are others' numbers that it names. `said` is when the agency wrote it down (0: at once),
    `hand` whether a person carried it; `again` says the happening before once more, otherwise;
    `void` says that it never was.
    """

    code: str
    at: int
    to: str = ""
    due: int = 0
    refs: tuple[str, ...] = ()
    note: str = ""
    said: int = 0
    hand: bool = False
    again: bool = False
    void: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What one agency files under one number; `topic` is a word of its own code list."""

    agency: str
    number: str
    town: Town
    address: Address
    topic: str
    acts: tuple[Act, ...]
    channel: str = ""
