"""A jurisdiction's state, of which only a part is in memory: what nobody speaks of lies in a store.

A neighbourhood is what could ever touch: records that name each other or share a place and concern,
whatever the window. Nothing in the rule crosses its border, so it can be put away and fetched
again by itself: as its sayings, of which the state is a function. Measured: docs/decisions/0014.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from crosstown.cases.cases import Change, City
from crosstown.event.envelope import read_prefix
from crosstown.event.sayings import Edge

Node = str | tuple[str, str]
"""What holds a neighbourhood together: a record's name, or a place and its concern."""
_SAYING: Final = struct.Struct("<32sqqBHI")


class Kept(NamedTuple):
    """A neighbourhood for the store, or from it.

    `nodes` are those that don't stand there under its `id` yet, or all where it's kept `anew`;
    `joined` were others and are part of it now; `waits`: something in it is to be forgotten soon.
    """

    jurisdiction: str
    id: int
    nodes: list[str]
    body: bytes
    records: int
    waits: bool
    joined: tuple[int, ...] = ()
    anew: bool = False


class Store(Protocol):
    """Where neighbourhoods lie, by jurisdiction; `crosstown/cases/state_store.py` is one."""

    def find(self, jurisdiction: str, node: str) -> int:
        """The neighbourhood that a node belongs to; 0 = none that only the store has."""

    def body(self, hood: int) -> bytes:
        """Its sayings."""

    def new_id(self) -> int:
        """A number for a neighbourhood that was never kept."""

    def fetched(self, hood: int) -> None:
        """It's in memory now."""

    def nodes(self, jurisdiction: str) -> Iterable[tuple[str, int]]:
        """All nodes of a jurisdiction that aren't in memory, each with its neighbourhood."""


class Hood:
    """One neighbourhood that is in memory.

    `id` 0 = never kept; the first `kept` of its nodes stand in the store under that id; `joined` are
    kept ones that became part of it; `forgot`: nodes may have gone from it. `used`: the batch.
    """

    __slots__ = ("dirty", "events", "forgot", "id", "joined", "kept", "nodes", "used")

    def __init__(self, used: int) -> None:
        self.id = 0
        self.kept = 0
        self.used = used
        self.dirty = False
        self.forgot = False
        self.events: list[bytes] = []
        self.nodes: list[Node] = []
        self.joined: list[int] = []


