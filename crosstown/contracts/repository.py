"""The contract repository: what may flow, read from a folder of files and checked as a whole.

`agencies.yaml`, `concerns.yaml`, `<agency>/<contract>.v<N>.avsc` with its `.yaml`, and
`agreements/<id>.yaml`. Source of the rules: docs/decisions/0006.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.files import agreements_in
from crosstown.avro.guards import guard
from crosstown.contracts.agencies import ID, Agencies, AgenciesFile
from crosstown.contracts.contract import ANY, Contract, ContractFile
from crosstown.contracts.mapping import Expression, compile_mapping
from crosstown.contracts.questions import open_questions
from crosstown.contracts.screened import Rules, problem
from crosstown.contracts.yaml_file import line_in, read_yaml
from crosstown.errors import Refused, Stop
from crosstown.settings import SOURCES

if TYPE_CHECKING:
    from crosstown.settings import Settings

DAY: Final = 86_400_000_000
"""Microseconds."""
_NAME = re.compile(r"^([a-z0-9]+(?:-[a-z0-9]+)*)\.v([1-9][0-9]*)$")
_TOPIC = re.compile(rf"^events\.({ID[1:-1]})\.({ID[1:-1]})$")
_NOT_OWNERS: Final = frozenset({"examples", "agreements", "codelists", SOURCES, "__pycache__"})


class Concern(BaseModel):
    """Which kinds of record may be related by place, and over how many days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID)
    window_days: float | None = Field(None, gt=0, le=3660)
    description: str = ""


class ConcernsFile(BaseModel):
    """`concerns.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_window_days: float = Field(30, gt=0, le=3660)
    concerns: tuple[Concern, ...] = ()


class ConcernMap(BaseModel):
    """A code list that gives a concern: which codes of a body's field mean which."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    """Raised with each change of the list."""
    field: str
    concerns: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Repository:
    """All contracts in their highest version, the agencies, the concerns.

    `versions` has the schema text of every version: (contract id, version) to text.
    """

    path: Path
    contracts: dict[str, Contract]
    versions: dict[tuple[str, int], str]
    agencies: Agencies
    concerns: dict[str, Concern]
    default_window: int
    agreements: dict[str, Agreement] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Repository:
        """The repository that the settings name, with the concern maps that they turn on."""
        return cls.load(settings.schemas, settings.concern_maps)

    @classmethod
    def load(cls, path: Path | None = None, concern_maps: Collection[str] = ()) -> Repository:
        """The repository in a folder; None: the one that ships with Crosstown.

        `concern_maps` names contracts whose code list gives the concern, not their mapping.

        Everyone's contracts (`any/`) that a folder doesn't have are those that ship: people's word,
        notes, hand carries and erasures work in every city from the first day.

        Raises `Stop` with file and line where something in it is wrong.
        """
        folder = path or shipped()
        if not folder.is_dir():
            raise Stop(
                f"{folder} is no folder", mend="CROSSTOWN_SCHEMAS names a contract repository"
            )
        for one in open_questions(folder) if path is not None else ():
            raise Stop(f"{one.file}:{one.line}: an open question: {one.what}",
                       mend=f"answer it: crosstown check {folder} names all of them")  # fmt: skip
        agencies = Agencies(read_yaml(folder / "agencies.yaml", AgenciesFile))
        concerns = read_yaml(folder / "concerns.yaml", ConcernsFile)
        contracts: dict[str, Contract] = {}
        versions: dict[tuple[str, int], str] = {}
        found = _contract_files(folder)
        if path is not None:
            own = {_named(file) for file in found}
            found += [file for file in _everyones() if _named(file) not in own]
        for file in found:
            contract = contract_of(file, agencies, mapped=_named(file) in concern_maps)
            versions[contract.id, contract.version] = contract.schema_text
            known = contracts.get(contract.id)
            if known is None or contract.version > known.version:
                contracts[contract.id] = contract
        for name in concern_maps:
            if name not in contracts:
                raise Stop(f"CROSSTOWN_CONCERN_MAPS: no contract {name} is here",
                           mend=f"one of: {', '.join(sorted(contracts))}")  # fmt: skip
        whole = cls(folder, dict(sorted(contracts.items())), versions, agencies,
                    {one.id: one for one in concerns.concerns},
                    round(concerns.default_window_days * DAY))  # fmt: skip
        return replace(whole, agreements=agreements_in(folder, whole))

    def window(self, concern: str) -> int:
        """How far apart two events of a concern may be to be related by place, in microseconds."""
        found = self.concerns.get(concern)
        if found is None or found.window_days is None:
            return self.default_window
        return round(found.window_days * DAY)

    def for_topic(self, topic: str) -> tuple[Contract, str] | None:
        """The contract that holds for a topic, and the agency that the topic belongs to.

        The agency's own folder comes before `any`; None where there is no such contract.
        """
        found = _TOPIC.match(topic)
        if found is None:
            return None
        agency, name = found.groups()
        contract = self.contracts.get(f"{agency}/{name}") or self.contracts.get(f"{ANY}/{name}")
        return (contract, agency) if contract and agency != ANY else None


def shipped() -> Path:
    """The contract repository that comes with Crosstown."""
    return Path(str(files("schemas")))


def shipped_contracts(agencies: Agencies) -> dict[str, Contract]:
    """Everyone's contracts (`any/`) that ship, by id, in their highest version."""
    return {one.id: one for file in sorted(_everyones(), key=lambda one: (named(one) or ("", 0)))
            for one in (contract_of(file, agencies),)}  # fmt: skip


