"""The linking rule read straight from the design: a union-find over the whole set of sayings.

Slow and plain on purpose, and written without the code that it checks, except for the envelope's
bytes and ids, which have golden values of their own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from crosstown.event.envelope import Envelope, content_hash, prefix_bytes, text_bytes, zigzag
from crosstown.event.identity import case_key

RULES = {"ref": b"\0", "place": b"\2", "asserted": b"\4"}
Link = tuple[str, str, str, str, str, int, str]


@dataclass(frozen=True)
class Found:
    """Per jurisdiction: record -> case id ("" = gone); per case id: records, links, digest."""

    case_of: dict[tuple[str, str], str]
    records: dict[str, frozenset[str]]
    links: dict[str, frozenset[Link]]
    digests: dict[str, str]
    shown: dict[tuple[str, str], tuple[int, str]]
    people: dict[str, frozenset[tuple[str, str, str, str, str]]] = field(default_factory=dict)

    @property
    def city_digest(self) -> str:
        return f"{sum(int(d, 16) for d in self.digests.values()) % 2**256:064x}"


@dataclass(frozen=True)
class People:
    """What people say in one jurisdiction, as the events that count."""

    asserted: list[Envelope]
    separated: list[Envelope]
    apart: list[Envelope]

    def free(self, a: str, b: str) -> bool:
        """Whether rules 2 and 3 may join these two."""
        alone = {e.refs[0] for e in self.apart}
        return not ({a, b} & alone) and not any({a, b} == set(e.refs) for e in self.separated)

    def has_separation(self, record: str) -> bool:
        return any(record in e.refs for e in self.separated)


def join(
    sayings: Iterable[tuple[Envelope, bytes]], window_of: Callable[[str], int],
    erased: Collection[str] = (),
) -> Found:  # fmt: skip
    """What must come out for (envelope, payload) sayings in any order.

    Of `erased` records nothing is left, nor of what people say of them.
    """
    sayings = [
        (e, payload) for e, payload in sayings
        if e.record not in erased
        and not (e.type.startswith("link.") and set(e.refs) & set(erased))
    ]  # fmt: skip
    heard: dict[tuple[str, str], dict[bytes, list[Envelope]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for envelope, payload in sayings:
        content = content_hash(prefix_bytes(envelope), payload)
        heard[envelope.jurisdiction, envelope.event_id][content].append(envelope)
    ever: set[tuple[str, str]] = set()
    counting: dict[str, list[Envelope]] = defaultdict(list)
    spoken: dict[str, list[Envelope]] = defaultdict(list)
    shown: dict[tuple[str, str], tuple[int, str]] = {}
    order = ("hand", "batch", "poll", "push", "changelog", "event")
    for (jurisdiction, event_id), contents in heard.items():
        _, best = max(
            (max(e.known_at for e in said), content) for content, said in contents.items()
        )
        said = contents[best]
        if said[0].type.startswith("link."):
            if said[0].step != "WITHDRAWN":
                spoken[jurisdiction].append(said[0])
            continue
        ever.update((jurisdiction, e.record) for e in said)
        if said[0].step != "WITHDRAWN":
            counting[jurisdiction].append(said[0])
            first = min(said, key=lambda e: (e.known_at, order.index(e.via)))
            shown[jurisdiction, event_id] = (first.known_at, first.via)
    found = Found(dict.fromkeys(ever, ""), {}, {}, {}, shown)
    for jurisdiction, events in counting.items():
        said_here = spoken[jurisdiction]
        people = People(
            [e for e in said_here if e.type == "link.asserted"],
            [e for e in said_here if e.type == "link.separated"],
            [e for e in said_here if e.type == "link.apart"],
        )
        _join_city(jurisdiction, events, window_of, people, found)
    return found


def _join_city(
    jurisdiction: str, events: list[Envelope], window_of: Callable[[str], int], people: People,
    found: Found,
) -> None:  # fmt: skip
    parent = {e.record: e.record for e in events}

    def root(record: str) -> str:
        while parent[record] != record:
            record = parent[record]
        return record

    for e in events:
        for ref in e.refs:
            if ref in parent and people.free(e.record, ref):
                parent[root(e.record)] = root(ref)
    for e in people.asserted:
        if set(e.refs) <= set(parent):
            parent[root(e.refs[0])] = root(e.refs[1])
    for a, b in combinations(events, 2):
        if _near(a, b, window_of) and people.free(a.record, b.record):
            parent[root(a.record)] = root(b.record)
    groups: dict[str, list[Envelope]] = defaultdict(list)
    for e in sorted(events, key=lambda e: (e.occurred_at, e.event_id)):
        groups[root(e.record)].append(e)
    for members in groups.values():
        case_id = case_key(jurisdiction, members[0].record)
        found.records[case_id] = frozenset(e.record for e in members)
        for record in found.records[case_id]:
            found.case_of[jurisdiction, record] = case_id
        links = _links(members, window_of, people)
        found.people[case_id] = frozenset(_people(found.records[case_id], people))
        found.links[case_id] = frozenset(links)
        found.digests[case_id] = _digest(members, links)


def _near(a: Envelope, b: Envelope, window_of: Callable[[str], int]) -> bool:
    return bool(
        a.place and a.concern and (a.place, a.concern) == (b.place, b.concern)
        and abs(a.occurred_at - b.occurred_at) <= window_of(a.concern)
    )  # fmt: skip


def _people(records: Collection[str], people: People) -> Iterator[tuple[str, str, str, str, str]]:
    for e in people.separated:
        one, two = e.refs
        if one in records:
            yield ("separated", e.event_id, one, two, e.headline)
        elif two in records:
            yield ("separated", e.event_id, two, one, e.headline)
    for e in people.apart:
        if e.refs[0] in records:
            yield ("apart", e.event_id, e.refs[0], "", e.headline)


def _links(members: list[Envelope], window_of: Callable[[str], int], people: People) -> list[Link]:
    links: list[Link] = []
    present = {e.record for e in members}
    named: set[tuple[str, str]] = set()
    for e in members:
        for ref in e.refs:
            if ref in present and ref != e.record and (e.record, ref) not in named:
                named.add((e.record, ref))
                if people.free(e.record, ref):
                    links.append(("ref", e.record, ref, e.event_id, "", 0, ""))
    links += [
        ("asserted", e.refs[0], e.refs[1], e.event_id, "", 0, e.headline)
        for e in people.asserted
        if set(e.refs) <= present
    ]
    alone = {e.refs[0] for e in people.apart}
    spots: dict[tuple[str, str], list[Envelope]] = defaultdict(list)
    for e in members:
        if e.place and e.concern and e.record not in alone:
            spots[e.place, e.concern].append(e)
    best: dict[frozenset[str], tuple[int, str, str, str, str]] = {}
    for rows in spots.values():
        separated = {e.record for e in rows if people.has_separation(e.record)}
        pairs = list(pairwise(rows))
        pairs += [(a, b) for a, b in combinations(rows, 2) if {a.record, b.record} & separated]
        for a, b in pairs:
            if (
                a.record != b.record and _near(a, b, window_of)
                and people.free(a.record, b.record)
            ):  # fmt: skip
                pair = frozenset((a.record, b.record))
                row = (b.occurred_at - a.occurred_at, a.event_id, b.event_id, a.record, b.record)
                best[pair] = min(best.get(pair, row), row)
    links += [("place", a, b, x, y, gap // 1_000_000, "") for gap, x, y, a, b in best.values()]
    return links


def _digest(members: list[Envelope], links: list[Link]) -> str:
    parts = [prefix_bytes(e) for e in members]
    for rule, source, target, event_from, event_to, seconds, why in links:
        parts.append(
            RULES[rule] + text_bytes(source) + text_bytes(target) + text_bytes(event_from)
            + text_bytes(event_to) + zigzag(seconds) + text_bytes(why)
        )  # fmt: skip
    total = sum(int.from_bytes(hashlib.sha256(part).digest(), "big") for part in parts) % 2**256
    return hashlib.sha256(total.to_bytes(32, "big")).hexdigest()
