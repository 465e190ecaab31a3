"""What each column of a file is, and how sensitive it looks; with the reason, in words.

A proposal only: what looks like a person, an address as written or free text is restricted, what
nobody should pass on by accident is confidential, codes are public, the rest is internal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from crosstown.onboarding import words
from crosstown.onboarding.moments import Clock, Form, form_of, style

OWN: Final = ("number", "event", "at", "due_at", "place_key", "flags")
"""Fields that every contract made here has; no column's field is called so."""
CODES: Final = 40
_PHONE: Final = re.compile(
    r"(\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ ./-]\d{3}[ .-]\d{4}(\s*(x|ext).*)?", re.IGNORECASE
)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.IGNORECASE)
_SSN: Final = re.compile(r"\d{3}-\d{2}-\d{4}")
_TITLED: Final = re.compile(r"(?:mr|mrs|ms|miss|dr|herr|frau|sr|sra)\b\.? \w", re.IGNORECASE)
_HOUSE_FIRST: Final = re.compile(r"\d+[\w/-]*\s+\S*[^\W\d]{2,}.*")
_HOUSE_LAST: Final = re.compile(r"[^\W\d][^\d]{2,}\s\d{1,4}\s?[a-z]?(,.*)?", re.IGNORECASE)
_WHOLE: Final = re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL: Final = {point: re.compile(rf"-?\d{{1,15}}({re.escape(point)}\d{{1,15}})?", re.ASCII)
                   for point in ".,"}  # fmt: skip
_YES: Final = ({"y", "yes", "true", "t", "ja", "j", "si", "x"}, {"n", "no", "false", "f", "nein"})


class Kind(Enum):
    """What stands in a column; the value is what people read."""

    EMPTY = "empty"
    MOMENT = "time"
    WHOLE = "whole number"
    DECIMAL = "decimal"
    YES_NO = "yes or no"
    CODE = "code"
    ADDRESS = "address"
    SPOT = "coordinates"
    PERSON = "person"
    PHONE = "phone"
    EMAIL = "e-mail"
    SECRET = "confidential"  # noqa: S105 - a kind of column
    FREE = "free text"
    TEXT = "short text"


