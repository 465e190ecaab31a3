"""The topics that can be read: what kind each is, and what its rows' moments mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from crosstown.errors import NotFound
from crosstown.formats import ACCEPTED, ALERT, DEAD_LETTER, TIMELINE
from crosstown.reading.opened import Row

Times = tuple[Any, Any] | None
"""The first and last moment of a row (None: the same), or None where it has no time."""
_CLOSED: Final = re.compile(r"_.*|backbone|watch(\.\d+)?-.*")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of topic: its form (None: the registry says), and which of its moments mean what."""

    form: Any = None
    times: dict[str, Callable[[Row], Times]] = field(default_factory=dict)
    sayings: bool = False

    @property
    def compacted(self) -> bool:
        """Whether a later message takes an earlier one's place."""
        return self.form is not None


def _of(name: str) -> Callable[[Row], Times]:
    return lambda row: (row[name], None)


EVENTS: Final = Kind()
KINDS: Final = {
    "accepted": Kind(
        ACCEPTED, {"occurred": _of("occurred_at"), "known": _of("known_at")}, sayings=True
    ),
    "timelines": Kind(TIMELINE, {
        "occurred": lambda row: row["case"] and (row["case"]["first"], row["case"]["last"]),
    }),
    "dead-letters": Kind(DEAD_LETTER, {"occurred": _of("produced_at")}),
    "alerts": Kind(ALERT, {"occurred": _of("since"), "known": _of("seen_at")}),
}  # fmt: skip
"""By the first part of a topic's name; all others are logs of agencies, or of whoever writes them."""


def closed(topic: str) -> bool:
    """Whether a topic is bookkeeping, which holds no records for readers."""
    return _CLOSED.fullmatch(topic) is not None


def no_topic(topic: str, present: Iterable[str]) -> NotFound:
    """What to say of a topic that isn't offered: those that are near."""
    offered = sorted(one for one in present if not closed(one))
    near = get_close_matches(topic, offered, 3, 0.5)
    near += [one for one in offered if topic and topic in one and one not in near][:5]
    return NotFound(f"there is no topic {topic} to read", candidates=tuple(near or offered),
                    mend=f"is it {', '.join(near)}?" if near else f"one of {', '.join(offered)}")  # fmt: skip
