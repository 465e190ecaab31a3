"""What a catalogue shows: a contract repository with all its versions, read as far as it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.files import agreement_files, agreement_of
from crosstown.agreements.rules import problems
from crosstown.avro.codec import Encoder
from crosstown.avro.guards import guard
from crosstown.contracts.agencies import Agencies, AgenciesFile, Agency
from crosstown.contracts.checking import Finding, check, in_order
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.repository import (
    Concern,
    ConcernMap,
    ConcernsFile,
    Repository,
    contract_of,
    named,
    owners,
    shipped,
    shipped_contracts,
)  # fmt: skip
from crosstown.contracts.yaml_file import read_yaml
from crosstown.errors import Refused, Stop
from crosstown.event.envelope import Envelope

_NOW: Final = 1_800_000_000_000_000
"""When an example is taken to be said; no page shows it."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example's body as it stands in its file, and the envelope it makes; else why it makes none."""

    word: str
    body: str
    envelope: Envelope | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One version; `contract` is None where its files can't be read."""

    number: int
    contract: Contract | None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A contract that can be shown: its newest readable version, and all that there are."""

    newest: Contract
    examples: tuple[Example, ...]
    versions: tuple[Version, ...]
    """Oldest first."""

    @property
    def id(self) -> str:
        """`<folder>/<name>`."""
        return self.newest.id

    @property
    def owner(self) -> Agency | None:
        """Whose it is; None: everyone's."""
        return self.newest.agencies.get(self.newest.owner)

    @property
    def readable(self) -> list[Contract]:
        """The versions that can be read, oldest first."""
        return [one.contract for one in self.versions if one.contract]


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a catalogue shows; findings name their files from the repository's folder."""

    agencies: Agencies
    concerns: tuple[Concern, ...]
    default_window: float
    """Days."""
    code_lists: dict[str, ConcernMap]
    contracts: dict[str, Listed]
    missing: tuple[str, ...]
    """Contracts of which no version can be read."""
    findings: tuple[Finding, ...]
    agreements: tuple[Agreement, ...] = ()
    """Those that hold against the contracts, by id."""

    @property
    def ground(self) -> Repository:
        """What agreements are held against, as far as it can be read."""
        newest = {name: one.newest for name, one in self.contracts.items()}
        return Repository(Path(), shipped_contracts(self.agencies) | newest, {}, self.agencies,
                          {one.id: one for one in self.concerns}, 0)  # fmt: skip

    def receiving(self, contract: str) -> list[Agreement]:
        """The agreements that cover a contract."""
        return [one for one in self.agreements if contract in {c.contract for c in one.contracts}]

    def given(self, agency: str) -> list[Agreement]:
        """The agreements under which an agency gives."""
        return [one for one in self.agreements if agency in one.providers]

    def got(self, agency: str) -> list[Agreement]:
        """The agreements under which an agency receives."""
        return [one for one in self.agreements if agency == one.receiver]

    def window(self, concern: str) -> float:
        """How many days two events of a concern may be apart to be related by place."""
        found = next((one for one in self.concerns if one.id == concern), None)
        return found.window_days if found and found.window_days else self.default_window

    def of(self, agency: str) -> list[Listed]:
        """The contracts that an agency (or `any`) owns."""
        return [one for one in self.contracts.values() if one.newest.owner == agency]


def read(folder: Path) -> Contents | tuple[Finding, ...]:
    """What can be shown of a folder of contracts; only the findings, where nothing can.

    Raises `Stop` where it's no folder of contracts.
    """
    found = list(check(folder).findings)
    try:
        agencies = Agencies(read_yaml(folder / "agencies.yaml", AgenciesFile))
        concerns = read_yaml(folder / "concerns.yaml", ConcernsFile)
    except Stop:
        return tuple(in_order(found))
    code_lists: dict[str, ConcernMap] = {}
    for file in sorted((folder / "codelists").glob("*.yaml")):
        try:
            code_lists[file.stem] = read_yaml(file, ConcernMap)
        except Stop as error:
            found.append(Finding(file, 1, "file", str(error), error.mend))
    listed: dict[str, Listed] = {}
    missing = []
    for name, versions in _versions(folder, agencies):
        readable = [one for one in versions if one.contract]
        if readable and (newest := readable[-1]).contract:
            listed[name] = Listed(newest.contract, newest.examples, versions)
        else:
            missing.append(name)
    contents = Contents(
        agencies, concerns.concerns, concerns.default_window_days, code_lists, listed,
        tuple(missing), tuple(_from(folder, one) for one in in_order(found)),
    )  # fmt: skip
    return replace(contents, agreements=tuple(_agreements(folder, contents.ground)))


def _agreements(folder: Path, ground: Repository) -> Iterator[Agreement]:
    for file in agreement_files(folder):
        try:
            one = agreement_of(file)
        except Stop:
            continue  # it is among the findings
        if not problems(one, ground):
            yield one


def _from(folder: Path, one: Finding) -> Finding:
    """A finding without the path of this machine."""
    file = one.file.relative_to(folder) if one.file.is_relative_to(folder) else Path(one.file.name)
    return Finding(file, one.line, one.rule, one.what.replace(f"{folder}/", ""), one.mend)


def _versions(folder: Path, agencies: Agencies) -> Iterator[tuple[str, tuple[Version, ...]]]:
    """Each contract's id and versions, oldest first, by id; with what ships for everyone."""
    files: dict[str, list[tuple[int, Path]]] = {}
    for root in (folder, shipped()):
        own = set(files)
        for owner in owners(root):
            if root == folder or owner.name == ANY:
                for file in sorted(owner.glob("*.yaml")):
                    called = named(file)
                    if called and f"{owner.name}/{called[0]}" not in own:
                        files.setdefault(f"{owner.name}/{called[0]}", []).append((called[1], file))
        if folder.samefile(shipped()):
            break
    for name, versions in sorted(files.items()):
        yield name, tuple(_version(number, file, agencies) for number, file in sorted(versions))


def _version(number: int, file: Path, agencies: Agencies) -> Version:
    try:
        guard(file.with_suffix(".avsc").read_text("utf-8"))
        contract = contract_of(file, agencies)
    except (Refused, Stop, UnicodeDecodeError, OSError):
        return Version(number, None)
    folder = file.parents[1] / "examples" / file.parent.name
    return Version(number, contract, tuple(
        _example(one, contract) for one in sorted(folder.glob(f"{file.stem}.*.json"))
    ))  # fmt: skip


def _example(file: Path, contract: Contract) -> Example:
    word = file.name.removeprefix(f"{contract.name}.v{contract.version}.").removesuffix(".json")
    text = ""
    try:
        text = file.read_text("utf-8")
        body = json.loads(text)
        Encoder(contract.schema).encode(body)
        agency = body.get("agency", "") if contract.owner == ANY else contract.owner
        return Example(word, text, contract.envelope(body, agency, _NOW, "batch"))
    except (
        Refused,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        OSError,
    ) as error:
        return Example(word, text, None, str(error)[:300])
