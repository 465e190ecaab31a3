"""`crosstown places`: try a list of addresses against a list of places; nothing is sent."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from crosstown.cli.shell import Output, OutputOption, out, print_json_lines
from crosstown.errors import Stop

if TYPE_CHECKING:
    from connectors.places import Answer


def command(
    listed: Annotated[
        Path, typer.Argument(metavar="LIST", help="CSV: addresses and their places.")
    ],
    asked: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the addresses to find.")],
    *,
    column: Annotated[str, typer.Option(help="FILE's column of addresses.")] = "address",
    text: Annotated[str, typer.Option(help="LIST's column of addresses.")] = "address",
    place: Annotated[str, typer.Option(help="LIST's column of places.")] = "place",
    decided: Annotated[
        Path | None,
        typer.Option(help="CSV in LIST's form with what people decided; it comes first."),
    ] = None,
    doubts: Annotated[
        Path | None, typer.Option(help="Write what is in doubt or unknown here, to be decided.")
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Find places for addresses in words: a match, a doubt with candidates, or no match.

    Example: `crosstown places addresses.csv night.csv --column Address --doubts doubts.csv`;
    fill in the column place of doubts.csv (`-`: it is none), and give it as `--decided` from then on.
    """
    from connectors.places import Doubt, Gazetteer, Match, NoMatch

    gazetteer = Gazetteer.read(listed, text=text, place=place, decided=decided)
    answers = {one: gazetteer.find(one) for one in _addresses(asked, column)}
    open_ones = {one: said for one, said in answers.items() if not isinstance(said, Match)}
    if doubts is not None:
        _write(doubts, text, place, open_ones)
    if output is Output.JSON:
        print_json_lines(
            {"address": one, "answer": type(said).__name__.lower(), "place": said.place or None,
             "why": getattr(said, "why", None),
             "candidates": list(said.candidates) if isinstance(said, Doubt) else []}
            for one, said in answers.items()
        )  # fmt: skip
        return
    table = Table(box=None, pad_edge=False)
    for name in ("address", "why it has no place", "candidates"):
        table.add_column(name, overflow="fold")
    for one, said in list(open_ones.items())[:30]:
        near = ", ".join(said.candidates) if isinstance(said, Doubt) else ""
        table.add_row(one[:80], getattr(said, "why", ""), near)
    counts = Counter(type(said) for said in answers.values())
    out.print(f"{counts[Match]:,} matches, {counts[Doubt]:,} in doubt, {counts[NoMatch]:,} unknown,"
              f" of {len(answers):,} different addresses", markup=False)  # fmt: skip
    if open_ones:
        out.print(table)
        if len(open_ones) > 30:
            out.print(
                f"... and {len(open_ones) - 30:,} more: --doubts FILE, or -o json", style="dim"
            )
    if doubts is not None:
        out.print(f"to decide: {doubts}; then --decided {doubts}", markup=False)


def _addresses(file: Path, column: str) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if column not in (rows.fieldnames or ()):
                raise Stop(f"{file} has no column {column}",
                           mend=f"--column one of: {', '.join(rows.fieldnames or ())[:300]}")  # fmt: skip
            found = ((row[column] or "").strip() for row in rows)
            return list(dict.fromkeys(one for one in found if one))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Stop(f"{file} can't be read: {error}", mend="a CSV file in UTF-8") from None


def _write(file: Path, text: str, place: str, open_ones: Mapping[str, Answer]) -> None:
    from connectors.places import Match

    try:
        with file.open("x", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([text, place, "why", "candidates"])
            for one, said in open_ones.items():
                if not isinstance(said, Match):
                    near = " ".join(getattr(said, "candidates", ()))
                    writer.writerow([one, "", said.why, near])
    except FileExistsError:
        raise Stop(f"{file} is there already, and may have decisions in it",
                   mend="name another file for the doubts") from None  # fmt: skip
    except OSError as error:
        raise Stop(f"{file} can't be written: {error}", mend="name another file") from None
