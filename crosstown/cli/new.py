"""`crosstown new contract`: from an agency's CSV to its contract, but for what only it knows."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosstown.cli.shell import Output, OutputOption, err, out, print_json
from crosstown.errors import Stop

if TYPE_CHECKING:
    from connectors.csv_look import Look
    from crosstown.onboarding.columns import Column
    from crosstown.onboarding.draft import Draft
    from crosstown.onboarding.plan import Plan
    from crosstown.onboarding.repository_text import Newcomer


class What(Enum):
    """What is made."""

    CONTRACT = "contract"


def command(  # noqa: PLR0917 - each is an option
    what: Annotated[What, typer.Argument(help="What to make.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="A file as the system writes it.")
    ],
    agency: Annotated[str, typer.Option(metavar="ID", help="Whose it is: smallville-housing.")],
    name: Annotated[
        str,
        typer.Option(help="What its records are called: inspections.", show_default="FILE's name"),
    ] = "",
    to: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The contract repository; made where it isn't there."),
    ] = Path("contracts"),
    jurisdiction: Annotated[str, typer.Option(metavar="ID", help="New: us-il-smallville.")] = "",
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="New: America/Chicago.")] = "",
    kind: Annotated[str, typer.Option(help="New: department, authority, county, ...")] = "",
    output: OutputOption = Output.HUMAN,
) -> None:
    """Read a CSV and write a contract, its schema, examples and a source for it; then ask.

    What the file can't tell stands in what was written as a question, and `crosstown check` names each.
    Nothing that is there is overwritten, nothing is sent.

    Example: `crosstown new contract night.csv --agency smallville-housing --name visits`
    """
    from connectors.csv_look import look
    from crosstown.contracts.agencies import ID
    from crosstown.contracts.questions import open_questions
    from crosstown.onboarding.columns import columns
    from crosstown.onboarding.plan import plan
    from crosstown.onboarding.repository_text import Newcomer

    del what
    contract = name or _slug(file.stem)
    for said, means in ((agency, "--agency"), (contract, "--name")):
        if not re.match(ID, said) or len(said) > 64 or said in ("any", "examples", "sources"):
            raise Stop(
                f"{means} {said!r} can't be an id", mend="small letters, digits, and - between"
            )
    if not file.is_file():
        raise Stop(f"{file} isn't there", mend="name a CSV as the system writes it")
    seen = look(file)
    found = columns(seen.columns, seen.rows, _clock)
    planned = plan(found, seen.rows)
    called = " ".join(part.capitalize() for part in agency.split("-"))
    newcomer = Newcomer(agency, called, jurisdiction, timezone, kind)
    draft = _draft(planned, seen, newcomer, contract, to)
    written = _write(_files(draft, newcomer, seen, to), to)
    questions = [one for one in open_questions(to) if one.file in written]
    if output is Output.JSON:
        print_json(_as_json(draft, seen, found, written, questions))
        return
    _show(draft, seen, found)
    if not name:
        out.print(f"Its records are called {draft.register!r}, as the file is, in every id for ever; for another"
                  f" word take away {to / draft.agency} and say --name WORD", markup=False, soft_wrap=True)  # fmt: skip
    out.print()
    for path in written:
        out.print(f"written: {path}", markup=False)
    _next(draft, to, file, len(questions))


def _slug(stem: str) -> str:
    """A file's name without its date and counters, as an id."""
    from crosstown.event.identity import slug

    return slug(re.sub(r"\d+", " ", stem)) or "records"


def _clock(form: str, text: str) -> int | None:
    """What the readers that will read the file every night make of a text."""
    from functools import lru_cache

    from connectors.times import LocalTimes
    from crosstown.moments import instant
    from crosstown.onboarding.moments import ISO

    global _made  # noqa: PLW0603 - a cache, made when it is needed
    if _made is None:
        _made = lru_cache(maxsize=None)(lambda one: LocalTimes("UTC", one))
    try:
        return instant(text) if form == ISO else _made(form).read(text)[0]
    except ValueError:
        return None


_made: Any = None


def _draft(planned: Plan, seen: Look, newcomer: Newcomer, contract: str, to: Path) -> Draft:
    from crosstown.contracts.agencies import Agencies, AgenciesFile
    from crosstown.contracts.repository import ConcernsFile
    from crosstown.contracts.yaml_file import read_yaml
    from crosstown.onboarding.draft import Draft

    territory, concerns, others = newcomer.territory, tuple[str, ...](), tuple[str, ...]()
    if (to / "agencies.yaml").exists():
        agencies = Agencies(read_yaml(to / "agencies.yaml", AgenciesFile))
        concerns = tuple(c.id for c in read_yaml(to / "concerns.yaml", ConcernsFile).concerns)
        ours = agencies.get(newcomer.agency)
        if ours is None:
            raise Stop(f"{newcomer.agency} isn't declared in {to / 'agencies.yaml'}",
                       mend="add it there under agencies: - {id: " + newcomer.agency + ", name: "
                       + newcomer.called + ", jurisdiction: ..., kind: department}")  # fmt: skip
        territory = ours.jurisdiction
        if newcomer.jurisdiction or newcomer.timezone or newcomer.kind:
            err.print(f"{to / 'agencies.yaml'} is there and stays as it is: --jurisdiction, --timezone and"
                      " --kind weren't used", markup=False)  # fmt: skip
        others = tuple(one.id for one in agencies if one.id != newcomer.agency)
    rows = f"{len(seen.rows):,} rows" if seen.whole else f"its first {len(seen.rows):,} rows"
    return Draft(planned, newcomer.agency, newcomer.called, contract, territory, seen.file.name,
                 seen.encoding, seen.delimiter, seen.doubt, rows, concerns, others)  # fmt: skip


