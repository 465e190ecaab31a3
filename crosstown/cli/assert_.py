"""`crosstown assert`: say that two records are one matter, though no rule joins them."""

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


def command(  # noqa: PLR0917 - typer's options
    record: Annotated[str, typer.Argument(help="A record in full, or its number.")],
    other: Annotated[str, typer.Argument(help="The other record.")],
    because: BecauseOption,
    by: ByOption = "",
    agency: AgencyOption = "",
    withdraw: WithdrawOption = False,
    jurisdiction: JurisdictionOption = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Say that two records are one matter, though no rule joins them.

    It is attributed, seen by every agency in the case, and stands until --withdraw.

    Example: `crosstown assert riverton-311/request/SR-1400001 riverton-police/incident/INC-310001 --because "the same caller" --by "desk 4" --agency riverton-311`
    """
    run("asserted", [record, other], because=because, by=by, agency=agency,
        withdraw=withdraw, jurisdiction=jurisdiction, home=home, output=output)  # fmt: skip
