"""The seam between an agency's export and the event that it says: a source.

A connector reads one system's files and says what happened; `crosstown publish` sends it. What a
source says is checked against its contract before it is sent, and again at intake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Said:
    """One event that a row says.

    `contract` is `<folder>/<name>` in the contract repository, `agency` the publisher whose topic
    `events.<agency>.<name>` carries it, `body` the fields of the contract's Avro schema (times as
    microseconds UTC, int), `row` the line in the file (the header is line 1), `known_at` microseconds
    UTC (None: the call's), `via` a word of the envelope's `via`.
    """

    contract: str
    agency: str
    body: dict[str, Any]
    row: int
    known_at: int | None = None
    via: str = "batch"


@dataclass(frozen=True, slots=True)
class Reject:
    """One row, or part of one, that says nothing that can be sent; `raw` is the row as it stood."""

    row: int
    column: str
    reason: str
    raw: str


class Quiet:
    """Nothing has come for a second: what was read so far can be sent. Standard input says so."""


class Source(Protocol):
    """A system whose files can be published; the name says which."""

    @property
    def name(self) -> str:
        """What the command line calls it."""

    def survey(self, files: Iterable[Path]) -> None:
        """Look at all files of a call before the first is read; most sources need not."""

    def read(self, file: Path) -> Iterator[Said | Reject | Quiet]:
        """The file's events in order; raises `Refused` where the file as a whole can't be read."""
