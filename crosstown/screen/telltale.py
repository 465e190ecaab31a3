"""Numbers and addresses that tell on people, in a text of plain characters.

Patterns of our own, each linear in the text: what a library finds changes with its tables, and a text of
256 kB of numbers must not take seconds. Measured against libraries: docs/decisions/0017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of a `kind` between two places of a text."""

    kind: str
    start: int
    end: int


_NEXT: Final = r"[^0-9A-Za-z,]{0,5}+[0-9]"
SEVEN = re.compile(rf"[0-9](?:{_NEXT}){{6,}}+")
"""Seven digits and more, not far from each other: only there is looked for numbers."""
has_seven = re.compile(rf"[0-9]{_NEXT}{_NEXT}(?:{_NEXT}){{4}}").search
"""Whether there are any; written out, since most texts end at the second: 0.5 us an address, not 1.1."""
_ELSE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?|[0-9]{7,8}|[0-9]{12}"
).fullmatch
"""A moment, or a number of a length that none of ours has."""
_NEAR: Final = 32
"""Characters before a number that say what it is."""


def numbers(text: str) -> Iterator[Finding]:
    """Card, social security and telephone numbers."""
    for found in SEVEN.finditer(text):
        if not _ELSE(found[0]):
            start, end = (
                max(0, found.start() - 4),
                found.end() + 14,
            )  # "+1 (" before, " ext. 12345" behind
            yield from _cards(text, start, end)
            yield from _ssns(text, start, end)
            yield from _phones(text, start, end)


# `S` is what stands between groups of digits.
S: Final = r"[\s.\-/*_~|:]"
_AREA: Final = r"[2-9](?!11)[0-8][0-9]"
_EXT: Final = r"(?:\s{0,2}(?:[xX]|[eE][xX][tT]\.?)\s{0,2}[0-9]{1,6}(?![0-9]))?"
_PHONES: Final = tuple(
    re.compile(rf"(?<![0-9])(?:\+?1{S}{{0,2}})?{shape}(?![0-9]){_EXT}")
    for shape in (
        rf"(?:\(\s?{_AREA}\s?\){S}{{0,3}}|{_AREA}{S}{{1,3}})[2-9][0-9]{{2}}{S}{{0,3}}[0-9]{{4}}",
        rf"{_AREA}[2-9][0-9]{{2}}{S}{{1,3}}[0-9]{{4}}",
        rf"{_AREA}{S}{{1,3}}[2-9][0-9]{{2}}{S}{{1,3}}[0-9]{{2}}{S}{{1,3}}[0-9]{{2}}",
        rf"[2-9](?:{S}{{1,2}}[0-9]){{9}}",
    )
)
_BARE = re.compile(rf"(?<![0-9])\+?1?{_AREA}[2-9][0-9]{{6}}(?![0-9A-Za-z]){_EXT}")
_LOCAL = re.compile(r"(?<![0-9.\-/])[2-9](?!11)[0-9]{2}[.\-][0-9]{4}(?![0-9\-])")
_ABROAD = re.compile(
    r"(?<![0-9A-Za-z])(?:\+|011[\s.\-])\s?[1-9](?:[\s.\-/()]{0,2}[0-9]){7,14}(?![0-9])"
)
_CALLED = re.compile(
    r"(?:\b|_)(?:call(?:ed|ing)?|phone|telephone|tel|ph|cell|mobile|contact|reach(?:ed)?|dial|fax|text"
    r"|voicemail)[^0-9]{0,20}$",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:case|permit|parcel|cart|ticket|order|w/?o|invoice|account|acct|ref(?:erence)?|lic(?:en[cs]e)?"
    r"|id|pid|property|meter|serial|docket|file|claim|request|sr|record|lamp|pole|asset)"
    r"[\s:.#]{0,3}(?:no\.?|num|number|is|of)?[\s:.#]{0,3}$",
    re.IGNORECASE,
)


def _phones(text: str, start: int, end: int) -> Iterator[Finding]:
    """Numbers of North America, and of elsewhere with their +; some only beside a word that says so."""
    for pattern in _PHONES:
        for found in pattern.finditer(text, start, end):
            yield Finding("phone", *found.span())
    for found in _ABROAD.finditer(text, start, end):
        yield Finding("phone", *found.span())
    for found in _BARE.finditer(text, start, end):
        before = text[max(0, found.start() - _NEAR) : found.start()]
        called = _CALLED.search(before)
        glued = before[-1:].isalnum() or before[-1:] == "#"
        if called if glued else called or not _OTHER.search(before):
            yield Finding("phone", *found.span())
    for found in _LOCAL.finditer(text, start, end):
        if _CALLED.search(text[max(0, found.start() - _NEAR) : found.start()]):
            yield Finding("phone", *found.span())


