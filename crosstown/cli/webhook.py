"""`crosstown webhook`: the secrets by which calls are signed, how far each has come, going on again."""

from __future__ import annotations

import time
from contextlib import closing
from enum import Enum
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from crosstown.agreements.agreement import Agreement
    from crosstown.settings import Settings

HOUR = 3_600_000_000


class Action(Enum):
    """What to do with a webhook."""

    ADD = "add"
    ROTATE = "rotate"
    AGAIN = "again"
    LIST = "list"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    agreement: Annotated[str, typer.Argument(metavar="[AGREEMENT]", help="Whose webhook.")] = "",
    grace: Annotated[
        float, typer.Option(min=0, max=24 * 366, metavar="HOURS",
                            help="rotate: how long the old secret still signs beside the new one.")
    ] = 24,
    since: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER",
                                 help="again: from behind this number on; else where it was.")
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:  # fmt: skip
    """Give a webhook its secret, see how far it has come, or have it go on.

    `add` and `rotate` print the secret, alone on standard output, for the receiver and nobody else.
    `again` calls a receiver that was given up, or one that wants to hear again what it has lost.

    Examples: `crosstown webhook add water-hears-of-brown-water`, `crosstown webhook list`,
    `crosstown webhook again water-hears-of-brown-water --since 1200`
    """
    chosen = settings(home)
    if action is Action.LIST:
        _list(chosen, output)
        return
    if not agreement:
        raise Stop("whose webhook? no agreement is named", mend="see crosstown webhook list")
    known = _known(chosen, agreement)
    if action is Action.AGAIN:
        _again(chosen, known, since, output)
    else:
        _secret(chosen, known, action, grace, output)


def _known(chosen: Settings, agreement: str) -> Agreement:
    from crosstown.contracts.repository import Repository
    from crosstown.errors import NotFound

    agreements = Repository.of(chosen).agreements
    if agreement not in agreements:
        raise NotFound(f"there is no agreement {agreement[:80]}", candidates=tuple(agreements),
                       mend="see crosstown agreements list")  # fmt: skip
    if "webhook" not in agreements[agreement].delivery.ways:
        raise Stop(
            f"{agreement} has no webhook", mend="its file says so: delivery.ways, delivery.webhook"
        )
    return agreements[agreement]


def _secret(
    chosen: Settings, known: Agreement, action: Action, grace: float, output: Output
) -> None:
    from crosstown.home import Home
    from crosstown.outward.signing_secrets import SigningSecrets

    kept = SigningSecrets(Home(chosen.home).make().webhooks)
    if action is Action.ADD:
        said = kept.add(known.id)
    else:
        said = kept.rotate(known.id, time.time_ns() // 1000, round(grace * HOUR))
    if output is Output.JSON:
        print_json({"agreement": known.id, "address": known.delivery.webhook, "secret": said})
        return
    out.print(said, markup=False, soft_wrap=True)
    err.print(f"for {known.receiver}, who checks by it that {known.delivery.webhook} is called by you;"
              " docs/webhooks.md has a receiver to begin with", markup=False)  # fmt: skip


def _again(chosen: Settings, known: Agreement, since: int | None, output: Output) -> None:
    from dataclasses import replace

    from crosstown.cli.backbone import backbone
    from crosstown.outward.feed_log import FeedLog
    from crosstown.outward.places import Place, Places

    where = backbone(chosen)
    if since is not None:
        with closing(FeedLog(chosen, where, known.topic)) as log:
            last = log.numbers().last
        if since > last:
            raise Stop(f"{known.topic} goes up to {last:,}: nothing is behind {since:,}",
                       mend="say a number that it has given already")  # fmt: skip
    with closing(Places(chosen, where)) as places:
        place = places.so_far().get(known.id, Place())
        number = place.number if since is None else since
        asked = replace(place, number=number, state="works" if place.address else "new", failures=0,
                        failing_since=0, why="", asked=True, at=time.time_ns() // 1000)  # fmt: skip
        places.write(known.id, asked)
        places.settle()
    if output is Output.JSON:
        print_json({"agreement": known.id, "number": number})
    else:
        out.print(f"{known.id}: goes on behind number {number:,}", markup=False)


def _list(chosen: Settings, output: Output) -> None:
    from crosstown.cli.backbone import backbone
    from crosstown.contracts.repository import Repository
    from crosstown.outward.places import Place, Places

    with closing(Places(chosen, backbone(chosen))) as places:
        found = places.so_far()
    rows = [
        {"agreement": one.id, "receiver": one.receiver, "address": one.delivery.webhook,
         "state": place.state, "number": place.number, "set_aside": place.set_aside,
         "failures": place.failures, "failing_since": iso(place.failing_since or None),
         "why": place.why}
        for one in Repository.of(chosen).agreements.values() if "webhook" in one.delivery.ways
        for place in [found.get(one.id, Place())]
    ]  # fmt: skip
    if output is Output.JSON:
        print_json_lines(rows)
        return
    for row in rows:
        why = f": {row['why']}" if row["why"] else ""
        since = f" since {row['failing_since']}" if row["failing_since"] else ""
        out.print(f"{row['agreement']}: {row['state']}{since}, number {row['number']:,}, "
                  f"{row['address']}{why}", markup=False)  # fmt: skip
    if not rows:
        out.print("no agreement has a webhook", markup=False)
