"""Every error that Crosstown raises on purpose, told apart by what the caller must do.

    CrosstownError
    ├── Refused          the data is wrong: a reject or a dead letter; go on with the next
    ├── Unavailable      something needed isn't there now: wait, back off, try again
    │   └── TimedOut     ... and waiting has lasted as long as was asked for
    └── Stop             the caller's request or set-up is wrong: say so and end
        └── NotFound     ... what was asked for isn't there, or is more than one

The command line turns them into exit codes (docs/decisions/0004): `Refused` 3, `TimedOut` 4,
`Unavailable` 5, `Stop` 2; anything else is a fault of ours and 1.
"""

from __future__ import annotations


class CrosstownError(Exception):
    """Anything that Crosstown says on purpose; `mend` is what the reader can do about it."""

    exit_code = 1

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend


class Refused(CrosstownError):
    """One piece of data can't be accepted; `reason` is a short stable word for counting.

    `field` is where in the data it is wrong, if that can be said. `closed`: the data itself must not
    be kept with the reason, since it holds what isn't for whoever reads that (docs/decisions/0017).
    """

    exit_code = 3

    def __init__(
        self, reason: str, detail: str = "", *, mend: str = "", field: str = "", closed: bool = False
    ) -> None:  # fmt: skip
        super().__init__(f"{reason}: {detail}" if detail else reason, mend=mend)
        self.reason = reason
        self.detail = detail
        self.field = field
        self.closed = closed


class Unavailable(CrosstownError):
    """A broker, a registry or a program isn't reachable now."""

    exit_code = 5


class TimedOut(Unavailable):
    """What was waited for didn't happen in the time given."""

    exit_code = 4


class Stop(CrosstownError):
    """The request or the set-up can't work as it stands."""

    exit_code = 2


class NotFound(Stop):
    """What was asked for isn't there, or several things answer to it (`candidates`)."""

    def __init__(self, message: str, *, candidates: tuple[str, ...] = (), mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.candidates = candidates
