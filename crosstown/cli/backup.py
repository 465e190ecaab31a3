"""`crosstown backup`: a home in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings


def command(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")],
    *,
    only_verify: Annotated[
        bool, typer.Option("--verify", help="Read a backup that is there; write nothing.")
    ] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Keep all that a home holds in one file, while nothing runs, and read it again.

    The file holds the home's keys and isn't encrypted. A cluster or database of your own isn't in it.

    Example: `crosstown down && crosstown backup /mnt/safe/city.tgz && crosstown up --detach`
    """
    from crosstown.backup import back_up, verify

    given = settings(home)
    with err.status("reading it again" if only_verify else "writing it, and reading it again"):
        found = verify(to) if only_verify else back_up(given.home, to)
    if output is Output.JSON:
        print_json({"file": str(to), "taken_at": found.taken_at, "files": found.files,
                    "bytes": found.size})  # fmt: skip
        return
    out.print(f"{to} is whole: {found.files} files, {found.size:,} bytes, taken {found.taken_at}",
              markup=False)  # fmt: skip
    if not only_verify:
        err.print("keys are in it, not encrypted: keep it where only you can read", markup=False)
        if not given.embedded or given.casebook:
            err.print("what lies in a cluster or database of your own isn't in it", markup=False)
