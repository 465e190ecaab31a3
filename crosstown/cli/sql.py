"""`crosstown sql`: a reader's own question to the casebook, as a table, JSON lines or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from crosstown.cli.shell import HomeOption, err, out, print_json, settings

SHOWN: Final = 1_000
"""Rows that a person is shown; programs get all."""


class Form(Enum):
    """In which form rows are printed."""

    HUMAN = "human"
    JSON = "json"
    CSV = "csv"


def command(
    query: Annotated[str, typer.Argument(help="A select; without it: what can be asked.")] = "",
    home: HomeOption = None,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="For people, or JSON lines or CSV for programs.")
    ] = Form.HUMAN,
) -> None:
    """Ask the casebook in SQL: cases, records, events, links. It can only be read.

    Examples: `crosstown sql`, `crosstown sql "select agency, count(*) from events group by 1"`,
    `crosstown sql "select * from cases where agency_count >= 3" -o csv`
    """
    from crosstown.casebook.lookup import Lookup
    from crosstown.cli.backbone import warn_of_lag

    chosen = settings(home)
    lookup = Lookup(chosen)
    warn_of_lag(chosen)
    try:
        if not query.strip():
            _what(lookup.columns(), output)
            return
        rows = lookup.sql(query)
        names, _ = next(rows)
        _print(names, (row for _, row in rows), output)
    finally:
        lookup.close()


def _what(views: dict[str, tuple[str, list[str]]], output: Form) -> None:
    if output is not Form.HUMAN:
        for name, (says, columns) in views.items():
            print_json({"view": name, "about": says, "columns": columns})
        return
    for name, (says, columns) in views.items():
        out.print(f"[bold]{name}[/]  {says}")
        out.print(f"    {', '.join(columns)}", style="dim", markup=False)
    out.print('\nFor example: crosstown sql "select agency, count(*) as n from events group by agency"',
              markup=False)  # fmt: skip


def _print(names: Sequence[str], rows: Iterator[Sequence[Any]], output: Form) -> None:
    match output:
        case Form.JSON:
            for row in rows:
                sys.stdout.write(
                    json.dumps(
                        dict(zip(names, row, strict=True)), ensure_ascii=False, default=_text
                    )
                    + "\n"
                )
        case Form.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([_text(cell) for cell in row] for row in rows)
        case Form.HUMAN:
            _table(names, rows)


def _table(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    from rich.markup import escape

    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(escape(name), overflow="fold")
    for row in islice(rows, SHOWN):
        table.add_row(*(escape(str(_text(cell))) for cell in row))
    out.print(table)
    if table.row_count == 0:
        out.print("no rows", style="dim")
    elif next(rows, None) is not None:
        err.print(f"only the first {SHOWN:,} rows are shown; all of them: -o csv")


def _text(value: Any) -> Any:
    """A cell as a program can read it: moments as ISO 8601, bytes as hex, PostgreSQL's numerics."""
    import datetime as dt
    from decimal import Decimal

    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(sep=" ").replace("+00:00", "")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return "" if value is None else value
