"""A case's timeline from its events: the links that say why, the digest, the message's bytes.

Pure: the same function composes what agencies see inside and, from covered entries only, what a
feed shows. Source of the rules: docs/decisions/0008.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from typing import Final, Protocol

from crosstown.event.envelope import STEPS, VIAS, text_bytes, texts_bytes, zigzag
from crosstown.event.sayings import About, event_text, parted, people_bytes

CAP: Final = 200
"""Entries, and links, that one message carries; the counts and the digest cover all."""
SECOND: Final = 1_000_000
_RULES: Final = {"ref": b"\0", "place": b"\2", "asserted": b"\4"}
_MODULUS: Final = 1 << 256
_DIGEST_SIZE: Final = zigzag(64)

_SAYS_NOTHING: Final = {STEPS.index(step) for step in ("NOTE", "OTHER")}
_REPORTED: Final = STEPS.index("REPORTED")
_ENDED: Final = {STEPS.index(step) for step in ("RESOLVED", "CLOSED")}


class Spot(Protocol):
    """One place and concern; `window` is the concern's, in microseconds."""

    @property
    def window(self) -> int:
        """Events at most this far apart are linked."""

    @property
    def careful(self) -> bool:
        """Whether a record that is separated from another may be here."""


class Member(Protocol):
    """A record of a case, with its events that count in any order."""

    @property
    def name(self) -> str:
        """The record, as agency/register/number."""

    @property
    def entries(self) -> Sequence[Entry]:
        """Its events that count."""

    @property
    def about(self) -> About | None:
        """What people say of it; None: nothing."""


class Entry(Protocol):
    """One event that counts: `envelope` are its Avro bytes, the first `said` of them the prefix."""

    id: bytes
    occurred: int
    step: int
    refs: tuple[str, ...]
    envelope: bytes
    said: int
    via: int

    @property
    def record(self) -> Member:
        """The record that it belongs to."""

    @property
    def spot(self) -> Spot | None:
        """Where rule 3 looks; None: no part in it."""


@dataclass(frozen=True, slots=True)
class Link:
    """Why two records are in one case; `at` orders links by age and isn't part of the message."""

    rule: str
    source: str
    target: str
    event_from: str
    event_to: str
    seconds: int
    why: str
    at: int

    def canonical(self) -> bytes:
        """Its Avro bytes, which the digest covers."""
        return (
            _RULES[self.rule] + text_bytes(self.source) + text_bytes(self.target)
            + text_bytes(self.event_from) + text_bytes(self.event_to) + zigzag(self.seconds)
            + text_bytes(self.why)
        )  # fmt: skip


in_order: Final = attrgetter("occurred", "id")
"""The order of a timeline: (occurred_at, event_id)."""


def links_of(members: Sequence[Member], entries: Sequence[Entry]) -> list[Link]:
    """All links that are shown for a case's records and their entries in order."""
    present = {member.name: member for member in members}
    return (
        ref_links(entries, present) + place_links(entries) + asserted_links(members, present)
    )  # fmt: skip


def ref_links(entries: Sequence[Entry], present: Mapping[str, Member]) -> list[Link]:
    """Rule 2: each resolved ref, directed, by the earliest event that names it."""
    found: dict[tuple[str, str], Link] = {}
    for entry in entries:
        for ref in entry.refs:
            record = entry.record
            name = record.name
            if ref == name or ref not in present or (name, ref) in found:
                continue
            if not parted(record, present[ref]):
                found[name, ref] = Link(
                    "ref", name, ref, event_text(entry), "", 0, "", entry.occurred
                )
    return list(found.values())


def asserted_links(members: Sequence[Member], present: Mapping[str, Member]) -> list[Link]:
    """Rule 4: each assertion that counts, as it was said: from the record named first."""
    return [
        Link("asserted", member.name, other, event_text(entry), "", 0, edge.why, entry.occurred)
        for member in members
        if member.about is not None
        for other, said in member.about.asserted.items()
        if other in present
        for entry, edge in said
        if entry.refs[0] == member.name
    ]


