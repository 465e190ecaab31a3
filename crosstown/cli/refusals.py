"""`crosstown refusals`: whom the broker has refused what."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, out, print_json, settings
from crosstown.errors import Stop


def command(
    user: Annotated[str, typer.Option(help="Only what was refused to this account.")] = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show whom the embedded broker has refused what, the latest first, alike ones counted together.

    A wrong password is told with the address alone: Kafka's log names no account for it.

    Examples: `crosstown refusals`, `crosstown refusals --user riverton-housing -o json`
    """
    from crosstown.embedded.refusals import refusals
    from crosstown.home import Home

    chosen = settings(home)
    if not chosen.embedded:
        raise Stop("a cluster of your own keeps its own log of refusals",
                   mend="on its brokers: kafka-authorizer.log (logger kafka.authorizer.logger)")  # fmt: skip
    log = Home(chosen.home).refusals
    found = [
        one for one in refusals([log.with_name(f"{log.name}.1"), log]) if user in ("", one.user)
    ]
    if output is Output.JSON:
        for one in found:
            print_json({"account": one.user or None, "host": one.host, "refused": one.what,
                        "first": one.first, "last": one.last, "count": one.count})  # fmt: skip
        return
    if not found:
        out.print("Nothing was refused.")
        return
    for one in found:
        out.print(f"{one.last[:19].replace('T', ' ')}  {one.count:>5,} x  {one.user or '(no account)'}"
                  f" from {one.host}: {one.what}", markup=False)  # fmt: skip
