"""Files that nobody but their owner can read, from their first byte on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write such a file; one that is there is replaced."""
    with contextlib.suppress(FileNotFoundError):
        file.unlink()
    private = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(private, "w", encoding="utf-8") as out:
        out.write(text)


def made_once(file: Path, make: Callable[[], str]) -> bytes:
    """What such a file holds, made at the first asking: who comes second takes the first one's."""
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}.part")
        write_private(part, make())
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
        part.unlink()
    return file.read_bytes()
