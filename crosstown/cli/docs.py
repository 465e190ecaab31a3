"""`crosstown docs`: the contracts as a readable site and an AsyncAPI document, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crosstown.cli.check import say
from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings


def command(
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="DIR",
            help="Where the site goes: new, empty, or a site that this wrote.",
        ),
    ],
    path: Annotated[
        Path | None,
        typer.Argument(help="A contract repository; else CROSSTOWN_SCHEMAS, else what ships."),
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Write a catalogue of all agencies and contracts to read in a browser, and `asyncapi.json`.

    Ends with 3 where a contract can't be shown. What is in it: docs/decisions/0018.

    Examples: `crosstown docs --to site`, `crosstown docs schemas --to site`
    """  # fmt: skip
    from crosstown.catalogue import contents, pages, site
    from crosstown.contracts.repository import shipped

    folder = path or settings(home).schemas or shipped()
    found = contents.read(folder)
    if isinstance(found, tuple):
        say(found)
        err.print(f"nothing can be shown of {folder}", markup=False)
        raise typer.Exit(3)
    made = pages.pages(found)
    stale = site.write(to, made)
    if output is Output.JSON:
        print_json({
            "path": str(folder), "to": str(to), "files": len(made), "stale": stale,
            "agencies": len(found.agencies.ids), "contracts": len(found.contracts),
            "missing": list(found.missing), "findings": len(found.findings),
        })  # fmt: skip
    else:
        out.print(f"{len(found.contracts)} contracts of {len(found.agencies.ids)} agencies: "
                  f"{to / 'index.html'}", markup=False)  # fmt: skip
        if found.missing:
            err.print(f"not shown: {', '.join(found.missing)}", markup=False)
        if found.findings:
            err.print("crosstown check finds something; so does the first page", markup=False)
    if found.missing:
        raise typer.Exit(3)
