"""What a log says last, for error messages: people see the cause before they open the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TELLING: Final = ("ERROR", "FATAL", "CRITICAL", "Error:", "Exception", "already in use", "No space")


def last_words(log: Path, since: int = 0) -> str:
    """The last telling line of `log` from byte `since` on, else its last line, and its name."""
    lines: list[str] = []
    if log.exists():
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - 20_000))
            text = file.read().decode("utf-8", "replace")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in TELLING)]
    said = (telling or lines or ["it said nothing"])[-1][:300]
    return f"{said} (its log: {log})"
