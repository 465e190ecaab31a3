"""`crosstown down`: end everything that runs under a home."""

from __future__ import annotations

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings


def command(home: HomeOption = None, output: OutputOption = Output.HUMAN) -> None:
    """End everything in order, and leave nothing behind; the data stays.

    Example: `crosstown down`
    """
    from crosstown.supervision import detached

    given = settings(home)
    with err.status("ending what runs"):
        ran = detached.end(given)
    if output is Output.JSON:
        print_json({"ended": ran})
    else:
        out.print(f"ended; the data stays in {given.home}" if ran else "nothing ran", markup=False)
