"""Questions that a folder of contracts leaves open, each where its answer belongs.

`# QUESTION: what? -> how to answer` is a line of its own above the value that it asks about. There
stands what holds until it's answered: a proposal, or `???` where nothing may be proposed. Who has
answered deletes the line. Source of the rule: docs/decisions/0020.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNKNOWN: Final = "???"
"""In place of a value that nobody but the agency can say."""
_ASKED = re.compile(r"^\s*# QUESTION: (?P<what>.+?)(?: -> (?P<how>.+))?$")
_LEFT = re.compile(r"[\s\"':]\?\?\?[\"']?,?\s*$")


@dataclass(frozen=True, slots=True)
class Question:
    """One open question: where it stands, what it asks, how it's answered."""

    file: Path
    line: int
    what: str
    how: str


def asked(what: str, how: str, indent: int = 0) -> str:
    """The line that asks a question, for a file that is being made."""
    return f"{' ' * indent}# QUESTION: {' '.join(what.split())} -> {' '.join(how.split())}"


def open_questions(folder: Path) -> Iterator[Question]:
    """All open questions of a contract repository: in its contracts, then in its sources."""
    for file in sorted({*folder.glob("*.yaml"), *folder.glob("*/*.yaml"), *folder.glob("*/*.py")}):
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue  # whoever needs the file says so
        yield from _in(file, lines)


def _in(file: Path, lines: list[str]) -> Iterator[Question]:
    above = False
    for number, line in enumerate(lines, 1):
        found = _ASKED.match(line)
        if found is not None:
            how = found["how"] or "say it below"
            yield Question(file, number, found["what"], f"{how}; then delete this line")
        elif not above and not line.lstrip().startswith("#") and _LEFT.search(line):
            yield Question(file, number, f"{UNKNOWN} still stands here", "say what belongs there")
        above = found is not None
