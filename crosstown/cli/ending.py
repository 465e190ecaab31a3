"""A command that has started something ends it too where it's told to end, not only on Ctrl-C."""

from __future__ import annotations

import signal
import sys
from typing import Any


def in_order() -> None:
    """From now on SIGTERM and SIGHUP raise `SystemExit(128 + signal)`, so that every `finally` runs.

    Once: a terminal that is closed says it twice, and what is being ended must not be left half way.
    What is ignored, as under nohup, stays so.
    """
    ours = [one for name in ("SIGTERM", "SIGHUP") if (one := getattr(signal, name, None))
            and signal.getsignal(one) is not signal.SIG_IGN]  # fmt: skip

    def stop(number: int, _frame: Any) -> None:
        for one in ours:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    for one in ours:
        signal.signal(one, stop)
