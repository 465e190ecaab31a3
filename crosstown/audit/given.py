"""What the access log comes to: who was given how much under which agreement, and who got a record.

Pure. All of it is "at most": a delivery is written down before its bytes go out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from crosstown.audit.link import Said


@dataclass(frozen=True, slots=True)
class Given:
    """What one agency was given under one agreement by one way; times are microseconds UTC."""

    agreement: str
    agency: str
    way: str
    purpose: str
    deliveries: int
    messages: int
    first: int
    last: int
    since: int
    until: int

    def with_another(self, said: Said) -> Given:
        """The same with one delivery more, which is later in its chain."""
        newer = said.at >= self.until
        return replace(
            self, purpose=said.purpose if newer else self.purpose, deliveries=self.deliveries + 1,
            messages=self.messages + said.count, first=min(self.first, said.first),
            last=max(self.last, said.last), since=min(self.since, said.at),
            until=max(self.until, said.at),
        )  # fmt: skip


def given(deliveries: Iterable[Said]) -> list[Given]:
    """All deliveries, summed by agreement, agency and way, in that order."""
    found: dict[tuple[str, str, str], Given] = {}
    for said in deliveries:
        at = (said.agreement, said.agency, said.way)
        before = found.get(at)
        found[at] = (before.with_another(said) if before else
                     Given(*at, said.purpose, 1, said.count, said.first, said.last, said.at, said.at))  # fmt: skip
    return [one for _, one in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class InFeed:
    """What one feed has said of a record: the numbers of its messages, as far as they are known.

    `reaches` is the least number that still lies in the feed: what was said before it is known only
    where it is the last word. `gone`: the last word is that it's gone.
    """

    numbers: tuple[int, ...]
    reaches: int
    gone: bool

    def within(self, first: int, last: int) -> bool:
        """Whether a message of the record has one of these numbers."""
        at = bisect_left(self.numbers, first)
        return at < len(self.numbers) and self.numbers[at] <= last

    def perhaps(self, first: int) -> bool:
        """Whether one may have been among numbers that the feed no longer reaches back to."""
        return first < min(self.reaches, self.numbers[0])


class Received(NamedTuple):
    """That a record was among what an agency was given; `sure` False: it may have been."""

    sure: bool
    given: Given


def received(
    deliveries: Iterable[Said], feeds: Mapping[str, InFeed], since: int
) -> Iterator[Received]:
    """Who was given a record, by agreement, agency and way; first what is sure.

    `feeds` are those that said something of it, by agreement; `since` is when it was first known.
    """
    sure: list[Said] = []
    perhaps: list[Said] = []
    for said in deliveries:
        feed = feeds.get(said.agreement)
        if feed is None:
            continue
        if feed.within(said.first, said.last):
            sure.append(said)
        elif feed.perhaps(said.first) and said.at >= since:
            perhaps.append(said)
    yield from (Received(sure=True, given=one) for one in given(sure))
    yield from (Received(sure=False, given=one) for one in given(perhaps))
