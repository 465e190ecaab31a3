"""`crosstown restore`: a new home from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `crosstown backup` wrote.")],
    *,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Make a new home from a backup: whole, or not at all.

    What was said, erased or delivered after the backup isn't known there: erase again what was
    erased since, before anything runs long. Never run it beside the home that it was taken from.

    Example: `crosstown restore /mnt/safe/city.tgz --home ~/.crosstown && crosstown up --detach`
    """
    from crosstown.backup import restore

    given = settings(home)
    with err.status("reading and comparing every byte"):
        found = restore(file, given.home)
    if output is Output.JSON:
        print_json({"file": str(file), "home": str(given.home), "taken_at": found.taken_at,
                    "files": found.files, "bytes": found.size})  # fmt: skip
        return
    out.print(f"{given.home} is as it was at {found.taken_at}: {found.files} files", markup=False)
    err.print("what was erased since then must be erased again: crosstown erase", markup=False)
