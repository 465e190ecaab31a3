"""Lanes: the kinds of saying that agreements tell apart, each with the feeds that may want it.

A lane is a contract, a publisher and a jurisdiction. An agreement that covers none of an event's lanes
costs that event nothing. Pure. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crosstown.contracts.contract import ANY
from crosstown.event.sayings import KINDS

if TYPE_CHECKING:
    from crosstown.feeds.feed import Feed

LINKS: Final = f"{ANY}/links"
"""The contract of what people say of records."""


class Lane:
    """One contract of one publisher in one jurisdiction.

    `link` is empty for events; what people say of records (`link.asserted` and the like) has a lane of
    its own, named here. `feeds` are those that may ever want something of it.
    """

    __slots__ = ("_by_text", "_others", "contract", "feeds", "jurisdiction", "link", "publisher")

    def __init__(self, contract: str, publisher: str, jurisdiction: str, link: str) -> None:
        self.contract = contract
        self.publisher = publisher
        self.jurisdiction = jurisdiction
        self.link = link
        self.lead_to(())

    def lead_to(self, feeds: Iterable[Feed]) -> None:
        """Which feeds there are now, and what their filters need of an event."""
        self.feeds = tuple(feeds)
        self._others: list[Feed] = []
        self._by_text: dict[str, dict[str, list[Feed]]] = {}
        for feed in self.feeds:
            needs = None if self.link else feed.cover.needs
            if needs is None:
                self._others.append(feed)
                continue
            for text in needs[1]:
                self._by_text.setdefault(needs[0], {}).setdefault(text, []).append(feed)

    def may_cover(self, fields: Mapping[str, Any]) -> list[Feed]:
        """The feeds whose filters may be true of an event with an envelope of these fields."""
        found = self._others
        for name, feeds in self._by_text.items():
            if (some := feeds.get(fields[name])) is not None:
                found = found + some
        return found

    @property
    def kept(self) -> bool:
        """Whether the bytes of what is said on it may ever be asked for."""
        return bool(self.feeds)


class Lanes:
    """All lanes on which anything was said."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str, str, str], Lane] = {}
        self._feeds: Sequence[Feed] = ()

    def of(self, contract: str, agency: str, jurisdiction: str, kind: str) -> Lane:
        """The lane of an event of this type: the publisher is the contract's owner, under `any/` its agency."""
        link = kind if kind in KINDS else ""
        contract = LINKS if link else contract
        owner = contract.partition("/")[0]
        what = (contract, agency if owner == ANY else owner, jurisdiction, link)
        lane = self._lanes.get(what)
        if lane is None:
            lane = self._lanes[what] = Lane(*what)
            self._lead(lane)
        return lane

    def lead_to(self, feeds: Sequence[Feed]) -> None:
        """Which feeds there are now."""
        self._feeds = feeds
        for lane in self._lanes.values():
            self._lead(lane)

    def leading_to(self, feeds: Collection[Feed]) -> set[Lane]:
        """The lanes of which one of these feeds may want something."""
        return {lane for lane in self._lanes.values() if any(feed in feeds for feed in lane.feeds)}

    def _lead(self, lane: Lane) -> None:
        lane.lead_to(feed for feed in self._feeds if feed.cover.wants(lane))
