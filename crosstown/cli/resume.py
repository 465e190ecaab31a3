"""`crosstown resume`: take an agency's messages again, those that waited too."""

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
    """Take an agency's messages again, those that waited while it was paused too.

    They go in in the order in which they lie in its topics.

    Example: `crosstown resume riverton-water --because "they have mended it" --by "desk 4"`
    """
    run(publisher, by, because, home, output, pause=False)
