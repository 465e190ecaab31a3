"""`crosstown apply`: make the cluster what the contracts say."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstown.cli.plan import DIFFERS, as_json, line, look, told
from crosstown.cli.shell import HomeOption, Output, OutputOption, out, print_json, settings


def command(
    yes: Annotated[
        bool, typer.Option("--yes", help="Also what takes something away: rules, users, retention.")
    ] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Make the cluster what the contracts say: topics, schemas, access rules, quotas.

    May be broken off at any time and said again. What takes something away is left out without --yes;
    what is for a person to do is named. Ends with 3 where something is left.

    Examples: `crosstown apply`, `crosstown apply --yes`
    """
    cluster, wanted, changes, left_alone, without = look(settings(home))
    human = output is Output.HUMAN
    left = []
    done = []
    for one in changes:
        if not (one.harmless or (one.destructive and yes)):
            left.append(one)
            continue
        cluster.carry_out(one, wanted)
        done.append(one)
        if human:
            out.print(line(one), markup=False)
    cluster.close()
    if human:
        for one in left:
            why = "for you to do" if one.action == "by-hand" else "needs --yes"
            out.print(f"{line(one)}  ({why})", markup=False, style="yellow")
        told(left_alone, without)
        out.print(f"{len(done)} done, {len(left)} left" if changes else
                  "Nothing to do: the cluster is as the contracts say.")  # fmt: skip
    else:
        was = as_json(done, left_alone, without)
        print_json({"done": was["changes"], "left": as_json(left, (), ())["changes"],
                    "left_alone": was["left_alone"], "without_account": was["without_account"]})  # fmt: skip
    if left:
        raise typer.Exit(DIFFERS)
