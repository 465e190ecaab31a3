"""What feeds have said of some things, by the names that these have under each agreement.

Read from `delivered`, which keeps the last word of each feed on each thing, and from the feeds as far
as they reach back. A name is 32 hex digits that stand as they are in a message's bytes, so no schema
is needed, and terms that have changed since make no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple

import fastavro

from crosstown import kafka
from crosstown.audit.given import InFeed
from crosstown.errors import Refused
from crosstown.feeds.names import Names
from crosstown.formats import DELIVERED, plain
from crosstown.home import Endpoints
from crosstown.own_values import body_of
from crosstown.settings import Settings
from crosstown.sweep import messages

TOPIC: Final = "delivered"
_SCHEMA: Final = fastavro.parse_schema(plain(DELIVERED))
_NAME: Final = re.compile(rb"(?=([0-9a-f]{32}))")


class Told(NamedTuple):
    """A feed's last word on a thing."""

    agreement: str
    thing: str
    number: int
    gone: bool


def last_words(settings: Settings, endpoints: Endpoints) -> Iterator[Told]:
    """The last word of each feed on each thing; an earlier one may come before it."""
    for message in _messages(settings, endpoints, TOPIC):
        agreement, _, thing = (message.key() or b"").decode("utf-8", "replace").partition("/")
        try:
            said: Any = fastavro.schemaless_reader(
                BytesIO(body_of(message.value())), _SCHEMA, None
            )
        except Refused:  # a tombstone, or somebody else's
            continue
        except Exception:  # noqa: BLE001, S112 - not written by the feeds
            continue
        yield Told(agreement, thing, said["number"], not said["digest"])


def in_feeds(
    settings: Settings, endpoints: Endpoints, names_of: Callable[[Names], Collection[str]],
    secret: bytes, agreements: Collection[str],
) -> dict[str, InFeed]:  # fmt: skip
    """What the feed of each agreement has said of things, by agreement; nothing of one that hasn't.

    `names_of` gives the things' names under an agreement, `agreements` those that there are now; the
    feeds of others are looked through as long as `delivered` knows them.
    """
    last: dict[str, dict[str, Told]] = {}
    names: dict[str, frozenset[str]] = {}
    for told in last_words(settings, endpoints):
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
            gone = bool(words) and all(told.gone for told in words)
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
