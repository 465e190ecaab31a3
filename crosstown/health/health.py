"""What a process knows of itself: whether its loops turn, what it waits for, what it has in hand.

The program's own threads say it as they go; probes, the watchdog and `crosstown status` ask. All of
it is a few assignments, so that saying it costs nothing, and may come from any thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from crosstown.health.check import Check

PATIENCE: Final = 120.0
"""Seconds after which a loop that hasn't come round is stuck."""
IN_HAND: Final = 30.0
"""Seconds after which a batch that isn't written yet means that the work stands still."""
MAIN: Final = "main"

Asked = Callable[[], str]
"""Why something isn't so; empty: it is."""


class Health:
    """One process; `clock` gives the seconds of a steady clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = False
        self._turned: dict[str, float] = {}
        self._patience: dict[str, float] = {}
        self._waits: dict[str, str] = {}
        self._in_hand = 0.0
        self._asked: dict[str, Asked] = {}

    def begin(self) -> None:
        """The work has begun."""
        self._begun = True

    def turn(self, loop: str = MAIN) -> None:
        """A loop has come round; from the first time on it must go on doing so."""
        self._turned[loop] = self._clock()

    def patience(self, seconds: float, loop: str = MAIN) -> None:
        """How long one round of a loop may take, where it's longer than most."""
        self._patience[loop] = seconds

    def over(self, loop: str = MAIN) -> None:
        """A loop has ended in order."""
        self._turned.pop(loop, None)

    def waits(self, what: str, why: str) -> None:
        """The work stands still until `what` is there again; empty `why`: it's there."""
        if why:
            self._waits[what] = why
        else:
            self._waits.pop(what, None)

    def takes(self, *, something: bool) -> None:
        """A batch was taken in hand, or all that was in hand is done with."""
        self._in_hand = self._clock() if something else 0.0

    def must(self, name: str, asked: Asked) -> None:
        """One more thing that must be so for the work to go on; asked at each probe, so be quick."""
        self._asked[name] = asked

    def stuck(self) -> str:
        """Which loop hasn't come round for how long; empty: all turn."""
        now = self._clock()
        ages = {loop: now - at for loop, at in list(self._turned.items())}
        late = [f"{loop} hasn't come round for {age:.0f} s" for loop, age in ages.items()
                if age > self._patience.get(loop, PATIENCE)]  # fmt: skip
        return "; ".join(late)

    def live(self) -> list[Check]:
        """Whether it is worth to keep this process: its loops turn."""
        why = self.stuck()
        return [Check("loops", not why, why)]

    def startup(self) -> list[Check]:
        """Whether the work has begun."""
        return [Check("begun", self._begun, "" if self._begun else self._before())]

    def ready(self) -> list[Check]:
        """Whether its work goes on now; each thing by name, and why not."""
        held = self._clock() - self._in_hand if self._in_hand else 0.0
        slow = f"a batch has been in hand for {held:.0f} s" if held > IN_HAND else ""
        waits = "; ".join(list(self._waits.values()))
        asked = [(name, ask()) for name, ask in list(self._asked.items())]
        said = [("waiting", waits), ("batch", slow), *asked]
        return [*self.startup(), *self.live(), *(Check(name, not why, why) for name, why in said)]

    def _before(self) -> str:
        waits = "; ".join(list(self._waits.values()))
        return waits or "its work hasn't begun yet"
