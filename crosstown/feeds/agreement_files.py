"""The agreements of a contract repository, by id."""

from __future__ import annotations

from crosstown.agreements.agreement import FOLDER, Agreement
from crosstown.repository import Repository
from crosstown.yaml_file import read_yaml


def agreements_of(repository: Repository) -> dict[str, Agreement]:
    """Each file's agreement; `Stop` where one is broken."""
    files = sorted((repository.path / FOLDER).glob("*.yaml"))
    return {one.id: one for one in (read_yaml(file, Agreement) for file in files)}
