"""`crosstown agency`: an agency's own account at the broker: given, renewed, taken away."""

from __future__ import annotations

import difflib
import secrets
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    err,
    out,
    print_json,
    settings,
    sure,
)
from crosstown.errors import NotFound, Stop

if TYPE_CHECKING:
    from crosstown.contracts.repository import Repository
    from crosstown.home import Endpoints
    from crosstown.provisioning.cluster import Cluster
    from crosstown.settings import Settings


class Action(Enum):
    """What to do with an account."""

    LIST = "list"
    ADD = "add"
    ROTATE = "rotate"
    REMOVE = "remove"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    agency: Annotated[
        str, typer.Argument(help="The agency's id, as crosstown agencies has it.")
    ] = "",
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="add, rotate: write the client's settings there, for its"
            " owner only, and show no password.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="remove: don't ask.")] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Give an agency its own account at the broker, a new password, or take the account away.

    An account may write and read the agency's own topics, and nothing else; the broker itself refuses
    the rest (see `crosstown refusals`). The password is shown once. Who publishes with this command
    line needs no account; who uses a Kafka client of its own does.

    Examples: `crosstown agency add riverton-housing --to housing.properties`,
    `crosstown agency rotate riverton-housing`, `crosstown agency remove riverton-housing`,
    `crosstown agency`
    """
    from crosstown.cli.backbone import backbone
    from crosstown.contracts.repository import Repository
    from crosstown.provisioning.cluster import Cluster

    chosen = settings(home)
    repository = Repository.of(chosen)
    if action is not Action.LIST:
        _declared(repository, agency, action)
    where = backbone(chosen)
    cluster = Cluster(chosen, where)
    users = cluster.users()
    match action:
        case Action.LIST:
            _list(repository, users, output)
        case Action.ADD | Action.ROTATE:
            _give(chosen, where, cluster, agency, users, action, to, output)
        case Action.REMOVE:
            _remove(cluster, agency, users, yes=yes, output=output)
    cluster.close()


def _declared(repository: Repository, agency: str, action: Action) -> None:
    if not agency:
        raise Stop(f"which agency? crosstown agency {action.value} AGENCY",
                   mend="crosstown agencies lists their ids")  # fmt: skip
    if action is not Action.REMOVE and not repository.agencies.declared(agency):
        near = tuple(difflib.get_close_matches(agency, repository.agencies.ids, 3))
        raise NotFound(f"no agency {agency} is declared", candidates=near,
                       mend=f"declare it in {repository.path / 'agencies.yaml'} first")  # fmt: skip


def _give(
    chosen: Settings, where: Endpoints, cluster: Cluster, agency: str, users: frozenset[str],
    action: Action, to: Path | None, output: Output,
) -> None:  # fmt: skip
    from crosstown.private import write_private
    from crosstown.provisioning.plan import plan

    if (agency in users) != (action is Action.ROTATE):
        raise Stop(f"{agency} has an account already" if agency in users else f"{agency} has no account",
                   mend=f"crosstown agency {'rotate' if agency in users else 'add'} {agency}")  # fmt: skip
    if to is not None and to.exists():
        raise Stop(f"{to} is there already", mend="name a file that isn't")
    wanted = cluster.wanted(agency)
    found = cluster.found(wanted, with_quotas=agency in wanted.quotas)
    cluster.carry_out_harmless(plan(wanted, found.with_user(agency)), wanted)
    password = secrets.token_urlsafe(32)
    cluster.set_password(agency, password)
    lines = [
        f"bootstrap.servers={where.bootstrap}",
        f"security.protocol={protocol(chosen)}",
        "sasl.mechanism=SCRAM-SHA-512",
        f"sasl.username={agency}",
        f"sasl.password={password}",
    ]
    topics = sorted(topic for topic in wanted.topics if topic.startswith(f"events.{agency}."))
    if to is not None:
        write_private(to, "".join(f"{one}\n" for one in lines))
    _given(agency, action, topics, lines, to, where, output)


def _given(
    agency: str, action: Action, topics: list[str], lines: list[str], to: Path | None,
    where: Endpoints, output: Output,
) -> None:  # fmt: skip
    from crosstown.home import shown

    if output is Output.JSON:
        print_json({
            "agency": agency, "action": action.value, "topics": topics, "group_prefix": f"{agency}.",
            "bootstrap": where.bootstrap, "registry": shown(where.registry), "mechanism": "SCRAM-SHA-512",
            "file": str(to) if to else None, "password": None if to else lines[-1].partition("=")[2],
        })  # fmt: skip
        return
    done = (
        "has an account"
        if action is Action.ADD
        else "has a new password; the old one lets nobody in"
    )
    out.print(f"{agency} {done}. It may write and read:", markup=False)
    for topic in topics:
        out.print(f"  {topic}", markup=False)
    out.print(f"Its groups and transactional ids begin with {agency}.", markup=False)
    if action is Action.ROTATE:
        out.print("Connections that are open now end within 15 minutes.")
    if to is not None:
        out.print(f"The settings of its client are in {to}, for your eyes only.", markup=False)
    else:
        out.print("The settings of its client; the password is shown this once:\n")
        for one in lines:
            out.print(one, markup=False)
    out.print(f"\nThe schema registry: {shown(where.registry)}", markup=False)


def protocol(chosen: Settings) -> str:
    """How a client of one's own speaks with the cluster."""
    ours = chosen.kafka.get("security.protocol", "SASL_PLAINTEXT").upper()
    return "SASL_SSL" if ours in ("SSL", "SASL_SSL") else "SASL_PLAINTEXT"


def _remove(
    cluster: Cluster, agency: str, users: frozenset[str], *, yes: bool, output: Output
) -> None:
    if agency not in users:
        raise NotFound(
            f"{agency} has no account",
            candidates=tuple(sorted(users)[:5]),
            mend="crosstown agency lists them",
        )
    if not yes:
        risk = "who is cut off must get a new password to come back"
        if not sure(f"{agency} will be cut off at once. Its events stay. Go on?", risk):
            raise Stop("nothing was changed")
    cluster.remove_user(agency)
    if output is Output.JSON:
        print_json({"agency": agency, "action": "remove"})
    else:
        out.print(
            f"{agency} is cut off: it can neither write nor read any more. Its events stay.",
            markup=False,
        )


def _list(repository: Repository, users: frozenset[str], output: Output) -> None:
    from rich.table import Table

    from crosstown.provisioning.access import contracts_of

    rows: list[dict[str, Any]] = [
        {"agency": one.id, "account": one.id in users,
         "contracts": [c.id for c in contracts_of(repository, one.id) if c.owner == one.id]}
        for one in sorted(repository.agencies, key=lambda one: one.id)
    ]  # fmt: skip
    if output is Output.JSON:
        for row in rows:
            print_json(row)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("agency", "account", "contracts of its own"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row["agency"], "yes" if row["account"] else "-", ", ".join(row["contracts"]))
    out.print(table)
    strangers = sorted(users - repository.agencies.ids.keys())
    if strangers:
        err.print(f"accounts of no declared agency: {', '.join(strangers)}; crosstown plan says more",
                  markup=False)  # fmt: skip
