"""`crosstown agencies`: who publishes and receives, and whose territory a case can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from crosstown.cli.shell import HomeOption, Output, OutputOption, out, print_json_lines, settings

if TYPE_CHECKING:
    from crosstown.contracts.agencies import Agencies


def command(home: HomeOption = None, output: OutputOption = Output.HUMAN) -> None:
    """List the declared agencies and jurisdictions: the ids that events carry.

    Example: `crosstown agencies`, or `crosstown agencies -o json` for a line an agency.
    """
    from crosstown.contracts.repository import Repository

    agencies = Repository.load(settings(home).schemas).agencies
    if output is Output.JSON:
        print_json_lines(
            {"id": a.id, "name": a.name, "jurisdiction": a.jurisdiction, "kind": a.kind}
            for a in agencies
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("agency", "name", "jurisdiction", "kind"):
        table.add_column(column, overflow="fold", no_wrap=column in ("agency", "jurisdiction"))
    for a in sorted(agencies, key=lambda a: (a.jurisdiction, a.id)):
        table.add_row(a.id, Text(a.name), a.jurisdiction, a.kind)
    out.print(table)
    out.print()
    out.print(_tree(agencies))


def _tree(agencies: Agencies) -> Tree:
    """The jurisdictions within each other, each with its time zone."""
    root = Tree("jurisdictions", hide_root=False)
    branches = {"": root}
    waiting = list(agencies.jurisdictions.values())
    while waiting:
        ready = [one for one in waiting if one.within in branches]
        for one in ready:
            zone = agencies.timezone(one.id)
            branches[one.id] = branches[one.within].add(Text(f"{one.id}  {one.name}  ({zone})"))
        waiting = [one for one in waiting if one not in ready]
    return root
