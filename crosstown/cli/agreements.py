"""`crosstown agreements`: who may receive what: read, asked for, accepted, declined, revoked."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption
from crosstown.cli.word import AgencyOption, ByOption
from crosstown.errors import Stop


class Action(Enum):
    """What to do."""

    LIST = "list"
    SHOW = "show"
    DIFF = "diff"
    REQUEST = "request"
    ACCEPT = "accept"
    DECLINE = "decline"
    REVOKE = "revoke"


BecauseOption = Annotated[
    str,
    typer.Option(metavar="REASON", help="request, decline, revoke: why; all parties read it."),
]


def command(  # noqa: PLR0917 - typer's options
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    agreement: Annotated[
        str, typer.Argument(metavar="[ID]", help="The agreement's id: its file's name.")
    ] = "",
    agency: AgencyOption = "",
    by: ByOption = "",
    because: BecauseOption = "",
    of: Annotated[
        str, typer.Option("--of", metavar="AGENCY", help="request: whose events are asked for.")
    ] = "",
    against: Annotated[
        Path | None,
        typer.Option(
            "--with", metavar="FILE", help="diff: with this file, not with what was accepted."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="revoke: don't ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="revoke: say who loses what, and change nothing.")
    ] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Say who may receive what, and accept, decline or end it for a party.

    An agreement is a file in the contract repository, `agreements/ID.yaml`. It holds once every party's
    steward has accepted it as the file says it now; whoever changes the file must ask all of them again.
    Any party may revoke it, at once and for good: the feed is cut before the word is said.

    `diff` says who gains or loses what by the file as it is now, against the terms accepted last.

    Examples: `crosstown agreements`, `crosstown agreements show water-hears-of-brown-water`,
    `crosstown agreements diff water-hears-of-brown-water`,
    `crosstown agreements accept water-hears-of-brown-water --agency riverton-water --by "Jo Petersen"`,
    `crosstown agreements request leaks --agency riverton-water --of riverton-housing --by "Jo Petersen"
    --because "burst pipes are found sooner"`,
    `crosstown agreements revoke water-hears-of-brown-water --agency riverton-311 --by "Dana Ruiz"
    --because "the pilot is over"`
    """
    from crosstown.cli.agreed import differing, listed, shown
    from crosstown.cli.agreeing import Speaking, accept, decline, request
    from crosstown.cli.revoking import revoke

    if action is Action.LIST:
        listed(home, output)
        return
    if not agreement:
        raise Stop("which one? no agreement is named", mend="crosstown agreements lists them")
    if action is Action.SHOW:
        shown(home, agreement, output)
        return
    if action is Action.DIFF:
        differing(home, agreement, against, output)
        return
    speaking = Speaking(home, agreement, agency, by, because, output)
    match action:
        case Action.ACCEPT:
            accept(speaking)
        case Action.DECLINE:
            decline(speaking)
        case Action.REQUEST:
            request(speaking, of)
        case Action.REVOKE:
            revoke(speaking, yes=yes, dry_run=dry_run)
