"""The agreements' files of a contract repository: `agreements/<id>.yaml`, each held against the contracts."""

from __future__ import annotations

from pathlib import Path

from crosstown.agreements.agreement import FOLDER, Agreement
from crosstown.agreements.rules import Ground, problems
from crosstown.contracts.yaml_file import line_in, read_yaml
from crosstown.errors import Stop

ABOUT = "docs/decisions/0023 says what may stand there"


def agreement_files(folder: Path) -> list[Path]:
    """The files of agreements in a contract repository, by name."""
    return sorted((folder / FOLDER).glob("*.yaml"))


def agreement_of(file: Path) -> Agreement:
    """One agreement as its file says it; raises `Stop` with file and line where it says none."""
    agreement = read_agreement(file)
    if agreement.id != file.stem:
        raise Stop(f"{file}:{line_in(file, ('id',))}: id {agreement.id}, but the file is {file.name}",
                   mend="make them agree")  # fmt: skip
    return agreement


def read_agreement(file: Path) -> Agreement:
    """An agreement from a file of any name; raises `Stop` with file and line where it says none."""
    return read_yaml(file, Agreement, about=ABOUT)


def agreements_in(folder: Path, ground: Ground) -> dict[str, Agreement]:
    """All agreements of a contract repository, by id; raises `Stop` where one doesn't hold.

    What an agreement says is never guessed: with one broken file nothing is shared by any.
    """
    found: dict[str, Agreement] = {}
    for file in agreement_files(folder):
        agreement = agreement_of(file)
        for one in problems(agreement, ground):
            raise Stop(f"{file}:{line_in(file, one.at)}: {one.what}", mend=one.mend)
        found[agreement.id] = agreement
    return found
