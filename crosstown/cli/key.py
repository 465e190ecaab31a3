"""`crosstown key`: who may publish over HTTP: an agency's key, made, changed, ended."""

from __future__ import annotations

import time
from enum import Enum
from typing import Annotated, Any

import typer

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    err,
    iso,
    out,
    print_json,
    print_json_lines,
    settings,
)
from crosstown.errors import Stop

HOUR = 3_600_000_000


class Action(Enum):
    """What to do with a key."""

    ADD = "add"
    ROTATE = "rotate"
    REVOKE = "revoke"
    LIST = "list"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    agency: Annotated[str, typer.Argument(metavar="[AGENCY]", help="Whose key.")] = "",
    grace: Annotated[
        float, typer.Option(min=0, max=24 * 366, metavar="HOURS",
                            help="rotate: how long the old key still works; 0: not at all.")
    ] = 24,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:  # fmt: skip
    """Give an agency the key with which it publishes over HTTP, or end it.

    `add` and `rotate` print the key once, alone on standard output; only its hash is kept. What runs
    sees a change within a second; `revoke` ends the agency's keys at once.

    Examples: `crosstown key add riverton-tenants`, `crosstown key rotate riverton-tenants --grace 1`,
    `crosstown key revoke riverton-tenants`, `crosstown key list`
    """
    from crosstown.gateway.keys import KeyFile
    from crosstown.home import Home

    chosen = settings(home)
    if action is Action.LIST:
        _list(KeyFile(Home(chosen.home).keys), output)
        return
    if not agency:
        raise Stop(
            "whose key? no agency is named", mend="see crosstown agencies, crosstown key list"
        )
    file = KeyFile(Home(chosen.home).make().keys)
    now = time.time_ns() // 1000
    match action:
        case Action.ADD:
            _check_declared(chosen, agency)
            _show(agency, file.add(agency, now), output, "")
        case Action.ROTATE:
            _check_declared(chosen, agency)
            said = file.rotate(agency, now, round(grace * HOUR))
            _show(agency, said, output,
                  f"the old one works for {grace:g} h more" if grace else "the old one has ended")  # fmt: skip
        case Action.REVOKE:
            file.revoke(agency)
            if output is Output.JSON:
                print_json({"agency": agency, "revoked": True})
            else:
                out.print(f"no key of {agency} works any more", markup=False)


def _check_declared(chosen: Any, agency: str) -> None:
    from crosstown.contracts.repository import Repository

    if not Repository.of(chosen).agencies.declared(agency):
        raise Stop(f"no agency {agency[:80]} is declared", mend="see crosstown agencies")


def _show(agency: str, said: str, output: Output, more: str) -> None:
    if output is Output.JSON:
        print_json({"agency": agency, "key": said})
        return
    out.print(said, markup=False, soft_wrap=True)
    err.print("".join([f"{agency}'s key, shown this once; keep it as you keep passwords",
                       f"; {more}" if more else ""]), markup=False)  # fmt: skip
    err.print(
        "crosstown status says where the gateway answers; docs/http.md has a line of curl for it"
    )


def _list(file: Any, output: Output) -> None:
    now = time.time_ns() // 1000
    rows = []
    for agency, key in sorted(file.read().items()):
        ends = [one.ends for one in key.still(now).secrets if one.ends is not None]
        rows.append({"agency": agency, "created": iso(key.created), "rotated": iso(key.rotated),
                     "old_until": iso(max(ends, default=None))})  # fmt: skip
    if output is Output.JSON:
        print_json_lines(rows)
        return
    for one in rows:
        old = f", the old one until {one['old_until']}" if one["old_until"] else ""
        rotated = f", rotated {one['rotated']}" if one["rotated"] else ""
        out.print(f"{one['agency']}: created {one['created']}{rotated}{old}", markup=False)
    if not rows:
        out.print("no keys yet: crosstown key add AGENCY", markup=False)
