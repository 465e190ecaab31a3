"""Whether an exported access log is whole: each chain without a gap, each hash, each signature.

Pure: it takes lines and gives a verdict; nothing that runs is needed, and nobody is believed but the
holders of the keys. The form of the file: docs/audit.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from crosstown.audit.link import BEGINNING, chained, line, read
from crosstown.audit.signing import holds, signed
from crosstown.errors import Refused
from crosstown.event.strict_json import parse

MAX_LINE: Final = 20_000
"""Bytes; a link has a tenth of that."""
_OPEN: Final = {"hash", "prior", "said"}
_CLOSED: Final = {"chain", "closed", "hash", "number", "prior"}
_TEXTS: Final = ("chain", "closed", "hash", "prior")


class Head(NamedTuple):
    """How far a chain goes: the number and hash of its last link."""

    number: int
    hash: str


_NONE: Final = Head(0, BEGINNING)


class Bad(NamedTuple):
    """The first thing that is wrong: its line in the file, the link where it is one, and why."""

    line: int
    chain: str
    number: int
    why: str


@dataclass(slots=True)
class Chain:
    """One chain of the file."""

    head: Head = _NONE
    signed_to: int = 0
    """The number of the last link that a checkpoint of its own signs."""
    closed: int = 0
    """How many links are there as digests only."""


@dataclass(slots=True)
class Verdict:
    """What came of it; `key` is the one that the file names, `made` when it was exported."""

    bad: Bad | None = None
    chains: dict[str, Chain] = field(default_factory=dict)
    key: str = ""
    made: str = ""

    @property
    def links(self) -> int:
        """How many links were found in order."""
        return sum(chain.head.number for chain in self.chains.values())

    @property
    def heads(self) -> dict[str, Head]:
        """How far each chain goes."""
        return {name: chain.head for name, chain in self.chains.items()}


class _Broken(Exception):
    def __init__(self, why: str, chain: str = "", number: int = 0) -> None:
        super().__init__(why)
        self.chain, self.number = chain, number


def verify(
    lines: Iterable[bytes], keys: Collection[str] = (), known: Mapping[str, Head] | None = None
) -> Verdict:
    """Check a whole file, line by line with their ends, up to the first thing that is wrong.

    `keys`: the public keys that may sign (none: only the one that the file names itself, which proves
    no more than that one hand made it). `known`: heads seen before, which must all still be there.
    """
    reading = _Reading(Verdict(), frozenset(keys), dict(known or {}))
    at = 0
    try:
        for text in lines:
            at += 1
            reading.take(text)
        at += 1
        reading.end()
    except _Broken as broken:
        reading.verdict.bad = Bad(at, broken.chain, broken.number, str(broken))
    return reading.verdict


@dataclass(slots=True)
class _Reading:
    verdict: Verdict
    keys: frozenset[str]
    known: dict[str, Head]
    before: Any = field(default_factory=hashlib.sha256)
    chain: str = ""
    ended: bool = False

    def take(self, text: bytes) -> None:
        if self.ended:
            raise _Broken("something follows the signed end")
        said = _object(text)
        if not self.verdict.key:
            self._begin(said)
        elif set(said) == {"end", "signature"}:
            self._close(said["end"], said["signature"])
        elif set(said) == {"offset", "strange"}:
            raise _Broken(f"the message at offset {said['offset']} of the topic is no link")
        else:
            self._link(said)
        self.before.update(text)

    def end(self) -> None:
        if not self.ended:
            raise _Broken("the file breaks off: its signed end is missing", self.chain,
                          self._head(self.chain).number + 1 if self.chain else 0)  # fmt: skip

    def _begin(self, said: dict[str, Any]) -> None:
        if said.keys() != {"access_log", "key"} or said["access_log"] != 1:
            raise _Broken("it doesn't begin as an exported access log does")
        if not isinstance(said["key"], str) or len(said["key"]) != 64:
            raise _Broken("the key that it names is none")
        self.verdict.key = said["key"]
        self.keys = self.keys or frozenset([said["key"]])
        if said["key"] not in self.keys:
            raise _Broken("it is signed with a key that isn't among the known ones")

    def _head(self, chain: str) -> Head:
        return self.verdict.chains[chain].head if chain in self.verdict.chains else _NONE

    def _link(self, said: dict[str, Any]) -> None:
        name, number, digest, link = _parts(said)
        self._turn_to(name, number)
        chain = self.verdict.chains.setdefault(name, Chain())
        if number != chain.head.number + 1:
            raise _Broken(*_misplaced(name, number, chain.head.number))
        if said["prior"] != chain.head.hash:
            raise _Broken("it doesn't follow the link before it: one of the two was changed", name, number)  # fmt: skip
        if said["hash"] != chained(said["prior"], digest):
            raise _Broken("what it says isn't what was hashed: it was changed", name, number)
        known = self.known.get(name)
        if known and known.number == number and known.hash != said["hash"]:
            raise _Broken("another link stood here when it was last looked at: a fork", name, number)  # fmt: skip
        if link is None:
            chain.closed += 1
        elif link.what == "checkpoint":
            if link.key not in self.keys or not holds(
                link.key, link.signature, signed(said["prior"], link)
            ):
                raise _Broken("its signature is of none of the known keys", name, number)
            chain.signed_to = number
        chain.head = Head(number, said["hash"])

    def _turn_to(self, name: str, number: int) -> None:
        """Chains come one after the other, by name, each whole."""
        if name == self.chain:
            return
        if name < self.chain:
            raise _Broken("it isn't in its place: chains stand one after the other", name, number)
        self._done(self.chain)
        self.chain = name

    def _done(self, chain: str) -> None:
        known, head = self.known.get(chain), self._head(chain)
        if known and head.number < known.number:
            raise _Broken(f"the chain ends here; when it was last looked at it had {known.number} links",
                          chain, head.number + 1)  # fmt: skip

    def _close(self, end: Any, signature: Any) -> None:
        if not isinstance(signature, str) or not holds(self.verdict.key, signature, line(end)):
            raise _Broken("its end isn't signed with the key that it names")
        try:
            signed_for = {
                name: Head(one["links"], one["hash"]) for name, one in end["chains"].items()
            }
            digest, made = str(end["sha256"]), str(end["made"])
        except (TypeError, KeyError, AttributeError):
            raise _Broken("its end says nothing of its chains") from None
        for name in sorted(self.known.keys() | signed_for.keys() | self.verdict.chains.keys()):
            self._done(name)
            self._ends(name, signed_for.get(name, _NONE))
        if digest != self.before.hexdigest():
            raise _Broken("its lines aren't those that were signed")
        self.verdict.made, self.ended = made, True

    def _ends(self, name: str, theirs: Head) -> None:
        ours = self._head(name)
        if ours.number != theirs.number:
            raise _Broken(f"the chain ends with link {ours.number}; {theirs.number} were signed",
                          name, ours.number + 1)  # fmt: skip
        if ours.hash != theirs.hash:
            first = self.verdict.chains[name].signed_to + 1
            raise _Broken(f"of its links {first} to {ours.number} one was changed and all after it were"
                          " hashed anew: its end isn't the one that was signed", name, first)  # fmt: skip


def _object(text: bytes) -> dict[str, Any]:
    """The one JSON object of a line, which must be written as only one can be."""
    if len(text) > MAX_LINE:
        raise _Broken(f"the line has over {MAX_LINE:,} bytes")
    try:
        said = parse(text)
        same = isinstance(said, dict) and line(said) + b"\n" == text
    except (Refused, UnicodeEncodeError, RecursionError):
        raise _Broken("the line can't be read") from None
    if not same:
        raise _Broken("the line isn't written as the export writes it")
    return dict(said)


def _parts(said: dict[str, Any]) -> tuple[str, int, str, Any]:
    """A link's chain, number and digest, and what it says, None where it's closed."""
    if said.keys() == _OPEN:
        try:
            link = read(said["said"])
        except Refused as refused:
            raise _Broken(str(refused)) from None
        return link.chain, link.number, link.digest, link
    if (
        said.keys() != _CLOSED
        or not all(isinstance(said[name], str) for name in _TEXTS)
        or type(said["number"]) is not int
    ):
        raise _Broken("the line is no link")
    return said["chain"], said["number"], said["closed"], None


def _misplaced(name: str, number: int, last: int) -> tuple[str, str, int]:
    if number <= last:
        return "its number has been there before: a fork, or out of order", name, number
    return f"it is missing: after link {last} comes {number}", name, last + 1
