"""What feeds have said of some things, by the names that these have under each agreement.

Read from `delivered`, which keeps the last word of each feed on each thing, and from the feeds as far
as they reach back. A name is 32 hex digits that stand as they are in a message's bytes, so no schema
is needed, and terms that have changed since make no difference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from crosstown.audit.given import InFeed
from crosstown.backbone import kafka
from crosstown.backbone.sweep import messages
from crosstown.event.envelope import text_bytes
from crosstown.feeds.names import Names
from crosstown.feeds.told_before import ToldBefore, told_before
from crosstown.home import Endpoints
from crosstown.settings import Settings

_NAME: Final = re.compile(rb"(?=([0-9a-f]{32}))")


class Sought(NamedTuple):
    """What is looked for: a record, its events, and the cases that it may be in, by their ids."""

    record: str
    events: frozenset[str]
    cases: frozenset[str]

    def things(self, names: Names) -> frozenset[str]:
        """The names of what a feed speaks about: events and cases."""
        return frozenset([*map(names.event, self.events), *map(names.case, self.cases)])


def in_feeds(
    settings: Settings, endpoints: Endpoints, sought: Sought, secret: bytes,
    agreements: Collection[str],
) -> dict[str, InFeed]:  # fmt: skip
    """What the feed of each agreement has said of a record, by agreement; nothing of one that hasn't.

    `agreements` are those that there are now; the feeds of others are looked through as long as
    `delivered` knows them. A record that nothing is known of any more is still found by its own name.
    """
    last: dict[str, dict[str, ToldBefore]] = {}
    names = {one: Names.under(secret, one) for one in agreements}
    things = {one: sought.things(names[one]) for one in names}
    for told in told_before(settings, endpoints):
        if told.agreement not in names:
            names[told.agreement] = Names.under(secret, told.agreement)
            things[told.agreement] = sought.things(names[told.agreement])
        if told.thing in things[told.agreement]:
            last.setdefault(told.agreement, {})[told.thing] = told
    found = {}
    for agreement in sorted(names):
        words = last.get(agreement, {}).values()
        ours = things[agreement] | {names[agreement].record(sought.record)}
        numbers, reaches = _seen(settings, endpoints, f"feed.{agreement}", ours, sought.record)
        numbers |= {told.number for told in words}
        if numbers:
            gone = bool(words) and not any(told.digest for told in words)
            found[agreement] = InFeed(tuple(sorted(numbers)), reaches or max(numbers), gone)
    return found


def _seen(
    settings: Settings, endpoints: Endpoints, topic: str, names: frozenset[str], record: str
) -> tuple[set[int], int]:
    """The numbers of a feed's messages that name any of these, and the least number that is there."""
    numbers, reaches = set(), 0
    wanted = {name.encode() for name in names}
    plain = text_bytes(record)  # with its length before it: no other record only begins so
    for one in numbered(settings, endpoints, topic):
        reaches = reaches or one.number
        if plain in one.value or not wanted.isdisjoint(_NAME.findall(one.value)):
            numbers.add(one.number)
    return numbers, reaches


class Numbered(NamedTuple):
    """A message of a feed."""

    number: int
    offset: int
    value: bytes


def numbered(settings: Settings, endpoints: Endpoints, topic: str) -> Iterator[Numbered]:
    """All that lies in a feed; nothing where there is no such topic."""
    for message in _messages(settings, endpoints, topic):
        key = message.key() or b""
        if key.isdigit() and len(key) < 20:
            yield Numbered(int(key), message.offset(), message.value() or b"")


def _messages(settings: Settings, endpoints: Endpoints, topic: str) -> Iterator[Any]:
    admin = kafka.wait_for_broker(settings, endpoints, 10)
    if topic in admin.list_topics(timeout=10).topics:
        yield from messages(settings, endpoints, topic, 0)
