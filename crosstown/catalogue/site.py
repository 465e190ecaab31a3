"""The site's folder: written file by file, never over what isn't ours; what is stale goes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from crosstown.errors import Stop

MARK: Final = ".crosstown-docs"
"""The file that says a folder is ours, and which files in it are: a path a line."""


def write(folder: Path, pages: Mapping[str, str]) -> int:
    """Write all pages; returns how many stale ones were removed.

    Every file is whole at every moment, and one that is interrupted can be run again. Raises `Stop`
    where the folder holds something and isn't ours, or can't be written.
    """
    try:
        before = _ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder, MARK, _list({*before, *pages}))  # first, so that no file is ever a stranger
        for name in sorted(pages):
            _put(folder, name, pages[name])
        stale = before - pages.keys()
        for name in stale:
            _remove(folder, name)
        _put(folder, MARK, _list(pages))
    except OSError as error:
        raise Stop(f"{folder} can't be written: {error.strerror or error}",
                   mend="name a folder of your own: --to site") from None  # fmt: skip
    return len(stale)


def _ours(folder: Path) -> set[str]:
    """The files in it that we wrote before."""
    if folder.exists() and not folder.is_dir():
        raise Stop(f"{folder} is no folder", mend="name a new or an empty one")
    mark = folder / MARK
    if mark.is_file():
        lines = mark.read_text("utf-8", errors="replace").splitlines()
        return {line for line in lines if _inside(line)}
    if folder.exists() and any(folder.iterdir()):
        raise Stop(f"{folder} holds files that crosstown docs didn't write",
                   mend="name a new or an empty folder")  # fmt: skip
    return set()


def _inside(name: str) -> bool:
    """Whether a line of the mark names one of our files: at most one folder down, never up."""
    parts = PurePosixPath(name).parts
    plain = all(part[0] not in "./" and not set(part) & set("\\:\0") for part in parts)
    return 0 < len(parts) <= 2 and plain


def _put(folder: Path, name: str, text: str) -> None:
    target = folder / name
    if target.parent.is_symlink():
        raise Stop(f"{target.parent} is a link", mend="take it out of the folder")
    target.parent.mkdir(exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_bytes(text.encode("utf-8"))
    os.replace(fresh, target)  # noqa: PTH105 - the word for it


def _remove(folder: Path, name: str) -> None:
    target = folder / name
    if target.parent.is_symlink():
        return
    target.unlink(missing_ok=True)
    if target.parent != folder and not any(target.parent.iterdir()):
        target.parent.rmdir()


def _list(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(names))
