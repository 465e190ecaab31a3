"""Secrets and data taken out of a text: what is known to be one, and what looks like one.

Pure. The same record gets the same name within one bundle, so lines about it can still be found
together; the name can't be traced back, since its key is thrown away.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Final

from crosstown.bundle.known import SET, tells
from crosstown.log_lines import ESCAPED, MAX_MESSAGE
from crosstown.screen.screening import clean as screened

LONGEST: Final = MAX_MESSAGE + 2_000
"""Characters of a line that are kept."""
_NAME: Final = re.compile(r"(?<![\w.-])([\w.-]{1,100})\\?[\"']?\s{0,9}[:=]\s{0,9}")
"""A name before what it is set to; bounded, and never begun within a word: a line may be one word."""
_VALUE: Final = re.compile(
    r"\\?([\"'])(?:\\.|(?!\1).){0,4000}\1?|(?!\[secret|[\[{])[^\s,;&\"')}\]]{1,4000}"
)
_TELLING: Final = re.compile(
    r"(?i)pass(?:word|wd|phrase)|pwd|secret|token|credential|signature|jaas\.config|cookie"
    r"|(?:api|access|private|erasure|audit|pseudonym)[_.-]?key|authorization|^sig$|^auth$|^pass$"
)
_FORMS: Final = tuple(
    (name, re.compile(pattern, flags), by)
    for name, pattern, flags, by in (
        ("private key",
         r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----BEGIN).){0,20000}?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
         re.DOTALL, "[private key]"),
        ("login", r"(?i)\b(bearer\s+)[\w.~+/=-]{6,}", 0, r"\1[secret]"),
        ("login", r"(?i)\b((?:basic|negotiate)\s+)(?=[a-z+/]*[\d=])[\w+/=-]{6,}", 0, r"\1[secret]"),
        ("address", r"(//)[^/\s@\"'<>]{1,500}@", 0, r"\1[secret]@"),
        ("jaas", r"(?i)((?:Plain|Scram|OAuthBearer)LoginModule\s+\w+)[^;\n]{0,2000};?", 0, r"\1 [secret];"),
        ("key", r"\bct_[a-z0-9-]{1,64}_[0-9a-fA-F]{8,}", 0, "[key]"),
        ("key", r"\bwh(?:sec|sk|pk)_[\w+/=-]{8,}", 0, "[key]"),
        ("key", r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bgh[pousr]_\w{16,}|\bxox[abprs]-[\w-]{8,}|\bsk-[\w-]{16,}", 0, "[key]"),
        ("token", r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?", 0, "[token]"),
        ("hex", r"(?<![0-9a-fA-F])[0-9a-fA-F]{40,}(?![0-9a-fA-F])", 0, "[hex]"),
        ("base64", r"(?<![\w+/=-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{43,}={0,2}", 0, "[base64]"),
        ("base64", r"(?<![\w+/=-])(?=[\w/]*\+|[\w/+]*=)[A-Za-z0-9+/]{24,}={0,2}", 0, "[base64]"),
    )
)  # fmt: skip
"""By name: what looks like a secret, and what stands in its place."""
_QUOTED: Final = re.compile(r"(?<!\w)(['\"])(?=[^'\"\n]*\s)([^'\"\n]{1,4000})\1(?!\w)")
"""A quoted text of more than one word: what somebody wrote, as an error repeats it."""


class Cleaner:
    """Cleans texts of one installation: `known` secrets, records of these agencies; `key` is random.

    `removed` counts what was taken out, by kind.
    """

    def __init__(self, known: Collection[str], agencies: Collection[str], key: bytes) -> None:
        self.removed: Counter[str] = Counter()
        self._key = key
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        names = "|".join(map(re.escape, sorted(agencies, key=len, reverse=True))) or r"(?!)"
        self._record = re.compile(
            rf"(?<![\w-])({names})/([a-z0-9-]{{1,64}})/([^\s\"'\\,;)\]}}]{{1,200}})"
        )

    def text(self, text: str) -> str:
        """A text of ours without secrets: settings, figures, versions."""
        text = self._known.sub(self._counting("known secret", "[secret]"), text)
        for kind, pattern, by in _FORMS:
            text, count = pattern.subn(by, text)
            self.removed[kind] += count
        return self._without_named(text)

    def _without_named(self, text: str) -> str:
        """Without the values of what is called a password, a token, a key."""
        parts, at = [], 0
        while found := _NAME.search(text, at):
            parts.append(text[at : found.end()])
            at = found.end()
            value = _VALUE.match(text, at) if _TELLING.search(found[1]) else None
            if value is not None:
                self.removed["named"] += 1
                parts.append(f"{value[1]}[secret]{value[1]}" if value[1] else "[secret]")
                at = value.end()
        return "".join((*parts, text[at:]))

    def log(self, text: str) -> str:
        """A log: its lines without secrets, and without what agencies and people wrote."""
        lines = [one[:LONGEST] for one in text.split("\n")]
        return "\n".join(map(self.line, self._without_keys("\n".join(lines)).split("\n")))

    def line(self, line: str) -> str:
        """One line of a log, as text or as an object for programs."""
        if line.startswith("{"):
            with contextlib.suppress(ValueError, RecursionError):
                return json.dumps(self.value(json.loads(line), self._line))
        return self._line(line)

    def value(self, value: Any, clean: Callable[[str], str]) -> Any:
        """What becomes JSON, each text in it cleaned by `text` or by what a log's lines are."""
        match value:
            case str():
                return clean(value)
            case dict():
                return {clean(str(name)): self._under(str(name), one, clean)
                        for name, one in value.items()}  # fmt: skip
            case list() | tuple():
                return [self.value(one, clean) for one in value]
            case int() | float() | bool() | None:
                return value
            case _:
                return clean(str(value))

    def _under(self, name: str, value: Any, clean: Callable[[str], str]) -> Any:
        hidden = isinstance(value, str) and value not in ("", SET) and tells(name)
        return "[secret]" if hidden else self.value(value, clean)

    def _without_keys(self, text: str) -> str:
        """Without private keys, which go over several lines."""
        _, pattern, by = _FORMS[0]
        return pattern.sub(self._counting("private key", by), text)

    def _line(self, line: str) -> str:
        line = self.text(line)
        line = self._record.sub(self._named, line)
        line = _QUOTED.sub(self._counting("quoted text", r"\g<1>[text]\g<1>"), line)
        return screened(line).translate(ESCAPED)

    def holds(self, text: str) -> bool:
        """Whether a known secret is (still) in a text."""
        return self._known.search(text) is not None

    def _named(self, found: re.Match[str]) -> str:
        self.removed["record"] += 1
        digest = hmac.new(self._key, found[3].encode("utf-8", "replace"), hashlib.sha256)
        return f"{found[1]}/{found[2]}/[{digest.hexdigest()[:8]}]"

    def _counting(self, kind: str, by: str) -> Callable[[re.Match[str]], str]:
        def replaced(found: re.Match[str]) -> str:
            self.removed[kind] += 1
            return found.expand(by)

        return replaced