CLASSES: Final = {
    Kind.EMPTY: "internal", Kind.MOMENT: "public", Kind.WHOLE: "internal", Kind.DECIMAL: "internal",
    Kind.YES_NO: "public", Kind.CODE: "public", Kind.ADDRESS: "restricted",
    Kind.SPOT: "restricted", Kind.PERSON: "restricted", Kind.PHONE: "restricted", Kind.EMAIL: "restricted",
    Kind.SECRET: "confidential", Kind.FREE: "restricted", Kind.TEXT: "internal",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `header` is the name under which a source asks for it, `field` the schema's."""

    at: int
    header: str
    field: str
    kind: Kind
    why: str
    filled: int
    distinct: int
    codes: tuple[str, ...] = ()
    """The codes that occur, the most frequent first."""
    form: Form | None = None
    point: str = ""
    """What stands before a decimal's fraction."""

    @property
    def classification(self) -> str:
        """How sensitive it looks, in the standard's words."""
        return CLASSES[self.kind]


def columns(headers: Sequence[str], rows: Sequence[Sequence[str]], clock: Clock) -> list[Column]:
    """All columns of a file, in its order."""
    taken = set(OWN)
    found = []
    for at, header in enumerate(headers):
        name = unique(words.field_name(header, at), taken)
        found.append(_column(at, header, name, [row[at] for row in rows], clock))
    return _one_style(found)


def unique(name: str, taken: set[str]) -> str:
    """The name, or with a number where it's taken; it is taken from now on."""
    made, n = name, 2
    while made in taken:
        made, n = f"{name}_{n}", n + 1
    taken.add(made)
    return made


def _column(at: int, header: str, name: str, cells: list[str], clock: Clock) -> Column:
    filled = [cell for cell in cells if cell]
    counts = Counter(filled)
    made = Column(
        at, header, name, Kind.TEXT, "no pattern of another kind", len(filled), len(counts)
    )
    if not filled:
        return replace(made, kind=Kind.EMPTY, why="empty in all rows read")
    numbers = _share(counts, _SSN) > 0.3
    if numbers or words.has(name, words.CONFIDENTIAL):
        why = "looks like social security numbers" if numbers else "its name"
        return replace(made, kind=Kind.SECRET, why=why)
    form = form_of(list(counts), clock)
    if form is not None:
        return replace(made, kind=Kind.MOMENT, why=f"written {form.form}", form=form)
    if words.has(name, words.SPOT):
        return replace(made, kind=Kind.SPOT, why="its name")
    personal = _personal(name, counts)
    if personal is not None:
        return replace(made, kind=personal[0], why=personal[1])
    return _measured(made, name, counts)


def _personal(name: str, counts: Counter[str]) -> tuple[Kind, str] | None:
    """What says who somebody is, or where; None where nothing does."""
    text = any(map(str.isalpha, "".join(list(counts)[:50])))
    if _share(counts, _EMAIL) > 0.5 or (words.has(name, words.EMAIL) and text):
        return Kind.EMAIL, "its name, or an @ in most"
    if words.has(name, words.PHONE) or _share(counts, _PHONE) > 0.5:
        return Kind.PHONE, "its name, or digits as of a phone"
    called = words.has(name, words.ADDRESS) and not words.has(name, words.PART)
    houses = _share(counts, _HOUSE_FIRST)
    if called:
        houses = max(houses, _share(counts, _HOUSE_LAST))
    if (called and houses > 0.3) or (houses > 0.8 and len(counts) > 3):
        return Kind.ADDRESS, f"house numbers and streets in {houses:.0%}"
    if _share(counts, _TITLED) > 0.5:
        return Kind.PERSON, "titles as before names"
    if text and words.has(name, words.PERSON) and not words.has(name, words.NO_PERSON):
        return Kind.PERSON, "its name"
    return None


def _measured(made: Column, name: str, counts: Counter[str]) -> Column:
    filled = made.filled
    lowered = {value.lower() for value in counts}
    if lowered <= _YES[0] | _YES[1] and lowered & _YES[0] and len(counts) <= 4:
        codes = tuple(value for value, _ in counts.most_common())
        return replace(made, kind=Kind.YES_NO, why=f"only {', '.join(codes)}", codes=codes)
    if _share(counts, _WHOLE) == 1 and filled > 1 and not words.has(name, words.NUMBER):
        return replace(made, kind=Kind.WHOLE, why="digits only")
    for point, pattern in _DECIMAL.items():
        if _share(counts, pattern) == 1 and any(point in value for value in counts):
            return replace(made, kind=Kind.DECIMAL, why=f"digits and {point}", point=point)
    longest = max(map(len, counts))
    spaces = sum(value.count(" ") * n for value, n in counts.items()) / filled
    repeats = len(counts) <= min(CODES, filled // 2) and longest <= 60
    if words.has(name, words.FREE) or (not repeats and (longest > 60 or spaces > 3)):
        return replace(made, kind=Kind.FREE, why=f"up to {longest:,} characters, in words")
    if repeats:
        codes = tuple(value for value, _ in counts.most_common())
        return replace(
            made, kind=Kind.CODE, codes=codes, why=f"{len(codes)} values in {filled:,} rows"
        )
    return made


def _share(counts: Counter[str], pattern: re.Pattern[str]) -> float:
    hits = sum(n for value, n in counts.items() if pattern.fullmatch(value) or (
        pattern is _TITLED and pattern.match(value)))  # fmt: skip
    return hits / counts.total()


def _one_style(found: list[Column]) -> list[Column]:
    """A column that could be read two ways is read as the others, where those leave no doubt."""
    forms = [one.form for one in found if one.form is not None]
    sure = {style(one.form) for one in forms if not one.other}
    out = []
    for one in found:
        form = one.form
        if (
            form is not None
            and form.other
            and (style(form.form) in sure) != (style(form.other) in sure)
        ):
            picked = form.form if style(form.form) in sure else form.other
            one = replace(one, form=Form(picked, "", form.strange),  # noqa: PLW2901 - the same column
                          why=f"written {picked}, day and month as in the other columns")  # fmt: skip
        out.append(one)
    return out
