"""`crosstown release`: end a legal hold; an erasure that was ordered meanwhile is then carried out."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstown.cli.forget import AgencyOption, BecauseOption, Order, hold
from crosstown.cli.shell import HomeOption, Output, OutputOption
from crosstown.cli.word import ByOption


def command(
    record: Annotated[str, typer.Argument(help="The record in full: agency/register/number.")],
    because: BecauseOption,
    by: ByOption = "",
    agency: AgencyOption = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """End a legal hold; an erasure that was ordered meanwhile is then carried out.

    The order names the record by a keyed hash only, and is kept with its reason.

    Example: `crosstown release riverton-police/incident/INC-310001 --because "case closed" --by "city attorney"`
    """
    hold(Order(home, record, agency, by, because), output, release=True)