class Neighbourhoods:
    """One jurisdiction's `City`, of which the store may hold any part that was put away.

    `now` is the number of the batch, by which it's known what was used last.
    """

    def __init__(
        self, jurisdiction: str, window_of: Callable[[str], int], is_erased: Callable[[str], bool],
        store: Store,
    ) -> None:  # fmt: skip
        self.city = City(jurisdiction, window_of, is_erased)
        self._window_of, self._is_erased = window_of, is_erased
        self.jurisdiction = jurisdiction
        self._store = store
        self._hoods: dict[Node, Hood] = {}
        self.now = 0

    def say(
        self, content: bytes, fields: Mapping[str, Any], envelope: bytes, said: int,
        known_at: int, via: int,
    ) -> None:  # fmt: skip
        """As `City.say`, with all in memory that it may touch."""
        hood = self._hood(fields)
        hood.dirty = True
        hood.used = self.now
        event = self.city.say(content, fields, envelope, said, known_at, via)
        if event is not None:
            hood.events.append(event)

    def erase(self, wanted: Callable[[str], bool]) -> None:
        """As `City.erase`, for all that is kept too."""
        self._fetch_named(wanted, lambda name: self._is_erased(name) and not wanted(name))
        self.city.erase(wanted)

    def restore(self, wanted: Callable[[str], bool]) -> None:
        """As `City.restore`; what waits to be forgotten is in memory always."""
        self._fetch_named(wanted, lambda name: self._is_erased(name) or wanted(name))
        self.city.restore(wanted)

    def forget(self, event: bytes) -> None:
        """As `City.forget`."""
        said = self.city.sayings(event)
        if not said:
            return
        record = said[0].record
        hood = self._hoods[said[0].refs[0] if type(record) is Edge else record.name]
        self.city.forget(event)
        hood.dirty = hood.forgot = True

    def changes(self) -> Iterator[Change]:
        """As `City.changes`."""
        return self.city.changes()

    def settle(self) -> None:
        """As `City.settle`."""
        self.city.settle()

    def hoods(self) -> set[Hood]:
        """All that are in memory."""
        return set(self._hoods.values())

    def records_of(self, hood: Hood) -> int:
        """How many records it has."""
        records = self.city.records
        return sum(isinstance(node, str) and node in records for node in hood.nodes)

    def waits(self, hood: Hood) -> bool:
        """Whether something in it is to be forgotten soon: then it stays in memory."""
        return any(map(self.city.waits, hood.events))

    def kept(self, hood: Hood) -> Kept:
        """A neighbourhood for the store; once that has it, it's to be called `clean`."""
        city = self.city
        anew = hood.forgot
        said = [one for event in hood.events for one in city.sayings(event)]
        body = b"".join(
            _SAYING.pack(one.content, one.first, one.last, one.via, one.said, len(one.envelope))
            + one.envelope
            for one in said
        )
        if anew:
            self._prune(hood, {n for one in said for n in _nodes(read_prefix(one.envelope)[0])})
        nodes = hood.nodes[hood.kept :]
        if not hood.id:
            hood.id = self._store.new_id()
        return Kept(
            self.jurisdiction, hood.id, [key_of(node) for node in nodes], body, self.records_of(hood),
            self.waits(hood), tuple(hood.joined), anew,
        )  # fmt: skip

    def clean(self, hood: Hood) -> None:
        """The store has it as it is now; nothing of it, where nothing was said."""
        hood.dirty = hood.forgot = False
        hood.joined = []
        hood.kept = len(hood.nodes) if hood.events else 0

    def _prune(self, hood: Hood, named: set[Node]) -> None:
        """Only what is still named holds it together."""
        hood.events = [event for event in hood.events if event in self.city.events]
        for node in hood.nodes:
            if node not in named:
                del self._hoods[node]
        hood.nodes = [node for node in hood.nodes if node in named]
        hood.kept = 0

    def put_away(self, hood: Hood) -> None:
        """Take from memory what is clean."""
        names = [node for node in hood.nodes if isinstance(node, str)]
        spots = [node for node in hood.nodes if not isinstance(node, str)]
        self.city.release(hood.events, names, spots)
        for node in hood.nodes:
            del self._hoods[node]

    def fetch(self, number: int, was_erased: Callable[[str], bool] | None = None) -> Hood:
        """Bring a kept neighbourhood into memory, as it was told: with what `was_erased` then."""
        part = City(self.jurisdiction, self._window_of, was_erased or self._is_erased)
        hood = Hood(self.now)
        hood.id = number
        for fields, saying in sayings(self._store.body(number)):
            content, envelope, said, first, last, via = saying
            event = part.say(content, fields, envelope, said, first, via)
            if event is not None:
                hood.events.append(event)
            if last > first:
                part.say(content, fields, envelope, said, last, via)
            for node in _nodes(fields):
                if node not in self._hoods:
                    self._hoods[node] = hood
                    hood.nodes.append(node)
        hood.kept = len(hood.nodes)
        part.settle()
        self.city.adopt(part)
        self._store.fetched(number)
        return hood

    def _hood(self, fields: Mapping[str, Any]) -> Hood:
        """The neighbourhood of a saying; it joins those of all that the saying names."""
        hoods = self._hoods
        hood = hoods.get(fields["record"])
        if hood is not None and not fields["refs"]:
            place, concern = fields["place"], fields["concern"]
            if not place or not concern or hoods.get((place, concern)) is hood:
                return hood
        hood = None
        for node in _nodes(fields):
            other = hoods.get(node)
            if other is None:
                number = self._store.find(self.jurisdiction, key_of(node))
                if number:
                    other = self.fetch(number)
                else:
                    if hood is None:
                        hood = Hood(self.now)
                    hoods[node] = hood
                    hood.nodes.append(node)
                    continue
            if hood is None:
                hood = other
            elif other is not hood:
                hood = self._join(hood, other)
        assert hood is not None  # noqa: S101 - a saying names its record
        return hood

    def _join(self, one: Hood, two: Hood) -> Hood:
        if len(one.nodes) < len(two.nodes):
            one, two = two, one
        for node in two.nodes:
            self._hoods[node] = one
        one.nodes += two.nodes
        one.events += two.events
        one.joined += two.joined
        if two.id and one.id:
            one.joined.append(two.id)
        elif two.id:
            one.id, one.kept = two.id, 0
        one.forgot |= two.forgot
        one.dirty = True
        return one

    def _fetch_named(
        self, wanted: Callable[[str], bool], was_erased: Callable[[str], bool]
    ) -> None:
        """Bring all into memory that names a record which is wanted."""
        found = {
            number
            for key, number in self._store.nodes(self.jurisdiction)
            if key not in self._hoods and "\0" not in key and wanted(key)
        }
        for number in found:
            self.fetch(number, was_erased)
        for node, hood in self._hoods.items():
            if isinstance(node, str) and wanted(node):
                hood.dirty = True


def key_of(node: Node) -> str:
    """A node as it stands in the store."""
    return node if isinstance(node, str) else f"{node[0]}\0{node[1]}"


def _nodes(fields: Mapping[str, Any]) -> Iterator[Node]:
    yield fields["record"]
    yield from fields["refs"]
    if fields["place"] and fields["concern"]:
        yield fields["place"], fields["concern"]


Saying = tuple[bytes, bytes, int, int, int, int]


def sayings(body: bytes) -> Iterator[tuple[dict[str, Any], Saying]]:
    """What a kept neighbourhood says: fields, and content, envelope, prefix length, first, last, via."""
    at = 0
    while at < len(body):
        content, first, last, via, said, size = _SAYING.unpack_from(body, at)
        at += _SAYING.size
        envelope = body[at : at + size]
        at += size
        yield read_prefix(envelope)[0], (content, envelope, said, first, last, via)
