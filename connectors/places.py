"""Places from address text: a match, a doubt or no match, against a list of addresses with keys.

For systems that only have what somebody typed. A wrong place joins strangers, so only what is the
same address after spelling is taken for a match; what is merely like one is a doubt, with candidates
for a person to decide. Kinds of street and directions as USPS Publication 28 abbreviates them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Final

from connectors.street import KINDS, SIDES
from crosstown.errors import Stop
from crosstown.event.identity import slug

MAX_TEXT: Final = 300
"""Characters of an address; a longer text is none."""
LIKE: Final = 0.8
"""Street names that are so alike (difflib's ratio) are candidates; measured in docs/places.md."""
CANDIDATES: Final = 5
_UNIT: Final = re.compile(
    r"(?:#|\b(?:apt|apartment|unit|suite|ste|floor|fl|rm|room|bsmt|basement|rear)\b)[^,]*",
    re.IGNORECASE,
)
_HOUSE: Final = re.compile(
    r"^(\d+[a-z]?)(?:\s*1/2)?(?:\s*-\s*(\d*[a-z]?))?\s+(?=\S)", re.IGNORECASE
)
_CORNER: Final = re.compile(r"^\s*(?:the\s+)?(?:intersection|corner)\s+(?:of\s+)?", re.IGNORECASE)
_AND: Final = re.compile(r"\s*(?:&|@|\band\b|\bat\b)\s*", re.IGNORECASE)
_PIECES: Final = re.compile(r"\s*,\s*|\s{2,}")
_ZIP: Final = re.compile(r"\b(\d{5})(?:-\d{4})?\s*$")
_ORDINALS: Final = dict(zip(
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"],
    ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th"], strict=True,
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """The address is in the list, as one place."""

    place: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """The list has addresses like it, or several places of that address: no place is said."""

    why: str
    candidates: tuple[str, ...]
    place: str = ""
    flags: tuple[str, ...] = ("place_doubt",)


@dataclass(frozen=True, slots=True)
class NoMatch:
    """The list has nothing like it, or the text can't be read as an address."""

    why: str
    place: str = ""
    flags: tuple[str, ...] = ("place_unknown",)


Answer = Match | Doubt | NoMatch


@dataclass(frozen=True, slots=True)
class Address:
    """What a text says: `house` (empty: a corner) on `streets`; `area` and `zip` choose between namesakes."""

    house: str
    streets: tuple[str, ...]
    area: str = ""
    zip: str = ""

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """Two texts with one key write one address, but for the part of the city."""
        return self.house, self.streets


@lru_cache(maxsize=65_536)
def address(text: str) -> Address | None:
    """A text read as an address; None where it can't be.

    >>> address("12-14 Elm Street, Apt 3, Riverton")
    Address(house='12-14', streets=('elm-st',), area='riverton', zip='')
    >>> address("INTERSECTION of Oak Ave & Elm St").streets
    ('elm-st', 'oak-ave')
    """
    if len(text) > MAX_TEXT:
        return None
    code = _ZIP.search(text)
    plain = _UNIT.sub("", text[: code.start()] if code else text).replace("'", "").strip()
    corner = _CORNER.sub("", plain)
    pieces = [piece for piece in _PIECES.split(corner) if piece]
    if len(pieces) > 1 and pieces[0].replace("-", "").isdigit():  # "380  Faneuil St"
        pieces[:2] = [f"{pieces[0]} {pieces[1]}"]
    if not pieces:
        return None
    area = next((slug(one) for one in pieces[1:] if len(slug(one)) > 2), "")
    zip_code = code[1] if code else ""
    house = _HOUSE.match(pieces[0])
    if house is None:
        both = tuple(sorted({street(one) for one in _AND.split(pieces[0])} - {""}))
        return Address("", both, area, zip_code) if len(both) == 2 else None
    number = house[1].lower().lstrip("0")
    if not number or number.isalpha():
        return None  # "0 Main St": somewhere on Main St
    high = f"-{house[2].lower()}" if house[2] else ""
    name = street(pieces[0][house.end() :])
    return Address(number + high, (name,), area, zip_code) if name else None


def street(text: str) -> str:
    """A street's name in one spelling: lower case, `-` between, kinds and directions short."""
    words = [_ORDINALS.get(word, word) for word in slug(text).split("-")]
    if len(words) > 1:
        words[-1] = KINDS.get(words[-1], words[-1])
        words[0] = SIDES.get(words[0], words[0])
    return "-".join(words)


@dataclass(slots=True)
class Gazetteer:
    """A list of addresses and the places they are; `said` are answers that people gave."""

    said: dict[str, str] = field(default_factory=dict)
    _by_key: dict[tuple[str, tuple[str, ...]], list[tuple[Address, str]]] = field(
        default_factory=dict
    )
    _by_house: dict[str, dict[str, None]] = field(default_factory=dict)
    _numbers: dict[tuple[str, ...], list[tuple[int, int, str]]] = field(default_factory=dict)

    @classmethod
    def read(
        cls, file: Path, *, text: str = "address", place: str = "place", decided: Path | None = None
    ) -> Gazetteer:
        """From a CSV file with a column of addresses and one of places.

        `decided` is a second one of that form whose answers come first, if the file is there: what
        people decided about doubts (a place, `-` for none, empty for not yet). Raises `Stop` where a file can't be read as that.
        """
        one = cls()
        for row_text, row_place in _rows(file, text, place):
            one.add(row_text, row_place)
        if decided is not None and decided.exists():
            one.said = {
                _plain(row_text): said for row_text, said in _rows(decided, text, place) if said
            }
        return one

    def add(self, text: str, place: str) -> None:
        """One address more; what can't be read as one is passed over."""
        found = address(text)
        if found is None or not place:
            return
        self._by_key.setdefault(found.key, []).append((found, place))
        self._by_house.setdefault(found.house, {})["&".join(found.streets)] = None
        self._numbers.setdefault(found.streets, []).append((*_span(found.house), place))

    def find(self, text: str) -> Answer:
        """The place that a text means."""
        decided = self.said.get(_plain(text)) if self.said else None
        if decided is not None:
            return Match(decided) if decided != "-" else NoMatch("a person said that it is none")
        asked = address(text)
        if asked is None:
            return NoMatch("can't be read as an address")
        same = self._by_key.get(asked.key)
        if same is None:
            return self._like(asked)
        return _chosen(asked, same)

    def _like(self, asked: Address) -> Answer:
        near = dict.fromkeys(self._beside(asked))
        for streets in self._close(asked):
            for _, place in self._by_key.get((asked.house, streets), ()):
                near[place] = None
        if near:
            return Doubt("not in the list as written, but like these", tuple(near)[:CANDIDATES])
        return NoMatch("not in the list, nor anything like it")

    def _beside(self, asked: Address) -> Iterator[str]:
        """Houses of the street whose numbers overlap with this one's, on its side of the street."""
        if asked.house:
            low, high = _span(asked.house)
            for least, most, place in self._numbers.get(asked.streets, ()):
                if least <= high and low <= most and low % 2 == least % 2:
                    yield place

    def _close(self, asked: Address) -> Iterator[tuple[str, ...]]:
        """Streets that have this house and are spelt nearly so."""
        written = "&".join(asked.streets)
        there = self._by_house.get(asked.house, {})
        bare = written.rsplit("-", 1)[0]
        alike = [one for one in there if one.rsplit("-", 1)[0] in (bare, written)]
        for found in dict.fromkeys(
            [*alike, *get_close_matches(written, there, n=CANDIDATES, cutoff=LIKE)]
        ):
            yield tuple(found.split("&"))


def _chosen(asked: Address, same: list[tuple[Address, str]]) -> Answer:
    """One of the places with this address: the part of the city decides between namesakes."""
    fitting = [
        (one, place) for one, place in same
        if not (asked.zip and one.zip and asked.zip != one.zip)
        and not (asked.area and one.area and asked.area != one.area)
    ]  # fmt: skip
    places = dict.fromkeys(place for _, place in fitting)
    if len(places) == 1:
        return Match(next(iter(places)))
    if not places:
        return Doubt("known in another part of the city only",
                     tuple(dict.fromkeys(place for _, place in same))[:CANDIDATES])  # fmt: skip
    return Doubt(f"{len(places)} places have this address", tuple(places)[:CANDIDATES])


def _span(house: str) -> tuple[int, int]:
    """The lowest and the highest number of a house; 0 and 0 of a corner."""
    numbers = [int(one) for one in re.findall(r"\d+", house)] or [0]
    return min(numbers), max(numbers)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _rows(file: Path, text: str, place: str) -> Iterable[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            missing = {text, place} - set(rows.fieldnames or ())
            if missing:
                raise Stop(f"{file} has no column {' and no '.join(sorted(missing))}",
                           mend=f"it has: {', '.join(rows.fieldnames or ())[:300]}")  # fmt: skip
            for row in rows:
                yield row[text] or "", (row[place] or "").strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Stop(f"{file} can't be read: {error}",
                   mend="a CSV file in UTF-8 with a column of addresses and one of places") from None  # fmt: skip
