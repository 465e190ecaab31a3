"""Where a text has what isn't for everyone: numbers and addresses that tell on people, and their names.

Pure. What is found, what isn't and how often it errs: docs/decisions/0017.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from crosstown.screen.folding import folded
from crosstown.screen.personal_names import find_names
from crosstown.screen.telltale import SEVEN, Finding, emails, has_seven, is_obfuscated, numbers

MASKS: Final = {
    "card": "[card]", "ssn": "[ssn]", "phone": "[phone]", "email": "[e-mail]", "name": "[name]",
}  # fmt: skip
"""What stands in the place of each kind; where two kinds overlap, the earlier of these counts."""
_KINDS: Final = {kind: order for order, kind in enumerate(MASKS)}


def screen(text: str, names: Sequence[str] = ()) -> tuple[Finding, ...]:
    """All that is found in a text, in order, without overlaps; `names` are `name_words`.

    A text without seven digits in reach of each other, an `@` or a written "dot" is done in half a
    microsecond.
    """
    if text.isascii():
        suspicious = "@" in text or has_seven(text) is not None or is_obfuscated(text.lower())
        if not suspicious and not names:
            return ()
        if text.isprintable():
            return _merged(text, _found(text, names, all_kinds=suspicious))
    plain, places = folded(text)
    back = [Finding(one.kind, places[one.start], places[one.end - 1] + 1)
            for one in _found(plain, names, all_kinds=True)]  # fmt: skip
    return _merged(text, back)


def masked(text: str, findings: Iterable[Finding]) -> str:
    """The text with each finding replaced by what its kind is called."""
    parts, at = [], 0
    for one in findings:
        parts += [text[at : one.start], MASKS[one.kind]]
        at = one.end
    return "".join((*parts, text[at:]))


def kinds(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Which kinds are among findings, each once, in the order of `MASKS`."""
    found = {one.kind for one in findings}
    return tuple(kind for kind in MASKS if kind in found)


def clean(text: str, flags: Iterable[str] = ()) -> str:
    """A text of our own (a message, a headline) with what is found in it masked.

    What an event is flagged for was left in it on purpose, and stays.
    """
    return masked(text, (one for one in screen(text) if f"screened_{one.kind}" not in flags))


def in_bytes(data: bytes | None) -> bool:
    """Whether bytes that nobody can open seem to hold any of it.

    The length of a text may stand before it as a letter or a digit: numbers are tried alone, too, and
    without the first digit.
    """
    if not data:
        return False
    text = data.translate(_UNSEEN).decode("utf-8", "replace").replace("\ufffd", " ")
    return could_hold(text) and holds(text)


def holds(text: str) -> bool:
    """The same of what bytes say as text, thoroughly."""
    if not text.isascii() and not _speaks(text):
        text = _FOREIGN.sub(" ", text)
    alone = [found[0] for found in SEVEN.finditer(text)]
    return bool(screen(text)) or any(screen(one) or screen(one[1:]) for one in alone)


def could_hold(text: str) -> bool:
    """Whether seven digits are in reach of each other, an `@` of a dot, or "dot" is written out.

    Most noise has none of it, and to look closer is dear. Foreign letters count as what they are when
    written plainly, and as something between.
    """
    if text.isascii():
        return _hints(text)
    if _hints(_FOREIGN.sub(" ", text)):
        return True
    for one in set(_FOREIGN_LETTER.findall(text)):
        text = text.replace(one, _plain(one))
    return _hints(text)


def _hints(text: str) -> bool:
    return bool(has_seven(text) or _AT_AND_DOT.search(text) or is_obfuscated(text.lower()))


@lru_cache(maxsize=65_536)
def _plain(letter: str) -> str:
    """What a foreign letter becomes, where that is nothing or something of ours; else itself."""
    (plain, _) = folded(letter)
    return letter if plain and min(plain) > "\x7f" else plain


_FOREIGN_LETTER = re.compile(r"[^\x00-\x7f]")
_AT_AND_DOT = re.compile(r"@\s{0,2}[^\s@]+\.")
_UNSEEN: Final = bytes(32 if one < 32 or one == 127 else one for one in range(256))
"""For each byte itself, for each that controls something a space."""
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_ADDRESS = re.compile(r"\S@[^\s@]{1,80}\.[^\s@]|\bat\b", re.IGNORECASE)
_TELLING = frozenset({"Nd", "Pd", "Cf", "Po"})


def _speaks(text: str) -> bool:
    """Whether its foreign letters may be part of what is looked for: wide digits, dashes, an address.

    Noise has dozens of them, and each look at such a text is dear.
    """
    return _ADDRESS.search(text) is not None or any(
        unicodedata.category(one) in _TELLING for one in set(text) if one > "\x7f"
    )


def _found(text: str, names: Sequence[str], *, all_kinds: bool) -> Iterator[Finding]:
    if all_kinds:
        yield from numbers(text)
        yield from emails(text)
    if names:
        yield from find_names(text, names)


def _merged(text: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """In order; overlapping ones become one, and so do neighbouring words of a name."""
    merged: list[Finding] = []
    for one in sorted(findings, key=lambda f: (f.start, -f.end)):
        last = merged[-1] if merged else None
        if last is None or not _touch(text, last, one):
            merged.append(one)
            continue
        kind = min(last.kind, one.kind, key=_KINDS.__getitem__)
        merged[-1] = Finding(kind, last.start, max(last.end, one.end))
    return tuple(merged)


def _touch(text: str, last: Finding, one: Finding) -> bool:
    if one.start < last.end:
        return True
    return last.kind == one.kind == "name" and text[last.end : one.start] in (" ", ", ")
