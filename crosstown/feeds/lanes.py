"""Lanes: the kinds of saying that agreements tell apart, each with the feeds that may want it.

A lane is a contract, a publisher and a jurisdiction. An agreement that covers none of an event's lanes
costs that event nothing. Pure. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from crosstown.contract import ANY
from crosstown.sayings import KINDS

if TYPE_CHECKING:
    from crosstown.feeds.feed import Feed

LINKS: Final = f"{ANY}/links"
"""The contract of what people say of records."""


class Lane:
    """One contract of one publisher in one jurisdiction.

    `link` is empty for events; what people say of records (`link.asserted` and the like) has a lane of
    its own, named here. `feeds` are those that may ever want something of it.
    """

    __slots__ = ("contract", "feeds", "jurisdiction", "link", "publisher")

    def __init__(self, contract: str, publisher: str, jurisdiction: str, link: str) -> None:
        self.contract = contract
        self.publisher = publisher
        self.jurisdiction = jurisdiction
        self.link = link
        self.feeds: tuple[Feed, ...] = ()

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

    def _lead(self, lane: Lane) -> None:
        lane.feeds = tuple(feed for feed in self._feeds if feed.cover.wants(lane))
