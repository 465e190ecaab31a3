"""`crosstown backup`: a home in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings
from crosstown.errors import Stop

if TYPE_CHECKING:
    from crosstown.settings import Settings


def command(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    *,
    only_verify: Annotated[
        bool, typer.Option("--verify", help="Read a backup that is there; write nothing.")
    ] = False,
    only_words: Annotated[
        bool,
        typer.Option(
            "--words", help="Only what people said, small, while everything runs; replaces FILE."
        ),
    ] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Keep all that a home holds in one new file, while nothing runs, and read it again.

    The file holds the home's keys and isn't encrypted. A cluster or database of your own isn't in it.
    With `--words` only what people said and no source says again: erasures, holds, links, notes,
    agreements' words, and which keys are valid. Keep that every hour: it is what a backup can't know.

    Example: `crosstown down && crosstown backup /mnt/safe/city.tgz && crosstown up --detach`, and every
    hour `crosstown backup --words /mnt/safe/words.json`
    """
    from crosstown.keeping.backup import back_up, verify

    if only_words and only_verify:
        raise Stop("--words and --verify don't go together", mend="one of them")
    given = settings(home)
    if only_words:
        _words(given, to, output)
        return
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


def _words(given: Settings, to: Path, output: Output) -> None:
    from crosstown.cli.backbone import backbone
    from crosstown.keeping.kept_words import counted, keep

    kept = keep(given, backbone(given), to)
    if output is Output.JSON:
        print_json({"file": str(to), "taken_at": kept.taken_at, "words": counted(kept)})
        return
    said = ", ".join(f"{count} {name}" for name, count in counted(kept).items())
    out.print(f"{to}: {said}", markup=False)
