"""`crosstown check`: whether contracts hold, without a cluster; for people, programs and CI."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli.shell import HomeOption, err, out, print_json, settings

if TYPE_CHECKING:
    from crosstown.contracts.checking import Finding


class Form(Enum):
    """For whom it prints."""

    HUMAN = "human"
    JSON = "json"
    GITHUB = "github"


def command(
    path: Annotated[
        Path | None,
        typer.Argument(help="A contract repository; else CROSSTOWN_SCHEMAS, else what ships."),
    ] = None,
    home: HomeOption = None,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="For people, JSON, or annotations for a CI.")
    ] = Form.HUMAN,
) -> None:
    """Try every rule on every contract: schema, mapping, examples, versions, sensitivity, owner.

    And on every agreement: parties, fields, basis, filter, dates. Ends with 3 where something is wrong.
    Each rule: docs/decisions/0015, of agreements 0023.

    Examples: `crosstown check`, `crosstown check schemas -o github`
    """
    from crosstown.contracts.checking import check, in_order
    from crosstown.contracts.repository import shipped

    folder = path or settings(home).schemas or shipped()
    found = check(folder)
    findings = in_order(found.findings)
    match output:
        case Form.JSON:
            print_json({
                "path": str(folder), "contracts": found.contracts, "versions": found.versions,
                "agreements": found.agreements,
                "findings": [
                    {"file": str(one.file), "line": one.line, "rule": one.rule, "what": one.what,
                     "mend": one.mend}
                    for one in findings
                ],
            })  # fmt: skip
        case Form.GITHUB:
            for one in findings:
                text = f"{one.what} -> {one.mend}" if one.mend else one.what
                out.print(f"::error file={_escaped(str(one.file), property_=True)},line={one.line},"
                          f"title={one.rule}::{_escaped(text)}", markup=False)  # fmt: skip
        case Form.HUMAN:
            say(findings)
            wrong = _many(len(findings), "finding") if findings else "all hold"
            (err if findings else out).print(
                f"{_many(found.contracts, 'contract')} in {_many(found.versions, 'version')} and"
                f" {_many(found.agreements, 'agreement')} under {folder}: {wrong}",
                markup=False,
            )
    if findings:
        raise typer.Exit(3)


def say(findings: Iterable[Finding]) -> None:
    """Findings for people: where, what, and how to mend it."""
    for one in findings:
        out.print(f"{one.file}:{one.line}: {one.rule}: {one.what}", markup=False)
        if one.mend:
            out.print(f"  -> {one.mend}", markup=False)


def _escaped(text: str, *, property_: bool = False) -> str:
    """Text in a workflow command: GitHub's own way of escaping."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property_ else text


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
