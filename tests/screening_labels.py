"""The labelled texts of bench/labels/screening.csv, and how often screening errs on them.

A row is `from` (boston: texts of the city's export, drawn by chance; boston-digits: such with six digits
or an @; invented), `names` (as the body's own field would have them) and the text, with what is to be
found marked: a kind, a colon, the words, in white square brackets. Names, and one number and two plates that the export
still held, are replaced by invented ones.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crosstown.screen.personal_names import name_words
from crosstown.screen.screening import screen
from crosstown.screen.telltale import Finding

FILE: Final = Path(__file__).parents[1] / "bench" / "labels" / "screening.csv"
_MARK = re.compile(r"⟦(\w+):(.*?)⟧", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text without its marks, and where they were."""

    source: str
    names: str
    text: str
    spans: tuple[Finding, ...]


def labelled(source: str, names: str, marked: str) -> Labelled:
    """A row, read."""
    text, at, spans = "", 0, []
    for found in _MARK.finditer(marked):
        text += marked[at : found.start()]
        spans.append(Finding(found[1], len(text), len(text) + len(found[2])))
        text += found[2]
        at = found.end()
    return Labelled(source, names, text + marked[at:], tuple(spans))


def labels() -> list[Labelled]:
    """All of them."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [labelled(*row) for row in rows]


def ours(row: Labelled) -> Iterable[Finding]:
    """What screening finds."""
    return screen(row.text, name_words(row.names) if row.names else ())


@dataclass(slots=True)
class Score:
    """Texts; marked and found by kind; alarms where nothing is marked, and which were missed."""

    texts: int = 0
    marked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    alarms: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def score(rows: Iterable[Labelled], find: Callable[[Labelled], Iterable[Finding]] = ours) -> Score:
    """A mark counts as found if nothing of it is left to read, under whatever kind."""
    made = Score()
    for row in rows:
        made.texts += 1
        found = list(find(row))
        for one in row.spans:
            made.marked[one.kind] += 1
            hidden = {at for f in found for at in range(f.start, f.end)}
            left = [at for at in range(one.start, one.end)
                    if at not in hidden and row.text[at].isalnum()]  # fmt: skip
            if left:
                made.missed.append(row.text[one.start : one.end])
            else:
                made.found[one.kind] += 1
        made.alarms += [
            row.text[f.start : f.end] for f in found
            if not any(f.start < one.end and one.start < f.end for one in row.spans)
        ]  # fmt: skip
    return made
