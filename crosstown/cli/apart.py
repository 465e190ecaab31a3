"""`crosstown apart`: say that a record stands alone: neither place nor reference joins it to anything."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstown.cli.linking import run
from crosstown.cli.shell import HomeOption, Output, OutputOption
from crosstown.cli.word import (
    AgencyOption,
    BecauseOption,
    ByOption,
    JurisdictionOption,
    WithdrawOption,
)


def command(
    record: Annotated[str, typer.Argument(help="A record in full, or its number.")],
    because: BecauseOption,
    by: ByOption = "",
    agency: AgencyOption = "",
    withdraw: WithdrawOption = False,
    jurisdiction: JurisdictionOption = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Say that a record stands alone: neither place nor reference joins it to anything.

    It is attributed, seen by every agency in the case, and stands until --withdraw.

    Example: `crosstown apart SR-1400001 --because "a test call" --by "desk 4" --agency riverton-311`
    """
    run("apart", [record], because=because, by=by, agency=agency,
        withdraw=withdraw, jurisdiction=jurisdiction, home=home, output=output)  # fmt: skip
