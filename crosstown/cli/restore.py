"""`crosstown restore`: a new home from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings

if TYPE_CHECKING:
    from crosstown.keeping.kept_words import Kept
    from crosstown.settings import Settings


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `crosstown backup` wrote.")],
    *,
    words: Annotated[
        Path | None,
        typer.Option(
            metavar="WORDS",
            help="What `crosstown backup --words` wrote last: it is said at the next start.",
        ),
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Make a new home from a backup: whole, or not at all.

    What was said or delivered after the backup isn't known there. With `--words` what was erased,
    held, revoked, linked or noted since is said again, before any program starts, and keys that were
    taken away since end. Never run it beside the home that it was taken from.

    Example: `crosstown restore /mnt/safe/city.tgz --words /mnt/safe/words.json && crosstown up --detach`
    """
    from crosstown.keeping.backup import restore
    from crosstown.keeping.kept_words import counted

    given = settings(home)
    kept = _kept(words)
    with err.status("reading and comparing every byte"):
        found = restore(file, given.home, lambda part: _leave(given, kept, part))
    if output is Output.JSON:
        print_json({"file": str(file), "home": str(given.home), "taken_at": found.taken_at,
                    "files": found.files, "bytes": found.size,
                    "words": kept and counted(kept)})  # fmt: skip
        return
    out.print(f"{given.home} is as it was at {found.taken_at}: {found.files} files", markup=False)
    if kept is None:
        err.print("what was erased or revoked since then is there again: erase and revoke it again",
                  markup=False)  # fmt: skip
    else:
        err.print(f"what people said until {kept.taken_at} is said when it is started next",
                  markup=False)  # fmt: skip


def _kept(words: Path | None) -> Kept | None:
    from crosstown.keeping.kept_words import read_kept

    return read_kept(words) if words else None


def _leave(given: Settings, kept: Kept | None, part: Path) -> None:
    """Put it into the home that is being made; where it doesn't fit there, none is made."""
    from crosstown.home import Home
    from crosstown.keeping.kept_words import leave

    if kept is not None:
        leave(given, kept, Home(part))