_SSN = re.compile(
    r"(?<![0-9])(?<![0-9]-)([0-9]{3})(\s?-\s?|[ ./_])([0-9]{2})\2([0-9]{4})(?![0-9]|-[0-9])"
)
_NINE = re.compile(r"(?<![0-9])[0-9]{3}[\s.\-]{0,3}[0-9]{2}[\s.\-]{0,3}[0-9]{4}(?![0-9])")
_SAID_SSN = re.compile(
    r"\b(?:ssn|s\.s\.n|ss\s?#|ss\s?n(?:o|um)|social(?:\s+security)?|soc\.?\s+sec)[^0-9]{0,24}$",
    re.IGNORECASE,
)


def _ssns(text: str, start: int, end: int) -> Iterator[Finding]:
    """Three, two and four digits.

    With dashes, whether it could be issued or not: a slip of the pen is one, too. With other separators
    only what could be, and doesn't end like a date.
    """
    for found in _SSN.finditer(text, start, end):
        area, between, group, serial = found.groups()
        issued = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
        if "-" in between or (issued and serial[:2] not in ("19", "20")):
            yield Finding("ssn", *found.span())
    for found in _NINE.finditer(text, start, end):
        if _SAID_SSN.search(text[max(0, found.start() - _NEAR) : found.start()]):
            yield Finding("ssn", *found.span())


_CARDS: Final = tuple(
    re.compile(rf"(?<![0-9])(?=({shape})(?![0-9]))")
    for shape in (
        r"[0-9]{13,19}",
        rf"[0-9]{{4}}{S}{{1,3}}[0-9]{{4}}{S}{{1,3}}[0-9]{{4}}{S}{{1,3}}[0-9]{{4}}",
        rf"[0-9]{{4}}{S}{{1,3}}[0-9]{{4}}{S}{{1,3}}[0-9]{{4}}{S}{{1,3}}[0-9]{{4}}{S}{{1,3}}[0-9]{{3}}",
        rf"[0-9]{{4}}{S}{{1,3}}[0-9]{{6}}{S}{{1,3}}[0-9]{{4,5}}",
        rf"[0-9]{{8}}{S}{{1,3}}[0-9]{{8}}",
        rf"(?<![0-9]{S})[0-9](?:{S}[0-9]){{12,18}}(?!{S}[0-9])",
    )
)
_ISSUED = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]"
    r"|720)[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}|62[0-9]{14,17}"
)
"""First digits and lengths of the card companies; ISO/IEC 7812 for the sum."""


def _cards(text: str, start: int, end: int) -> Iterator[Finding]:
    """Numbers with a card company's first digits and length, and the right check digit."""
    for pattern in _CARDS:
        for found in pattern.finditer(text, start, end):
            digits = re.sub("[^0-9]", "", found[1])
            if _ISSUED.fullmatch(digits) and luhn(digits):
                yield Finding("card", *found.span(1))


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (ISO/IEC 7812-1, annex B)."""
    odd = sum(map(int, digits[-1::-2]))
    return (odd + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])) % 10 == 0


_LOCAL_PART: Final = r"(?<![\w.%+'\-])[\w.%+'\-]++"
_ENDS: Final = r"(?:com|net|org|edu)\b"
_ALL_ENDS: Final = r"(?:com|net|org|edu|gov|us)\b"
_LABEL: Final = r"[\w\-]{1,63}\s{0,2}"
_AT: Final = r"[\[({<]\s?at\s?[\])}>]"
_DOT: Final = r"[\[({<]\s?dot\s?[\])}>]"
_EMAILS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_LOCAL_PART}@(?:[\w\-]{{1,63}}\.){{1,8}}[^\W\d_]{{2,24}}",
        rf"{_LOCAL_PART}\s{{0,2}}@\s{{0,2}}(?:[\w\-]{{1,63}}\.){{1,4}}{_ENDS}",
        rf"{_LOCAL_PART}\s{{0,2}}{_AT}\s{{0,2}}(?:{_LABEL}(?:\.|{_DOT}|\bdot\b)\s{{0,2}}){{1,4}}{_ALL_ENDS}",
        rf"{_LOCAL_PART}\s{{0,2}}(?:@|\bat\b)\s{{0,2}}(?:{_LABEL}(?:{_DOT}|\bdot\b)\s{{0,2}}){{1,4}}{_ALL_ENDS}",
    )
)


def is_obfuscated(lower: str) -> bool:
    """Whether a text in small letters may have an address that is written around."""
    return "dot" in lower or "at)" in lower or "at]" in lower


def emails(text: str) -> Iterator[Finding]:
    """Addresses, also those written around; a spaced `@` or a plain `at` is mostly a place."""
    if "@" not in text and not is_obfuscated(text.lower()):
        return
    for pattern in _EMAILS:
        for found in pattern.finditer(text):
            yield Finding("email", *found.span())
