"""The lookout as a program of its own, where no supervisor runs it: a cluster's, in a container."""

from __future__ import annotations

import sys

from crosstown.lookout.lookout import Lookout
from crosstown.program import Program, main


def run(program: Program) -> None:
    """The cluster, the contracts, the disk -> metrics."""
    program.ready()
    Lookout(program.settings, lambda: program.endpoints).run(program.stopping, program.health.turn)


if __name__ == "__main__":
    sys.exit(main("lookout", run))
