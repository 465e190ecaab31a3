"""Puts what makes a Kafka of one's own tell Prometheus its figures into a folder.

    python -m crosstown.embedded.kafka_agent FOLDER

FOLDER then holds the JMX exporter's archive (its SHA-256 as jars.lock says) and its settings, `jmx.yml`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from crosstown.embedded.jars import fetched
from crosstown.embedded.node import AGENT, FIGURES
from crosstown.errors import CrosstownError
from crosstown.settings import Settings


def put(folder: Path) -> Path:
    """Fetch and copy both; returns the archive. Raises `Unavailable` where it can't be had."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FIGURES, folder)
    return Path(shutil.copy(fetched(Settings(), AGENT), folder))


if __name__ == "__main__":
    try:
        print(put(Path(sys.argv[1])))
    except CrosstownError as error:
        sys.exit(f"{error} -> {error.mend}")
