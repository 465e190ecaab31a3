"""How often cases of several agencies are one matter: the labels of a fixed sample against the rule.

`python -m bench.meaning FOLDER` prints the table of docs/meaning.md, for Boston's exports in FOLDER,
with one concern for everything and with the concern map.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Final

from connectors import source
from crosstown.cases.cases import City
from crosstown.contracts.checked import Checker
from crosstown.event.envelope import saying
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.source import Reject

LABELS: Final = Path(__file__).parent / "labels" / "boston-311.csv"
LATER: Final = LABELS.with_name("boston-311-map.csv")
"""A sample of the map's own cases, labelled after the map was fixed."""
CONTRACT: Final = "boston-311/requests"
NOW: Final = 1_700_000_000_000_000
Pair = frozenset[str]
Case = tuple[str, ...]
"""Its records."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a reader said of one sampled case: its first record's number, what is one matter in it."""

    case: str
    same: tuple[frozenset[str], ...]
    unsure: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Cases and pairs of different agencies, of the sampled records, under one setting."""

    cases: int
    right: int
    unsure: int
    pairs: int
    right_pairs: int
    known_pairs: int

    @property
    def precision(self) -> float:
        """Of the cases that cross agencies and aren't unsure, the share with a pair that is one."""
        return self.right / (self.cases - self.unsure)

    @property
    def pair_precision(self) -> float:
        """Of the pairs that the rule puts into one case, the share that is one matter."""
        return self.right_pairs / self.pairs

    @property
    def recall(self) -> float:
        """Of the pairs labelled as one matter, the share that the rule puts into one case."""
        return self.right_pairs / self.known_pairs


def labels(file: Path = LABELS) -> list[Label]:
    """The labels, in the sample's order."""
    with file.open(newline="", encoding="utf-8") as rows:
        return [
            Label(row["case"], tuple(_groups(row["same"])), tuple(_groups(row["unsure"])))
            for row in csv.DictReader(rows)
        ]


def _groups(text: str) -> Iterator[frozenset[str]]:
    return (frozenset(group.split("+")) for group in text.split())


def cases(files: Sequence[Path], concern_maps: Collection[str] = ()) -> list[Case]:
    """All cases of these exports under a setting, each as its records in order."""
    contracts = Repository.load(None, concern_maps)
    one = source("boston-311", Naming(contracts.agencies, None))
    one.survey(files)
    checker = Checker(contracts, NOW, NOW)
    cities: dict[str, City] = {}
    for file in files:
        for row in checker.rows(one, file):
            if isinstance(row, Reject):
                continue
            for event in row:
                e = event.envelope
                city = cities.setdefault(e.jurisdiction, City(e.jurisdiction, contracts.window))
                city.say(*saying(e, b""))
    found: dict[str, list[str]] = defaultdict(list)
    for city in cities.values():
        for change in city.changes():
            found[change.case_id].append(change.record)
    return [tuple(sorted(records)) for records in found.values()]


def crossing(found: Iterable[Case]) -> list[Case]:
    """Those with records of two or more agencies."""
    return [one for one in found if len({record.split("/")[0] for record in one}) > 1]


def score(found: Iterable[Case], sample: Sequence[Case], said: Sequence[Label]) -> Score:
    """How a setting's cases fare against the labels, looking at the sampled records only."""
    sampled = {record for case in sample for record in case}
    same = _pairs(group for one in said for group in one.same)
    unsure = _pairs(group for one in said for group in one.unsure) - same
    inside = [tuple(r for r in case if r in sampled) for case in found]
    judged = [_crossing_pairs(case) for case in crossing(inside)]
    pairs = set[Pair]().union(*judged)
    known = set[Pair]().union(*map(_crossing_pairs, sample)) & same
    return Score(
        cases=len(judged),
        right=sum(1 for case in judged if case & same),
        unsure=sum(1 for case in judged if not case & same and case & unsure),
        pairs=len(pairs - unsure),
        right_pairs=len(pairs & same),
        known_pairs=len(known),
    )


def _number(record: str) -> str:
    return record.rsplit("/", 1)[1]


def _pairs(groups: Iterable[Collection[str]]) -> set[Pair]:
    return {frozenset(pair) for group in groups for pair in combinations(sorted(group), 2)}


def _crossing_pairs(case: Case) -> set[Pair]:
    return {
        frozenset((_number(a), _number(b)))
        for a, b in combinations(case, 2)
        if a.split("/")[0] != b.split("/")[0]
    }


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson, 1927)."""
    z = 1.96
    middle = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def sample_of(found: Sequence[Case], said: Sequence[Label]) -> list[Case]:
    """The cases that were labelled, by a record of each."""
    by_number = {_number(record): case for case in found for record in case}
    return [by_number[one.case] for one in said]


def table(files: Sequence[Path]) -> list[str]:
    """The rows of docs/meaning.md: both settings over the sample, the map over a later one."""
    said, later = labels(), labels(LATER)
    first, mapped = cases(files), cases(files, (CONTRACT,))
    sample = sample_of(first, said)
    return [
        _row("one concern", first, score(first, sample, said), recall=True),
        _row("concern map", mapped, score(mapped, sample, said), recall=True),
        _row("concern map, later sample", mapped,
             score(mapped, sample_of(mapped, later), later), recall=False),
    ]  # fmt: skip


def _row(name: str, found: Iterable[Case], s: Score, *, recall: bool) -> str:
    low, high = wilson(s.precision, s.cases - s.unsure)
    known = f"{s.right_pairs} of {s.known_pairs}: {s.recall:.0%}" if recall else "-"
    return (
        f"| {name} | {len(crossing(found)):,} | {s.cases} | {s.right} | {s.unsure}"
        f" | {s.precision:.0%} ({low:.0%} to {high:.0%})"
        f" | {s.right_pairs} of {s.pairs}: {s.pair_precision:.0%} | {known} |"
    )


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(sorted(Path(sys.argv[1]).glob("*.csv")))) + "\n")
