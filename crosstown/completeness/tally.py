"""One export held against its source's own count while it is read.

Pure. What is compared: how many rows the source counted and our reader found; where the source lists
its records, which of them no row has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from crosstown.completeness.counted import NAMED, Count
from crosstown.completeness.manifest import Manifest
from crosstown.contracts.checked import Checked
from crosstown.source import Reject

ANY: Final = "any"
MEND: Final = "the manifest can say it: contract, and for one in any/ also agency"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the source says is in one export; `how` it was told: manifest, or expected."""

    manifest: Manifest
    how: str


@dataclass(slots=True)
class Tally:
    """What the reader has found of one export so far."""

    expected: Expected
    rows: int = 0
    said: int = 0
    whose: Counter[tuple[str, str]] = field(default_factory=Counter)
    records: set[str] = field(default_factory=set)
    rejects: list[str] = field(default_factory=list)
    rejected: int = 0

    def row(self, row: tuple[Checked, ...] | Reject) -> None:
        """Take one row in, as `Checker.rows` gives it."""
        self.rows += 1
        if isinstance(row, Reject):
            self.rejected += 1
            if len(self.rejects) < NAMED:
                column = f", {row.column}" if row.column else ""
                self.rejects.append(f"row {row.row}{column}: {row.reason}"[:300])
            return
        self.said += len(row)
        self.whose.update({(one.contract.id, one.agency) for one in row})
        if self.expected.manifest.records is not None:
            self.records.update(one.envelope.record for one in row)

    @property
    def missing(self) -> list[str]:
        """Records that the source lists and no row has, sorted."""
        listed = self.expected.manifest.records or frozenset()
        return sorted(listed - self.records - _numbers(self.records))

    @property
    def unlisted(self) -> list[str]:
        """Records that a row has and the source's list doesn't, sorted."""
        listed = self.expected.manifest.records
        if listed is None:
            return []
        return sorted(one for one in self.records - listed if one.split("/", 2)[2] not in listed)

    @property
    def differs(self) -> bool:
        """Whether the source has something else than our reader."""
        return self.rows != self.expected.manifest.rows or bool(self.missing or self.unlisted)

    def of(self) -> tuple[str, str] | str:
        """Which contract's export this is, and whose; or in words why nobody can tell."""
        manifest = self.expected.manifest
        if manifest.contract:
            owner = manifest.contract.partition("/")[0]
            agency = owner if owner != ANY else str(manifest.agency or "")
            return (manifest.contract, agency) if agency else "the manifest names no agency"
        match list(self.whose):
            case [only]:
                return only
            case []:
                return "no row says whose they are"
            case several:
                return f"its rows are of several: {', '.join(sorted(f'{c} of {a}' for c, a in several))}"

    def count(
        self, contract: str, agency: str, *, day: str, file: str, known: int, refused: str
    ) -> Count:
        """All of it as the source's count, with what was found beside it."""
        manifest = self.expected.manifest
        file = file.encode("utf-8", "backslashreplace").decode()  # its name may be no text
        return Count(
            agency=agency, contract=contract, day=manifest.day.isoformat() if manifest.day else day,
            counted=manifest.rows, how=self.expected.how, file=file, read=self.rows,
            rejected=self.rejected, said=self.said, known=known, refused=refused,
            missing=self.missing, unlisted=self.unlisted, rejects=self.rejects,
        )  # fmt: skip


def _numbers(records: Iterable[str]) -> set[str]:
    return {record.split("/", 2)[2] for record in records}