def place_links(entries: Sequence[Entry]) -> list[Link]:
    """Rule 3: consecutive events of different records at one place and concern in the window.

    For an unordered pair of records the shortest, then the smallest ids. A record that is separated
    from another is linked with each event in the window that it isn't separated from.
    """
    last: dict[int, Entry] = {}
    careful: dict[int, tuple[Spot, list[Entry]]] = {}
    best: dict[tuple[str, str], tuple[int, bytes, bytes, Entry, Entry]] = {}
    for b in entries:
        spot = b.spot
        if spot is None or (b.record.about is not None and b.record.about.apart):
            continue
        if spot.careful:
            careful.setdefault(id(spot), (spot, []))[1].append(b)
            continue
        a = last.get(id(spot))
        last[id(spot)] = b
        if a is None or a.record is b.record:
            continue
        gap = b.occurred - a.occurred
        if gap > spot.window:
            continue
        _shortest(best, gap, a, b)
    for spot, rows in careful.values():
        for gap, a, b in _careful_pairs(rows, spot.window):
            _shortest(best, gap, a, b)
    return [
        Link("place", a.record.name, b.record.name, event_text(a), event_text(b),
             gap // SECOND, "", b.occurred)
        for gap, _, _, a, b in best.values()
    ]  # fmt: skip


def _shortest(
    best: dict[tuple[str, str], tuple[int, bytes, bytes, Entry, Entry]],
    gap: int, a: Entry, b: Entry,
) -> None:  # fmt: skip
    one, two = a.record.name, b.record.name
    pair = (one, two) if one < two else (two, one)
    found = (gap, a.id, b.id, a, b)
    if pair not in best or found[:3] < best[pair][:3]:
        best[pair] = found


def _careful_pairs(rows: Sequence[Entry], window: int) -> Iterator[tuple[int, Entry, Entry]]:
    """Pairs where separations are about: consecutive ones, and all of a separated record."""
    for i, b in enumerate(rows):
        for j in range(i - 1, -1, -1):
            a = rows[j]
            gap = b.occurred - a.occurred
            if gap > window:
                break
            if a.record is b.record or not (
                j == i - 1 or _is_separated(a.record) or _is_separated(b.record)
            ):
                continue
            if not parted(a.record, b.record):
                yield gap, a, b


def _is_separated(record: Member) -> bool:
    return record.about is not None and bool(record.about.separated)


def is_open(entries: Iterable[Entry]) -> bool:
    """Whether a record is open, from its entries in any order.

    What it was last said to be counts; notes say nothing, and a report opens but never reopens: some
    systems close in the second of the report, or before it.
    """
    reported, last, step = False, -_MODULUS, -1
    for entry in entries:
        if entry.step == _REPORTED:
            reported = True
        elif entry.step not in _SAYS_NOTHING and (entry.occurred, entry.step) > (last, step):
            last, step = entry.occurred, entry.step
    return reported if step < 0 else step not in _ENDED


def case_digest(entries: Iterable[Entry], links: Iterable[bytes]) -> str:
    """A case's digest: SHA-256 of the sum of its entries' and links' digests, 64 hex digits."""
    number, total = int.from_bytes, 0
    for entry in entries:
        total += number(sha256(entry.envelope[: entry.said]).digest(), "big")
    for link in links:
        total += number(sha256(link).digest(), "big")
    return sha256((total % _MODULUS).to_bytes(32, "big")).hexdigest()


def city_digest(cases: Iterable[str]) -> str:
    """The sum of cases' digests modulo 2**256, 64 hex digits."""
    return f"{sum(int(digest, 16) for digest in cases) % _MODULUS:064x}"


def case_bytes(members: Sequence[Member], entries: Sequence[Entry], links: Sequence[Link]) -> bytes:
    """The Avro bytes of `Case` for its records and their entries in order; entries are spliced."""
    vias = [0] * len(VIAS)
    for entry in entries:
        vias[entry.via] += 1
    still_open, agencies, records = False, set(), 0
    spoken = False
    for member in members:
        records += 1
        agencies.add(member.name.partition("/")[0])
        still_open = still_open or is_open(member.entries)
        spoken = spoken or member.about is not None
    said = [(link, link.canonical()) for link in links]
    if len(said) > 1:
        said.sort(key=lambda pair: (pair[0].at, pair[1]))
    digest = case_digest(entries, (canonical for _, canonical in said))
    used = [(VIAS[i], n) for i, n in enumerate(vias) if n]
    parts = [
        _DIGEST_SIZE, digest.encode(), b"\0" if still_open else b"\2",
        zigzag(entries[0].occurred), zigzag(entries[-1].occurred),
        texts_bytes(sorted(agencies)),
        zigzag(records), zigzag(len(entries)), zigzag(len(links)),
        zigzag(len(used)), *(text_bytes(via) + zigzag(n) for via, n in used), b"\0",
        texts_bytes(("runaway",) if max(len(entries), len(links)) > CAP else ()),
        zigzag(min(CAP, len(entries))), *(entry.envelope for entry in entries[-CAP:]), b"\0",
    ]  # fmt: skip
    if said:
        parts += [zigzag(min(CAP, len(said))), *(canonical for _, canonical in said[-CAP:])]
    parts.append(b"\0")
    parts.append(people_bytes(members, {m.name for m in members}, CAP) if spoken else b"\0")
    return b"".join(parts)


def message_bytes(
    jurisdiction: str, record: str, case_id: str, version: int, case: bytes | None
) -> bytes:
    """The Avro bytes of one message on `timelines`; `case` None says where the record is now."""
    body = b"\0" if case is None else b"\2" + case
    return b"".join(
        (text_bytes(jurisdiction), text_bytes(record), text_bytes(case_id), zigzag(version), body)
    )
