"""`crosstown erase`: have a record forgotten: no event of it counts any more, before or after; its bytes go."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstown.cli.forget import AgencyOption, BecauseOption, Order, erase
from crosstown.cli.shell import HomeOption, Output, OutputOption
from crosstown.cli.word import ByOption


def command(
    record: Annotated[str, typer.Argument(help="The record in full: agency/register/number.")],
    because: BecauseOption,
    by: ByOption = "",
    agency: AgencyOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Have a record forgotten: no event of it counts any more, before or after; its bytes go.

    The order names the record by a keyed hash only, and is kept with its reason.

    Example: `crosstown erase xx-county-health/visit/CH-50196 --because "records rule 7" --by "records officer"`
    """
    erase(Order(home, record, agency, by, because), yes=yes, output=output)
