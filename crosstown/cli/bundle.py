"""`crosstown bundle`: logs, settings, figures and offsets in one file, for who is to help."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path
from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings
from crosstown.errors import CrosstownError, NotFound
from crosstown.settings import Settings


def command(
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="The zip to write; never over one that is there.",
            show_default="crosstown-bundle-TIME.zip, here",
        ),
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Put what somebody needs who is to help into one zip: without secrets, without events.

    In it: logs, settings, what runs, figures, topics with offsets and lags, versions, what the doctor
    says, and a README that lists it. It works when nothing runs, too. Look through it before you give
    it away.

    Example: `crosstown bundle --to for-support.zip`
    """
    from crosstown.bundle.cleaning import Cleaner
    from crosstown.bundle.contents import pieces
    from crosstown.bundle.known import known
    from crosstown.bundle.packing import pack

    given = settings(home)
    if not given.home.is_dir():
        raise NotFound(f"there is no home at {given.home}", mend="name it: --home DIR")
    now = dt.datetime.now(dt.UTC)
    file = (to or Path(f"crosstown-bundle-{now:%Y%m%dT%H%M%SZ}.zip")).absolute()
    cleaner = Cleaner(known(given), _agencies(given), secrets.token_bytes(32))
    with err.status("packing") as status:
        packed = pack(pieces(given), cleaner, file, f"{now:%Y-%m-%d %H:%M:%S} UTC",
                      lambda name: status.update(f"packing {name}"))  # fmt: skip
    if output is Output.JSON:
        print_json({
            "file": str(file), "bytes": file.stat().st_size,
            "entries": [{"name": name, "bytes": size, "cut": cut}
                        for name, size, cut, _ in packed.entries],
            "missing": [{"name": name, "why": why} for name, why in packed.missing],
            "removed": {kind: count for kind, count in sorted(cleaner.removed.items()) if count},
        })  # fmt: skip
        return
    out.print(f"{file}: {len(packed.entries)} files, {file.stat().st_size:,} bytes", markup=False)
    for name, why in packed.missing:
        out.print(f"without {name}: {why}", markup=False)
    out.print("look through it before you give it away; README.md in it lists all", style="dim")


def _agencies(given: Settings) -> frozenset[str]:
    """Whose records are recognised; without a readable repository, those of the one that ships."""
    from crosstown.contracts.repository import Repository

    try:
        return frozenset(Repository.of(given).agencies.ids)
    except CrosstownError:
        return frozenset(Repository.load(None).agencies.ids)
