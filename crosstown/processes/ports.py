"""Ports of 127.0.0.1 to listen on, below those that systems give to outgoing connections.

A client that dials one of the latter while nobody listens there may connect to itself, and then
the server can't have its port back.
"""

from __future__ import annotations

import random
import socket
import sys
from pathlib import Path
from typing import Final

PORTS: Final = range(20_000, 32_000)


def free(port: int) -> bool:
    """Whether nobody listens on this port."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # connections that have just closed don't count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def remembered(file: Path) -> int:
    """The port that a file names, unless a stranger has it; else a free one."""
    known = file.read_text("utf-8") if file.exists() else ""
    return int(known) if known.isdigit() and free(int(known)) else choose()


def choose() -> int:
    """A free port, by chance, so that two homes seldom want the same."""
    return next(port for port in random.sample(PORTS, 500) if free(port))
