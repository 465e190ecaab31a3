"""`crosstown plan`: how the cluster differs from what the contracts say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings

if TYPE_CHECKING:
    from crosstown.provisioning.cluster import Cluster
    from crosstown.provisioning.plan import Change, Wanted
    from crosstown.settings import Settings

SIGNS: Final = {"create": "+", "change": "~", "remove": "-", "by-hand": "!"}
DIFFERS: Final = 3


def command(home: HomeOption = None, output: OutputOption = Output.HUMAN) -> None:
    """Show how the cluster differs from the contracts: topics, schemas, access rules, quotas.

    Nothing is changed. Ends with 3 where it differs, so that a nightly job can tell. `+` is missing,
    `~` is different, `-` is there and nobody asks for it, `!` is for a person to do.

    Example: `crosstown plan`, then `crosstown apply`
    """
    chosen = settings(home)
    cluster, _, changes, left_alone, without = look(chosen)
    cluster.close()
    if output is Output.JSON:
        print_json(as_json(changes, left_alone, without))
    else:
        show(changes)
        told(left_alone, without)
        destructive = sum(one.destructive for one in changes)
        if not changes:
            out.print("The cluster is as the contracts say.")
        else:
            more = (
                f"; {destructive} of it takes something away and needs --yes" if destructive else ""
            )
            out.print(f"{len(changes)} to do: crosstown apply{more}", markup=False)
    if changes:
        raise typer.Exit(DIFFERS)


def look(
    chosen: Settings,
) -> tuple[Cluster, Wanted, list[Change], Sequence[str], list[str]]:
    """The cluster, what is wanted, the changes, what is left alone, agencies without an account."""
    from crosstown.cli.backbone import backbone
    from crosstown.provisioning.cluster import planned

    where = backbone(chosen)
    with err.status("looking at the cluster"):
        cluster, wanted, found, changes = planned(chosen, where)
    without = sorted(wanted.agencies - found.users)
    return cluster, wanted, changes, found.unmanaged, without


def show(changes: Sequence[Change]) -> None:
    """A line each, as it is or was carried out."""
    for one in changes:
        out.print(line(one), markup=False)


def line(change: Change) -> str:
    """One change in a line."""
    return f"{SIGNS[change.action]} {change.kind:13} {change.name}  {change.detail}"


def told(left_alone: Sequence[str], without: Sequence[str]) -> None:
    """What isn't part of the plan."""
    for why in left_alone:
        err.print(why, markup=False)
    if without:
        few = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        err.print(f"{len(without)} agencies have no account of their own ({few}); one that publishes"
                  " with its own Kafka client needs one: crosstown agency add AGENCY", markup=False)  # fmt: skip


def as_json(
    changes: Sequence[Change], left_alone: Sequence[str], without: Sequence[str]
) -> dict[str, Any]:
    """For programs."""
    return {
        "changes": [
            {"action": one.action, "kind": one.kind, "name": one.name, "detail": one.detail,
             "destructive": one.destructive}
            for one in changes
        ],
        "left_alone": list(left_alone),
        "without_account": list(without),
    }  # fmt: skip
