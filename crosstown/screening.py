"""Where a text has what isn't for everyone: numbers and addresses that tell on people, and their names.

Pure. What is found, what isn't and how often it errs: docs/decisions/0017.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from crosstown.folding import folded
from crosstown.personal_names import find_names
from crosstown.telltale import Finding, cards, emails, is_obfuscated, phones, ssns

MASKS: Final = {
    "card": "[card]", "ssn": "[ssn]", "phone": "[phone]", "email": "[e-mail]", "name": "[name]",
}  # fmt: skip
"""What stands in the place of each kind; where two kinds overlap, the earlier of these counts."""
_KINDS: Final = {kind: order for order, kind in enumerate(MASKS)}


_SEVEN = re.compile(r"[0-9](?:[^0-9A-Za-z,]{0,3}[0-9]){6}").search


def screen(text: str, names: Sequence[str] = ()) -> tuple[Finding, ...]:
    """All that is found in a text, in order, without overlaps; `names` are `name_words`.

    A text without seven digits in reach of each other, an `@` or a written "dot" is done in half a
    microsecond.
    """
    if text.isascii():
        suspicious = "@" in text or _SEVEN(text) is not None or is_obfuscated(text.lower())
        if not suspicious and not names:
            return ()
        if text.isprintable():
            return _merged(text, _found(text, names, numbers=suspicious))
    plain, places = folded(text)
    back = [Finding(one.kind, places[one.start], places[one.end - 1] + 1)
            for one in _found(plain, names, numbers=True)]  # fmt: skip
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


def clean(text: str) -> str:
    """A text of our own (a message, a headline) with what is found in it masked."""
    return masked(text, screen(text))


def in_bytes(data: bytes | None) -> bool:
    """Whether bytes that nobody can open seem to hold any of it.

    A length may stand before a text as one letter or digit, so it's tried without the first one, too.
    """
    if not data:
        return False
    text = re.sub(r"[^ -~\u0080-\U0010ffff]", " ", data.decode("utf-8", "replace"))
    return bool(screen(text) or screen(_FIRST.sub(" ", text)))


_FIRST = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9](?=[0-9(+])")


def _found(text: str, names: Sequence[str], *, numbers: bool) -> Iterator[Finding]:
    if numbers:
        yield from cards(text)
        yield from ssns(text)
        yield from phones(text)
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
