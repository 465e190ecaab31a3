"""Pieces into one zip that only its owner can read: cleaned, bounded, with a list of what is in it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from crosstown.bundle.cleaning import Cleaner
from crosstown.bundle.contents import Piece
from crosstown.errors import Stop

MOST_BYTES: Final = 40_000_000
"""Of all pieces together, before they are packed."""
MOST_PIECE: Final = 4_000_000
"""Characters of one piece."""


@dataclass(slots=True)
class Packed:
    """What came of it: names with bytes and whether it was cut; what couldn't be had, and why."""

    entries: list[tuple[str, int, bool, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)


def pack(
    pieces: Iterable[Piece], cleaner: Cleaner, file: Path, stamp: str, say: Callable[[str], None]
) -> Packed:
    """Write the zip in one piece, 0600; `Stop` where it can't be written, or a file is there already."""
    packed = Packed()
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        with _private(part) as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as out:
            for piece in pieces:
                say(piece.name)
                _add(out, piece, cleaner, packed)
            out.writestr("README.md", readme(packed, cleaner, stamp))
        os.link(part, file)  # never over one that is there
    except FileExistsError:
        raise Stop(f"{file} is there already", mend="another name: --to FILE") from None
    except OSError as error:
        raise Stop(f"{file} can't be written: {error.strerror or error}",
                   mend="a folder that you can write to: --to FILE") from None  # fmt: skip
    finally:
        part.unlink(missing_ok=True)
    return packed


@contextlib.contextmanager
def _private(file: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as raw:
        yield raw


def _add(out: zipfile.ZipFile, piece: Piece, cleaner: Cleaner, packed: Packed) -> None:
    """One piece, or its name among what is missing; whatever it raises, the others go in."""
    try:
        found = piece.make()
    except Exception as error:  # noqa: BLE001 - what is broken is why somebody asks for a bundle
        packed.missing.append((piece.name, cleaner.line(f"{type(error).__name__}: {error}")))
        return
    text = _cleaned(found, piece, cleaner)
    most = min(MOST_PIECE, max(0, MOST_BYTES - sum(size for _, size, _, _ in packed.entries)))
    cut = len(text) > most
    text = text[len(text) - most :] if cut else text
    if cleaner.holds(text):
        packed.missing.append((piece.name, "left out: a secret would have stood in it"))
        return
    data = text.encode("utf-8", "replace")
    out.writestr(piece.name, data)
    packed.entries.append((piece.name, len(data), cut or piece.cut, piece.about))


def _cleaned(found: Any, piece: Piece, cleaner: Cleaner) -> str:
    if isinstance(found, str):
        return (cleaner.log if piece.is_log else cleaner.text)(found)
    value = cleaner.value(found, cleaner.line if piece.is_log else cleaner.text)
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def readme(packed: Packed, cleaner: Cleaner, stamp: str) -> str:
    """What is in it, what isn't, and what was taken out; for who gets it and who gives it."""
    there = [f"- `{name}`, {size:,} bytes{', cut' if cut else ''}: {about}"
             for name, size, cut, about in packed.entries]  # fmt: skip
    missing = [f"- `{name}`: {why}" for name, why in packed.missing] or ["Nothing."]
    removed = [f"- {kind}: {count:,}" for kind, count in sorted(cleaner.removed.items()) if count]
    return "\n".join([
        f"# A bundle of a Crosstown installation, {stamp}", "",
        "Made by `crosstown bundle`. Look through it before you give it away: it is text.", "",
        "## In it", "", *there, "", "## Not in it", "", *missing, "",
        "No events, cases, dead letters, keys or passwords are taken: topics are told by their offsets.",
        "", "## Taken out of texts", "", *(removed or ["Nothing was found."]), "",
        "Known secrets of this home wherever they stood; what looks like a password, key, token or login;",
        "in logs also records' numbers (the same number has the same name within this bundle), quoted",
        "text of more than one word, and telephone numbers, e-mail addresses, card and social security",
        "numbers. A name or an unquoted word of a person in a log line isn't recognised.", "",
    ])  # fmt: skip
