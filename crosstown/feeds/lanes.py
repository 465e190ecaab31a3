"""Lanes: the kinds of saying that agreements tell apart, each with the feeds that may want it.

A lane is a contract, a publisher and a jurisdiction. An agreement that covers none of an event's lanes
costs that event nothing. Pure. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

from typing import Any


class Lane:
    """One contract of one publisher in one jurisdiction.

    `link` is empty for events; what people say of records (`link.asserted` and the like) has a lane of
    its own, named here. `feeds` are those that may ever want something of it.
    """

    __slots__ = ("contract", "feeds", "jurisdiction", "link", "publisher")

    def __init__(self, contract: str, publisher: str, jurisdiction: str, link: str = "") -> None:
        self.contract = contract
        self.publisher = publisher
        self.jurisdiction = jurisdiction
        self.link = link
        self.feeds: tuple[Any, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the bytes of what is said on it may ever be asked for."""
        return bool(self.feeds)