def _everyones() -> list[Path]:
    return [file for file in _contract_files(shipped()) if file.parent.name == ANY]


def _named(file: Path) -> str:
    """A contract file's contract, whatever its version: `<folder>/<name>`."""
    return f"{file.parent.name}/{file.stem.partition('.')[0]}"


def _contract_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for owner in owners(folder):
        for file in alone(owner):
            raise Stop(f"{file.with_suffix('')}: .yaml and .avsc belong together, one is missing",
                       mend="docs/decisions/0006 says what a contract is")  # fmt: skip
        found += sorted(owner.glob("*.yaml"))
    return found


def owners(folder: Path) -> list[Path]:
    """The folders of contracts, one an agency, and `any`."""
    return [
        owner for owner in sorted(folder.iterdir())
        if owner.is_dir() and owner.name not in _NOT_OWNERS and not owner.name.startswith(".")
    ]  # fmt: skip


def alone(owner: Path) -> list[Path]:
    """The files of contracts in an owner's folder whose other half isn't there."""
    halves = {".yaml": ".avsc", ".avsc": ".yaml"}
    return sorted(
        file for file in owner.iterdir()
        if file.suffix in halves and not file.with_suffix(halves[file.suffix]).exists()
    )  # fmt: skip


def named(file: Path) -> tuple[str, int] | None:
    """A contract file's name and version; None where it isn't named as one."""
    found = _NAME.match(file.stem)
    return (found[1], int(found[2])) if found else None


def contract_of(file: Path, agencies: Agencies, *, mapped: bool = False) -> Contract:
    """One version of a contract from its files; raises `Stop` with file and line.

    `mapped`: its concern is that of its code list.
    """
    called, owner = named(file), file.parent.name
    if called is None:
        raise Stop(f"{file}: not named <contract>.v<number>.yaml", mend="rename it")
    if owner != ANY and not agencies.declared(owner):
        raise Stop(f"{file}: no agency {owner} is declared", mend="add it to agencies.yaml")
    said = read_yaml(file, ContractFile)
    ours = said.crosstown
    if owner == ANY and ours.publishes_for == "others":
        raise _wrong(file, said, ("publishes_for",), "a contract in any/ can't publish for others",
                     "take that out")  # fmt: skip
    if said.version.split(".")[0] != str(called[1]):
        raise Stop(f"{file}:{line_in(file, ('version',))}: version {said.version}, "
                   f"but the file is v{called[1]}", mend="make them agree")  # fmt: skip
    fixed = ours.envelope.jurisdiction.constant
    if fixed is not None and fixed not in agencies.jurisdictions:
        raise _wrong(file, said, ("envelope", "jurisdiction"),
                     f"no jurisdiction {fixed} is declared", "add it to agencies.yaml")  # fmt: skip
    schema = _schema(file.with_suffix(".avsc"))
    envelope = ours.envelope
    if mapped:
        envelope = envelope.model_copy(update={"concern": _concern_map(file, ours.concern_map)})
    try:
        mapping = compile_mapping(envelope, ours.identity, schema)
    except ValueError as error:
        at = ("envelope", str(error).partition(":")[0])
        mend = "docs/decisions/0006 says what may stand there"
        raise _wrong(file, said, at if at[1] != "identity" else at[1:], str(error), mend) from None
    wrong = problem(ours.screening, schema, envelope, ours.identity)
    if wrong is not None:
        raise _wrong(file, said, ("screening", *wrong[0]), f"screening: {wrong[1]}",
                     "docs/decisions/0017 says what may stand there")  # fmt: skip
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return Contract(owner, *called, schema, text, said, mapping, agencies,
                    ours.publishes_for == "others", Rules.of(ours.screening))  # fmt: skip


def _concern_map(file: Path, name: str) -> Expression:
    """What gives the concern by a code list; a code that isn't in it has none."""
    if not name:
        raise Stop(f"CROSSTOWN_CONCERN_MAPS: {_named(file)} has no concern map",
                   mend=f"say concern_map in {file}, or take the contract out")  # fmt: skip
    at = file.parents[1] / "codelists" / f"{name}.yaml"
    found = read_yaml(at, ConcernMap)
    crosswalk: dict[str, str] = {}
    for concern, codes in found.concerns.items():
        for code in codes:
            if code in crosswalk:
                raise Stop(f"{at}: {code} is under {crosswalk[code]} and {concern}",
                           mend="a code has one concern")  # fmt: skip
            crosswalk[code] = concern
    return Expression(field=found.field, crosswalk=crosswalk, otherwise="")


def _wrong(file: Path, said: ContractFile, at: tuple[str | int, ...], what: str, mend: str) -> Stop:
    """What is wrong in our part of a contract, with its line."""
    return Stop(f"{file}:{line_in(file, said.at(*at))}: {what}", mend=mend)


def _schema(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
        schema = guard(text)
    except UnicodeDecodeError as error:
        raise Stop(f"{file}: {error}", mend="save it as UTF-8") from None
    except Refused as error:
        raise Stop(f"{file}{_broken_at(text)}: no Avro schema: {error}",
                   mend=error.mend or "an Avro schema as JSON belongs there") from None  # fmt: skip
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise Stop(f"{file}: not an Avro record", mend="the body of an event is a record")
    return schema


def _broken_at(text: str) -> str:
    """The line at which a text stops being JSON, as it stands behind a file's name; empty: it is JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f":{error.lineno}"
    except RecursionError:
        pass
    return ""
