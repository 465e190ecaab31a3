"""Whether a folder of contracts holds: every rule that contracts and agreements must keep, without a cluster.

`check(folder)` gives all findings, each with file and line, in the order of the files. Source of the
rules: docs/decisions/0015.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from crosstown.agreements.checking import Found
from crosstown.agreements.checking import findings as agreement_findings
from crosstown.avro.codec import Encoder
from crosstown.avro.compatibility import breaks_any
from crosstown.avro.guards import guard
from crosstown.contracts.agencies import Agencies, AgenciesFile
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.mapping import Expression
from crosstown.contracts.promises import promised
from crosstown.contracts.questions import open_questions
from crosstown.contracts.repository import (
    ConcernsFile,
    Repository,
    alone,
    contract_of,
    named,
    owners,
    shipped_contracts,
)
from crosstown.contracts.screened import text_fields
from crosstown.contracts.yaml_file import line_in, read_plain, read_yaml
from crosstown.errors import Refused, Stop

RULES: Final = {
    "question": "No question is open.",
    "file": "Every file can be read as what it is.",
    "alone": "A contract is a .yaml and an .avsc of the same name.",
    "guard": "A schema is one that nobody can be hurt with.",
    "contract": "Our part of a contract is whole, and its mapping fits the schema.",
    "standard": "A contract is valid by the published schema of the Open Data Contract Standard.",
    "owner": "An agency's contract says whom to ask, and how.",
    "purpose": "A contract says what it is for.",
    "service-level": "A contract says how long it is kept, an agency's also how often and how late it is published.",
    "fields": "The contract and the schema describe the same fields.",
    "sensitivity": "Each field says how sensitive it is.",
    "screening": "Of each text that isn't public or internal it is said what is done with what is found.",
    "headline": "No field that isn't public gets into a headline.",
    "concern": "A concern that a contract names is listed in concerns.yaml.",
    "total": "A crosswalk of an enum says something for each of its symbols.",
    "example": "There is an example of each version, and it passes intake.",
    "gap": "Versions are numbered 1, 2, 3 without a gap.",
    "compatible": "Each version may follow the one before, in the mode that the contract states.",
}
"""Each rule on contracts in a sentence; those on agreements: `crosstown.agreements.checking`."""
CLASSES: Final = ("public", "internal", "restricted", "confidential")
_SCREENED: Final = ("restricted", "confidential")
_PROMISES: Final = {
    "frequency": "how often it is published", "latency": "how late at most it is published",
    "retention": "how long it is kept",
}  # fmt: skip
_AS_SCHEMA: Final = "write it as the schema has it"
_NOW: Final = 1_800_000_000_000_000
_PLACE = re.compile(r"^(?P<file>.+?)(?::(?P<line>\d+))?: (?P<what>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, by which of the `RULES`, what, and how to mend it."""

    file: Path
    line: int
    rule: str
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to: how many contracts there are in how many versions, and what is wrong."""

    contracts: int
    versions: int
    findings: tuple[Finding, ...]
    agreements: int = 0


def check(folder: Path, today: dt.date | None = None) -> Checked:
    """Try every rule on every contract and agreement of a folder, as of `today` (None: the clock's).

    Raises `Stop` where it's no folder of contracts.
    """
    if not folder.is_dir():
        raise Stop(f"{folder} is no folder", mend="name a contract repository")
    if not (folder / "agencies.yaml").is_file():
        raise Stop(f"{folder} has no agencies.yaml",
                   mend="a contract repository has agencies.yaml and concerns.yaml")  # fmt: skip
    found = [
        Finding(one.file, one.line, "question", one.what, one.how) for one in open_questions(folder)
    ]
    try:
        agencies = Agencies(read_yaml(folder / "agencies.yaml", AgenciesFile))
        listed = read_yaml(folder / "concerns.yaml", ConcernsFile)
    except Stop as error:
        return Checked(0, 0, (*found, _stopped(error, folder, "file")))
    by_name, misnamed = _versions(folder)
    found += misnamed
    concerns = {one.id: one for one in listed.concerns}
    contracts: dict[str, Contract] = {}
    for name, versions in by_name.items():
        findings, last = _contract(sorted(versions), agencies, set(concerns))
        found += findings
        if last is not None:
            contracts[name] = last
    broken = by_name.keys() - contracts.keys()
    ground = Repository(folder, shipped_contracts(agencies) | contracts, {}, agencies, concerns, 0)
    agreements = list(
        agreement_findings(folder, ground, broken, today or dt.datetime.now(dt.UTC).date())
    )
    found += _of_agreements(agreements)
    return Checked(len(by_name), sum(map(len, by_name.values())), tuple(found), len(agreements))


def _versions(folder: Path) -> tuple[dict[str, list[tuple[int, Path]]], list[Finding]]:
    """The files of each contract, by number; what isn't named or paired as one."""
    by_name: dict[str, list[tuple[int, Path]]] = {}
    found: list[Finding] = []
    for owner in owners(folder):
        for file in alone(owner):
            missing = f"{file.stem}{'.avsc' if file.suffix == '.yaml' else '.yaml'} is missing"
            found.append(
                Finding(file, 1, "alone", missing, "docs/decisions/0006 says what a contract is")
            )
        for file in sorted(owner.glob("*.yaml")):
            number = named(file)
            if number is None:
                found.append(
                    Finding(file, 1, "alone", "not named <contract>.v<number>.yaml", "rename it")
                )
            elif file.with_suffix(".avsc").exists():
                by_name.setdefault(f"{owner.name}/{number[0]}", []).append((number[1], file))
    return by_name, found


def _of_agreements(agreements: Iterable[Found]) -> Iterator[Finding]:
    for one in agreements:
        if one.stopped is not None:
            yield _stopped(one.stopped, one.file, "agreement")
        for line, problem in one.problems:
            yield Finding(one.file, line, problem.rule, problem.what, problem.mend)


def _contract(
    versions: list[tuple[int, Path]], agencies: Agencies, concerns: set[str]
) -> tuple[list[Finding], Contract | None]:
    """All versions of one contract, oldest first, and the last one; None where that is broken."""
    found = list(_gaps(versions))
    before: list[Any] = []
    contract = None
    for _, file in versions:
        findings, contract = _version(file, agencies)
        found += findings
        if contract is None:
            continue
        found += _concern(file, contract, concerns)
        mode = contract.file.crosstown.compatibility
        found += [
            Finding(file.with_suffix(".avsc"), 1, "compatible",
                    f"{one.path}: {one.rule}: {one.detail} ({mode})", one.mend)
            for one in breaks_any(before, contract.schema, mode)
        ]  # fmt: skip
        before.append(contract.schema)
    return found, contract


def _gaps(versions: list[tuple[int, Path]]) -> Iterator[Finding]:
    for last, (number, file) in zip([0, *(n for n, _ in versions)], versions, strict=False):
        if number != last + 1:
            what = f"version {number} follows {last}" if last else f"the first version is {number}"
            yield Finding(file, 1, "gap", what, "number from 1 without a gap; old versions stay")


def _version(file: Path, agencies: Agencies) -> tuple[list[Finding], Contract | None]:
    avsc = file.with_suffix(".avsc")
    try:
        guard(avsc.read_text("utf-8"))
    except (Refused, UnicodeDecodeError) as error:
        mend = error.mend if isinstance(error, Refused) else "save it as UTF-8"
        return [Finding(avsc, 1, "guard", str(error), mend)], None
    try:
        contract = contract_of(file, agencies)
    except Stop as error:
        return [_stopped(error, file, "contract")], None
    found: list[Finding] = []
    for rule in (
        _standard,
        _owner,
        _service_level,
        _fields,
        _screening,
        _headline,
        _total,
        _examples,
    ):
        found += rule(file, contract)
    return found, contract


def _standard(file: Path, _contract: Contract) -> Iterator[Finding]:
    for error in _validator().iter_errors(read_plain(file)):
        where = list(error.absolute_path)
        yield Finding(file, line_in(file, where), "standard",
                      f"{'.'.join(map(str, where)) or 'the file'}: {error.message[:300]}",
                      "see the Open Data Contract Standard 3.1")  # fmt: skip


@lru_cache
def _validator() -> Any:
    from jsonschema.validators import validator_for

    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    schema = json.loads(text)
    return validator_for(schema)(schema)


def _owner(file: Path, contract: Contract) -> Iterator[Finding]:
    said = contract.file
    answers = said.team and said.team.name and any(one.url for one in said.support)
    if contract.owner != ANY and not answers:
        yield Finding(file, line_in(file, ("support",)), "owner", "nobody can be asked about it",
                      "say team.name, and in support a channel with a url (mailto: too)")  # fmt: skip
    if not said.description.purpose.strip():
        yield Finding(file, line_in(file, ("description",)), "purpose", "it isn't said what it is for",
                      "say description.purpose")  # fmt: skip


def _service_level(file: Path, contract: Contract) -> Iterator[Finding]:
    said = {one.property for one in contract.file.slaProperties}
    for name, what in _PROMISES.items():
        if name in said and promised(contract.file, name) is None:
            yield Finding(file, line_in(file, ("slaProperties",)), "service-level",
                          f"{name} is no time", "say a number as value, and as unit s, min, h, d, w, m or y")  # fmt: skip
        if name not in said and (contract.owner != ANY or name == "retention"):
            yield Finding(file, line_in(file, ("slaProperties",)), "service-level",
                          f"it isn't said {what}", f"say slaProperties: property {name}")  # fmt: skip


def _fields(file: Path, contract: Contract) -> Iterator[Finding]:
    described = {one.name: one for said in contract.file.schema_ for one in said.properties}
    there = [field["name"] for field in contract.schema["fields"]]
    for name in there:
        one = described.get(name)
        if one is None:
            yield Finding(file, line_in(file, ("schema",)), "fields", f"{name} isn't described",
                          "describe it under schema, properties")  # fmt: skip
        elif one.classification not in CLASSES:
            what = one.classification or "nothing"
            yield Finding(file, _line_of(file, name), "sensitivity", f"{name}: classification is {what}",
                          f"one of {', '.join(CLASSES)}")  # fmt: skip
    for name in sorted(described.keys() - set(there)):
        yield Finding(file, _line_of(file, name), "fields", f"{name} isn't in the schema",
                      "take it out, or add it to the .avsc")  # fmt: skip


def _screening(file: Path, contract: Contract) -> Iterator[Finding]:
    ours = contract.file.crosstown.screening
    classes = {one.name: one.classification
               for said in contract.file.schema_ for one in said.properties}  # fmt: skip
    for name in text_fields(contract.schema):
        if classes.get(name) in _SCREENED and name not in ours.fields and name not in ours.names:
            yield Finding(file, _line_of(file, name), "screening",
                          f"{name} is {classes[name]}, and nothing is said of screening it",
                          f"crosstown: screening: fields: {{{name}: mask}}, flag, refuse or none; or names")  # fmt: skip


def _headline(file: Path, contract: Contract) -> Iterator[Finding]:
    headline = contract.file.crosstown.envelope.headline
    for name in headline.fields if headline else ():
        said = [
            p.classification for s in contract.file.schema_ for p in s.properties if p.name == name
        ]
        if said != ["public"]:
            yield Finding(file, _line_of(file, name), "headline",
                          f"{name} is {said[0] if said else 'not described'}, and in the headline",
                          "make the headline from public fields")  # fmt: skip


def _total(file: Path, contract: Contract) -> Iterator[Finding]:
    enums = {
        f["name"]: symbols for f in contract.schema["fields"] if (symbols := _symbols(f["type"]))
    }
    ours = contract.file.crosstown.envelope
    for name in type(ours).model_fields:
        said = getattr(ours, name)
        for one in said if isinstance(said, tuple) else (said,):
            if (
                not isinstance(one, Expression)
                or one.crosswalk is None
                or one.otherwise is not None
            ):
                continue
            missing = [s for s in enums.get(one.field or "", ()) if s not in one.crosswalk]
            if missing:
                yield Finding(file, 1, "total", f"{name}: no word for {', '.join(missing)} of {one.field}",
                              "add it to the crosswalk, or say otherwise")  # fmt: skip


def _symbols(declared: Any) -> list[str]:
    if isinstance(declared, list):
        return next((found for one in declared if (found := _symbols(one))), [])
    if isinstance(declared, Mapping):
        return (
            list(declared["symbols"])
            if declared.get("type") == "enum"
            else _symbols(declared["type"])
        )
    return []


def _concern(file: Path, contract: Contract, concerns: set[str]) -> Iterator[Finding]:
    said = contract.file.crosstown.envelope.concern
    if said is None:
        return
    named = {said.constant, said.otherwise, *(said.crosswalk or {}).values()} - {None, ""}
    for one in sorted(filter(None, named - concerns)):
        near = get_close_matches(one, concerns, 1)
        yield Finding(file, line_in(file, contract.file.at("envelope", "concern")), "concern",
                      f"{one} isn't in concerns.yaml",
                      f"did you mean {near[0]}? else add it there" if near else "add it there")  # fmt: skip


def _examples(file: Path, contract: Contract) -> Iterator[Finding]:
    folder = file.parents[1] / "examples" / file.parent.name
    found = sorted(folder.glob(f"{file.stem}.*.json"))
    if not found:
        yield Finding(file, 1, "example", "there is no example",
                      f"put a body as JSON into {folder.relative_to(file.parents[1])}/{file.stem}.<word>.json")  # fmt: skip
    for example in found:
        try:
            body = json.loads(example.read_text("utf-8"))
            Encoder(contract.schema).encode(body)
            agency = body.get("agency", "") if contract.owner == ANY else contract.owner
            contract.envelope(body, agency, _NOW, "batch")
        except Refused as error:
            yield Finding(example, 1, "example", str(error), error.mend or _AS_SCHEMA)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            yield Finding(example, 1, "example", f"it isn't a body of this schema: {error}",
                          _AS_SCHEMA)  # fmt: skip


def _line_of(file: Path, field: str) -> int:
    """The line on which a field is described; that of `schema` where it isn't."""
    text = file.read_text("utf-8").splitlines()
    wanted = re.compile(rf"^\s*(- )?(- )?name: [\"']?{re.escape(field)}[\"']?\s*$")
    return next((n for n, line in enumerate(text, 1) if wanted.match(line)),
                line_in(file, ("schema",)))  # fmt: skip


def _stopped(error: Stop, file: Path, rule: str) -> Finding:
    said = _PLACE.match(str(error))
    if said is None:
        return Finding(file, 1, rule, str(error), error.mend)
    return Finding(Path(said["file"]), int(said["line"] or 1), rule, said["what"], error.mend)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by file and line."""
    return sorted(findings, key=lambda one: (str(one.file), one.line, one.rule))
