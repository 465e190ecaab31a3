"""What every text file is held to before its first row is read."""

from __future__ import annotations

import codecs
from pathlib import Path

from crosstown.errors import Refused

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_AS_UTF8 = 'save it as UTF-8 (in a spreadsheet: "CSV UTF-8")'


def check_text(file: Path, encoding: str = "utf-8") -> None:
    """Refuse a file that can't be text of this encoding: empty, or UTF-16 or NUL bytes in another."""
    try:
        with file.open("rb") as stream:
            start = stream.read(4_096)
    except OSError as error:
        raise Refused(
            "unreadable", error.strerror or str(error), mend="look at its rights"
        ) from None
    if not encoding.startswith("utf-16"):
        refuse_unless_text(start)
    elif len(start) <= len(codecs.BOM_UTF16_LE):
        raise _empty()


def refuse_unless_text(start: bytes) -> None:
    """Refuse what can't be the beginning of a UTF-8 text."""
    if start.startswith(_WIDE):
        raise Refused("utf-16", "the file is UTF-16", mend=_AS_UTF8)
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        raise _empty()
    if b"\0" in start.splitlines()[0]:
        raise Refused("not-text", "the first line has NUL bytes", mend=_AS_UTF8)


def _empty() -> Refused:
    return Refused("empty-file", "the file is empty", mend="export it again")


def shown(raw: str, limit: int = 10_000) -> str:
    r"""A piece of a file as it stood, for people; bytes that are no UTF-8 as `\xNN`."""
    cut = raw[:limit].rstrip("\r\n")
    text = (
        cut.encode("utf-8", "surrogateescape")
        .decode("utf-8", "backslashreplace")
        .replace("\0", r"\x00")
    )
    return text + "..." if len(raw) > limit else text
