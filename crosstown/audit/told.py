"""What feeds have said of some things, by the names that these have under each agreement.

Read from `delivered`, which keeps the last word of each feed on each thing, and from the feeds as far
as they reach back. A name is 32 hex digits that stand as they are in a message's bytes, so no schema
is needed, and terms that have changed since make no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from crosstown import kafka
from crosstown.audit.given import InFeed
from crosstown.feeds.names import Names
from crosstown.feeds.told_before import ToldBefore, told_before
from crosstown.home import Endpoints
from crosstown.settings import Settings
from crosstown.sweep import messages

_NAME: Final = re.compile(rb"(?=([0-9a-f]{32}))")


def in_feeds(
    settings: Settings, endpoints: Endpoints, names_of: Callable[[Names], Collection[str]],
    secret: bytes, agreements: Collection[str],
) -> dict[str, InFeed]:  # fmt: skip
    """What the feed of each agreement has said of things, by agreement; nothing of one that hasn't.

    `names_of` gives the things' names under an agreement, `agreements` those that there are now; the
    feeds of others are looked through as long as `delivered` knows them.
    """
    last: dict[str, dict[str, ToldBefore]] = {}
    names: dict[str, frozenset[str]] = {}
    for told in told_before(settings, endpoints):
        if told.agreement not in names:
            names[told.agreement] = frozenset(names_of(Names.under(secret, told.agreement)))
        if told.thing in names[told.agreement]:
            last.setdefault(told.agreement, {})[told.thing] = told
    found = {}
    for agreement in sorted({*agreements, *names}):
        ours = names.get(agreement) or frozenset(names_of(Names.under(secret, agreement)))
        words = last.get(agreement, {}).values()
        numbers, reaches = _seen(settings, endpoints, f"feed.{agreement}", ours)
        numbers |= {told.number for told in words}
        if numbers:
            gone = bool(words) and not any(told.digest for told in words)
            found[agreement] = InFeed(tuple(sorted(numbers)), reaches or max(numbers), gone)
    return found


def _seen(
    settings: Settings, endpoints: Endpoints, topic: str, names: frozenset[str]
) -> tuple[set[int], int]:
    """The numbers of a feed's messages in which a name stands, and the least number that is there."""
    numbers, reaches = set(), 0
    wanted = {name.encode() for name in names}
    for one in numbered(settings, endpoints, topic):
        reaches = reaches or one.number
        if not wanted.isdisjoint(_NAME.findall(one.value)):
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
