"""Whether there is room on a disk, and whether it can be written at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LEAST: Final = 16_000_000
"""Bytes below which a disk counts as full: a state's next writing may not fit."""


def no_room(path: Path, least: int = LEAST) -> str:
    """Why nothing could be written under `path` now; empty: there is room.

    A quota isn't seen. Where the system can't be asked (Windows) only the bytes count.
    """
    try:
        if not hasattr(os, "statvfs"):
            return _bytes_left(path, least)
        found = os.statvfs(path)
    except OSError as error:
        return f"{path} can't be looked at: {error.strerror}"
    if found.f_flag & os.ST_RDONLY:
        return f"the disk of {path} is read-only"
    if found.f_bavail * found.f_frsize < least:
        return f"the disk of {path} is full: {found.f_bavail * found.f_frsize // 1_000_000} MB left"
    if found.f_files and not found.f_favail:
        return f"the disk of {path} has no room for another file"
    return ""


def _bytes_left(path: Path, least: int) -> str:
    import shutil

    left = shutil.disk_usage(path).free
    return "" if left >= least else f"the disk of {path} is full: {left // 1_000_000} MB left"
