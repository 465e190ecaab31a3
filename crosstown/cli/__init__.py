"""The command line `crosstown`: every command in a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from crosstown.cli.shell import any_text, guarded

COMMANDS: Final = {
    "demo": "crosstown.cli.demo",
    "up": "crosstown.cli.up",
    "down": "crosstown.cli.down",
    "status": "crosstown.cli.status",
    "doctor": "crosstown.cli.doctor",
    "rebuild": "crosstown.cli.rebuild",
    "backup": "crosstown.cli.backup",
    "restore": "crosstown.cli.restore",
    "publish": "crosstown.cli.publish",
    "case": "crosstown.cli.case",
    "cases": "crosstown.cli.cases",
    "stats": "crosstown.cli.stats",
    "completeness": "crosstown.cli.completeness",
    "reciprocity": "crosstown.cli.reciprocity",
    "sql": "crosstown.cli.sql",
    "tail": "crosstown.cli.tail",
    "dead-letters": "crosstown.cli.dead_letters",
    "key": "crosstown.cli.key",
    "feed": "crosstown.cli.feed",
    "webhook": "crosstown.cli.webhook",
    "agencies": "crosstown.cli.agencies",
    "agreements": "crosstown.cli.agreements",
    "new": "crosstown.cli.new",
    "check": "crosstown.cli.check",
    "plan": "crosstown.cli.plan",
    "apply": "crosstown.cli.apply",
    "agency": "crosstown.cli.agency",
    "pause": "crosstown.cli.pause",
    "resume": "crosstown.cli.resume",
    "refusals": "crosstown.cli.refusals",
    "audit": "crosstown.cli.audit",
    "docs": "crosstown.cli.docs",
    "certify": "crosstown.cli.certify",
    "places": "crosstown.cli.places",
    "note": "crosstown.cli.note",
    "assert": "crosstown.cli.assert_",
    "separate": "crosstown.cli.separate",
    "apart": "crosstown.cli.apart",
    "bridge": "crosstown.cli.bridge",
    "erase": "crosstown.cli.erase",
    "hold": "crosstown.cli.hold",
    "release": "crosstown.cli.release",
    "bundle": "crosstown.cli.bundle",
}
"""In the order in which one would use them; each module has a function `command` for typer."""


class Lazy(TyperGroup):
    """Commands whose modules are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All commands, in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, made from its module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        one = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        one.command(cmd_name)(import_module(COMMANDS[cmd_name]).command)
        return typer.main.get_command(one)


app = typer.Typer(
    cls=Lazy,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Crosstown: agencies' events become cross-agency case timelines, on Kafka.",
    epilog="Start with `crosstown demo`; each command's `--help` has an example.",
)


@app.callback()
def _root() -> None:
    """Keep typer from taking a single command for the whole program."""


def main() -> None:
    """The console script; ends the process with an exit code of docs/decisions/0004."""
    any_text()
    sys.exit(guarded(typer.main.get_command(app), sys.argv[1:]))
