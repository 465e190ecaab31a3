"""`crosstown pause`: take nothing from an agency until it's resumed; its messages wait, others flow."""

from __future__ import annotations

from crosstown.cli.pausing import PublisherArgument, ReasonOption, run
from crosstown.cli.shell import HomeOption, Output, OutputOption
from crosstown.cli.word import ByOption


def command(
    publisher: PublisherArgument,
    because: ReasonOption,
    by: ByOption = "",
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Take nothing from an agency until it's resumed: its messages wait in its topics, others flow.

    Nothing is lost for as long as its contract keeps its topics. It holds over restarts.

    Example: `crosstown pause riverton-water --because "the same day comes again and again" --by "desk 4"`
    """
    run(publisher, by, because, home, output, pause=True)
