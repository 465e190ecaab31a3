"""What a log says last, for error messages: people see the cause before they open the file."""

from __future__ import annotations

import json
import signal
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
    said = _plain((telling or lines or ["it said nothing"])[-1])[:300]
    return f"{said} (its log: {log})"


def _plain(line: str) -> str:
    """What a line says for people, where it is an object for programs (log_lines.py)."""
    try:
        said = json.loads(line)
        fault = said.get("error")
        return (
            f"{said['message']}: {fault['type']}: {fault['message']}" if fault else said["message"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return line


def fate(code: int | None) -> str:
    """How a process ended, from its exit code; a negative one is a signal's."""
    if code is not None and code < 0:
        names = {one.value: one.name for one in signal.Signals}
        return f"was ended by {names.get(-code, f'signal {-code}')}"
    return "has ended" if code is None else f"has ended with exit code {code}"
