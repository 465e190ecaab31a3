"""Whether the agreements' files of a folder hold: every rule, each finding with file and line."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from crosstown.agreements import rules
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.files import ABOUT, agreement_files, agreement_of
from crosstown.agreements.rules import Ground, Problem, problems
from crosstown.contracts.yaml_file import line_in
from crosstown.errors import Stop

RULES: Final = rules.RULES | {
    "agreement": "An agreement's file can be read as one: its form, its parties, its dates; its id is the file's name.",
    "ended": "An agreement that is here hasn't ended.",
    "document": "The signed document, where it lies here, is the one whose hash the agreement says.",
}
"""Each rule on agreements in a sentence."""
_LARGEST: Final = 64 << 20
"""Bytes of a document that are looked at."""


class Found(NamedTuple):
    """A file's agreement, or why it is none; and all that is wrong with it, as (line, problem)."""

    file: Path
    agreement: Agreement | None
    stopped: Stop | None
    problems: tuple[tuple[int, Problem], ...] = ()


def findings(
    folder: Path, ground: Ground, broken: Collection[str], today: dt.date
) -> Iterator[Found]:
    """Each agreement's file of a folder with what is wrong with it.

    What names one of the contracts that are `broken` themselves is held against nothing.
    """
    for file in agreement_files(folder):
        try:
            agreement = agreement_of(file)
        except Stop as error:
            yield Found(file, None, error)
            continue
        found = [*_dates(agreement, today), *_document(agreement, folder)]
        if not any(one.contract in broken for one in agreement.contracts):
            found += problems(agreement, ground)
        yield Found(file, agreement, None, tuple((line_in(file, one.at), one) for one in found))


def _dates(agreement: Agreement, today: dt.date) -> Iterator[Problem]:
    if agreement.end and agreement.end <= today:
        yield Problem(("end",), "ended", f"it ended {agreement.end}",
                      "give it another end, which all parties accept, or take the file away")  # fmt: skip


def _document(agreement: Agreement, folder: Path) -> Iterator[Problem]:
    """A document that lies elsewhere is nobody's business here."""
    basis = agreement.basis
    if basis is None or "://" in basis.document:
        return
    at = ("basis", "document")
    inside = folder.resolve()
    try:
        file = (inside / basis.document).resolve()
        if not file.is_relative_to(inside):
            yield Problem(at, "document", f"{basis.document} lies outside of the folder",
                          "put it into agreements/, or name where it is kept")  # fmt: skip
            return
        if not file.is_file():
            return
        if file.stat().st_size > _LARGEST:
            yield Problem(at, "document", f"{basis.document} is over 64 MB", "keep it elsewhere")
            return
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        yield Problem(at, "document", f"the document can't be looked at: {error}", ABOUT)
        return
    if found != basis.sha256:
        yield Problem(("basis", "sha256"), "document", f"{basis.document} has another hash: {found}",
                      "if it was changed all parties accept it anew: say that hash; else put the signed one back")  # fmt: skip
