"""What `crosstown pause` and `resume` have in common."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli.shell import Output, iso, out, print_json, settings
from crosstown.errors import NotFound, Stop

if TYPE_CHECKING:
    from crosstown.pausing.pause_log import Pause

PublisherArgument = Annotated[
    str, typer.Argument(metavar="PUBLISHER", help="An agency; see crosstown agencies.")
]
ReasonOption = Annotated[str, typer.Option(metavar="REASON", help="The reason; status shows it.")]


def run(publisher: str, by: str, because: str, home: Path | None, output: Output, *, pause: bool) -> None:  # fmt: skip
    """Say it once; where it stands so already nothing is said anew."""
    from crosstown.cli.agreeing import fitting
    from crosstown.cli.backbone import backbone
    from crosstown.contracts.repository import Repository
    from crosstown.pausing.pause_log import Pause, read, say

    given = settings(home)
    if not by.strip():
        raise Stop("who says so? it must be attributed",
                   mend="--by NAME, or CROSSTOWN_BY once for all")  # fmt: skip
    agencies = Repository.of(given).agencies
    if not agencies.declared(publisher):
        near = tuple(one.id for one in agencies if publisher[:5] in one.id)[:5]
        raise NotFound(
            f"no agency {publisher[:80]} is declared",
            candidates=near,
            mend="see crosstown agencies",
        )
    by, because = fitting("--by", by, 100), fitting("--because", because, 500)
    if not because:
        raise Stop("because of what? a reason is needed",
                   mend='--because "they send the same day again and again"')  # fmt: skip
    where = backbone(given)
    before = read(given, where).get(publisher)
    stands = before is not None and before.paused
    if stands == pause:
        _tell(before, publisher, output, pause=pause, changed=False)
        return
    one = Pause(publisher, pause, by, because, time.time_ns() // 1000)
    say(given, where, one)
    _tell(one, publisher, output, pause=pause, changed=True)


def _tell(one: Pause | None, publisher: str, output: Output, *, pause: bool, changed: bool) -> None:
    if output is Output.JSON:
        print_json({
            "agency": publisher, "paused": pause, "changed": changed, "by": one.by if one else "",
            "because": one.because if one else "", "at": iso(one.at) if one else None,
        })  # fmt: skip
        return
    already = "" if changed else " already"
    if pause:
        out.print(f"{publisher} is paused{already}: its messages wait in its topics, others flow.",
                  markup=False)  # fmt: skip
        out.print(f"-> crosstown resume {publisher} --because REASON", markup=False)
    else:
        out.print(f"{publisher} isn't paused{' any more' if changed else ''}: what waited is taken in.",
                  markup=False)  # fmt: skip