def _files(draft: Draft, newcomer: Newcomer, seen: Look, to: Path) -> dict[Path, str]:
    """All that is to be written, by its path; what a repository has already isn't among it."""
    from crosstown.onboarding.contract_text import contract_text, schema_text
    from crosstown.onboarding.examples import examples
    from crosstown.onboarding.repository_text import CONCERNS, agencies_text
    from crosstown.onboarding.source_text import source_text
    from crosstown.settings import SOURCES

    made: dict[Path, str] = {}
    if not (to / "agencies.yaml").exists():
        made[to / "agencies.yaml"] = agencies_text(newcomer)
        if not (to / "concerns.yaml").exists():
            made[to / "concerns.yaml"] = CONCERNS
    stem = f"{draft.name}.v1"
    made[to / draft.agency / f"{stem}.yaml"] = contract_text(draft)
    made[to / draft.agency / f"{stem}.avsc"] = schema_text(draft)
    for event, body in examples(draft, seen.rows, _clock).items():
        made[to / "examples" / draft.agency / f"{stem}.{event}.json"] = body
    made[to / SOURCES / f"{draft.source.replace('-', '_')}.py"] = source_text(draft)
    return made


def _write(made: dict[Path, str], to: Path) -> list[Path]:
    """Write all, or nothing where one of them is there."""
    there = [path for path in made if path.exists()]
    if there:
        raise Stop(f"{there[0]} is there already; nothing was written",
                   mend="another --name, or take the old files away first")  # fmt: skip
    try:
        for path, text in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
    except OSError as error:
        raise Stop(f"{to} can't be written: {error.strerror}", mend="another --to") from None
    return list(made)


def _show(draft: Draft, seen: Look, found: list[Column]) -> None:
    """What was inferred, and why."""
    from rich.table import Table
    from rich.text import Text

    roles = _roles(draft)
    delimiter = {"\t": "tab"}.get(seen.delimiter, seen.delimiter)
    rows = f"all {len(seen.rows):,}" if seen.whole else f"the first {len(seen.rows):,}"
    out.print(f"{seen.file}: {seen.encoding.removesuffix('-sig')}, cells end at {delimiter}, "
              f"{len(found)} columns; {rows} rows were read", markup=False)  # fmt: skip
    for why, count in seen.broken.items():
        err.print(
            f"{count:,} rows can't be read: {why} (first: line {seen.first_broken})", markup=False
        )
    one = "one step each" if draft.plan.per_row else "a record each, with a time for each step"
    out.print(f"a row: {one}")
    out.print()
    table = Table(box=None, pad_edge=False)
    for title in ("column", "is", "because", "becomes", "sensitivity"):
        table.add_column(title, overflow="fold")
    for column in found:
        table.add_row(*map(Text, (column.header, column.kind.value, column.why,
                                  roles.get(column.at, "left out"), _class(draft, column))))  # fmt: skip
    out.print(table)
    for column in found:
        if column.form and column.form.strange:
            err.print(f"{column.header}: some aren't of the form {column.form.form}: "
                      f"{', '.join(map(repr, column.form.strange))}; such rows will be rejects",
                      markup=False)  # fmt: skip


def _class(draft: Draft, column: Column) -> str:
    from crosstown.onboarding.draft import fields

    said = [f for f in fields(draft) if f.column is column]
    return said[0].classification if said else ""


def _roles(draft: Draft) -> dict[int, str]:
    """What becomes of each column, in words, by its place."""
    plan = draft.plan
    roles = {one.at: f"left out: {why}" for one, why in plan.left_out}
    for column in plan.fields:
        roles[column.at] = f"field {column.field}"
    for step in plan.steps:
        for column in step.own:
            roles[column.at] = f"field {column.field}, with {step.event} alone"
        roles[step.time.at] = (
            "its time"
            if plan.per_row
            else f"event {step.event} ({step.step or 'step: a question'})"
        )
    if plan.event:
        roles[plan.event.at] = "which event it is"
    for one, role in ((plan.line, "what tells a record's rows apart"), (plan.due, "due_at"),
                      (plan.said, "when it was said (known_at)")):  # fmt: skip
        if one:
            roles[one.at] = role
    for one in (plan.address, plan.house):
        if one:
            roles[one.at] = f"place, and {roles.get(one.at, 'no field')}"
    for one, _ in plan.refs:
        roles[one.at] = f"others' numbers? {roles.get(one.at, '')}"
    roles[plan.number.at] = "the record's number" + (" (a question)" if plan.rivals else "")
    return roles


def _next(draft: Draft, to: Path, file: Path, questions: int) -> None:
    out.print()
    out.print(f"{questions} questions are open, each in the file where its answer belongs. Next:")
    folder, sample = (f'"{one}"' if " " in str(one) else str(one) for one in (to, file))
    for line in (
        f"crosstown check {folder}",
        f"crosstown certify {draft.agency} {sample} --contracts {folder}",
    ):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def _as_json(
    draft: Draft, seen: Look, found: list[Column], written: list[Path], questions: list[Any]
) -> dict[str, Any]:
    roles = _roles(draft)
    return {
        "contract": draft.id, "source": draft.source, "encoding": seen.encoding,
        "delimiter": seen.delimiter, "rows": len(seen.rows), "whole": seen.whole,
        "broken": sum(seen.broken.values()),
        "columns": [
            {"column": c.header, "field": c.field, "kind": c.kind.value, "why": c.why,
             "becomes": roles.get(c.at, "left out"), "sensitivity": _class(draft, c)}
            for c in found
        ],
        "written": [str(path) for path in written],
        "questions": [{"file": str(q.file), "line": q.line, "what": q.what, "how": q.how}
                      for q in questions],
    }  # fmt: skip
