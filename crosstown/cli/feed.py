"""`crosstown feed`: a batch of what an agreement gives, as a file with a manifest."""

from __future__ import annotations

from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings

if TYPE_CHECKING:
    from crosstown.outward.manifest import Manifest


class Kind(Enum):
    """As what the messages are written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


def command(
    agreement: Annotated[str, typer.Argument(help="An agreement in force.")],
    to: Annotated[
        str, typer.Option("--to", metavar="FOLDER", help="Where the files go: a folder, or sftp://user@host/folder.")
    ],
    kind: Annotated[Kind, typer.Option("--format", help="As what.")] = Kind.NDJSON,
    since: Annotated[
        int | None,
        typer.Option(min=0, metavar="NUMBER",
                     help="From behind this number on; else behind the folder's last manifest."),
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:  # fmt: skip
    """Write what a feed has said since the last batch into a folder: a file, and a manifest beside it.

    Each file appears in one piece, the manifest last. Run it as often as you like: it goes on behind the
    last manifest in the folder. Ends with 3 where numbers are missing that Kafka holds no longer.

    Examples: `crosstown feed health-sees-inspections --to outbox --format csv`,
    `crosstown feed health-sees-inspections --to sftp://crosstown@files.example/inbox`
    """
    from crosstown.audit.log import AccessLog
    from crosstown.cli.backbone import backbone
    from crosstown.outward.batching import batch
    from crosstown.outward.sftp import Sftp
    from crosstown.outward.shelf import Folder

    chosen = settings(home)
    shelf = Sftp.at(to, chosen.sftp_config) if to.startswith("sftp:") else Folder(Path(to))
    where = backbone(chosen)
    with closing(AccessLog(chosen, where, f"batch-{agreement}"[:60])) as access:
        made = batch(chosen, where, access, agreement, shelf, kind.value, since)
    if made is None:
        err.print(f"nothing new in {agreement}", markup=False)
        if output is Output.JSON:
            print_json({"agreement": agreement, "count": 0, "file": None})
        return
    _say(made, to, output)
    if made.missing or made.left_out:
        raise typer.Exit(3)


def _say(made: Manifest, to: str, output: Output) -> None:
    if output is Output.JSON:
        print_json(made.model_dump(exclude={"form"}))
    else:
        out.print(f"{to.rstrip('/')}/{made.file}: {made.count:,} messages, numbers {made.first} to {made.last}",
                  markup=False)  # fmt: skip
    for one in made.missing:
        err.print(
            f"missing: numbers {one.first} to {one.last}: Kafka holds them no longer", markup=False
        )
    for one in made.left_out:
        err.print(
            f"left out: numbers {one.first} to {one.last}: said under other terms", markup=False
        )
