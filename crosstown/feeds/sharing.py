"""All feeds from all that was said: what is to be told to whom, no more and nothing twice. Pure.

A fold over the messages of `accepted`, the parties' words and what was delivered before, in any order;
then `outputs` gives what is wanted and not yet told. Neither clock nor Kafka: time is an argument.

    terms(...)      which agreements there are
    delivered(...)  what was told before
    say(...)        one message of `accepted`; word(...): one of `agreements`
    outputs(now)    what is to be told now
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.rules import filter_of
from crosstown.agreements.words import Word
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import RESERVED, Erasures
from crosstown.event.envelope import content_of, read_long, read_prefix
from crosstown.feeds import form
from crosstown.feeds.body_form import Schema
from crosstown.feeds.counting import Counting, Version, Versions, counting, event_of, record_of
from crosstown.feeds.cover import Cover
from crosstown.feeds.events import Events
from crosstown.feeds.feed import Content, Feed, Told
from crosstown.feeds.lanes import Lanes
from crosstown.feeds.look import Bodies, Look
from crosstown.feeds.names import Names
from crosstown.feeds.projection import Projection
from crosstown.feeds.timelines import Timelines

LOOKS: Final = 20_000
"""So many events are kept open between being taken in and being told."""


class Covered(NamedTuple):
    """One event that goes out under an agreement; `thing` is under which name its feed tells of it."""

    agreement: Agreement
    look: Look
    thing: str


class Sharing:
    """All feeds of one installation.

    `secret` is the installation's, for names; `window` how far apart two events of a concern may be;
    `schema_text` gives a schema by its id and may raise `Unavailable`: then call again.
    """

    def __init__(
        self, repository: Repository, secret: bytes, erasures: Erasures,
        window: Callable[[str], int], schema_text: Callable[[int], str],
    ) -> None:  # fmt: skip
        self._repository = repository
        self._secret = secret
        self._erasures = erasures
        self._window = window
        self._bodies = Bodies(repository.contracts, schema_text)
        self._counting = Counting()
        self._lanes = Lanes()
        self._feeds: dict[str, Feed] = {}
        self._words: dict[str, dict[bytes, Word]] = {}
        self._dirty: dict[bytes, None] = {}
        self._leaving: set[bytes] = set()
        self._heard: set[str] = set()
        self._looks: dict[bytes, tuple[Look, ...]] = {}

    @property
    def unreadable(self) -> int:
        """How many bodies couldn't be opened with today's contract; they go out without payload."""
        return self._bodies.unreadable

    def terms(self, agreements: Sequence[Agreement]) -> None:
        """Which agreements there are, and what they say now.

        Bodies on contracts that none covered before aren't here: then begin anew.
        """
        before, self._feeds = self._feeds, {}
        for one in agreements:
            self._feeds[one.id] = feed = self._feed(one)
            if one.id in before:
                feed.take_over(before[one.id])
        self._lanes.lead_to(list(self._feeds.values()))

    def schema(self, agreement: str) -> Schema:
        """The Avro schema of a feed's values."""
        return form.form(self._feeds[agreement].agreement, self._repository.contracts)

    def word(self, word: Word) -> None:
        """Take in what a party said; twice is once."""
        self._words.setdefault(word.agreement, {})[word.key] = word
        if word.agreement in self._feeds:
            self._feeds[word.agreement].words_changed()

    def delivered(self, agreement: str, thing: str, number: int, digest: bytes) -> None:
        """Take in what was told before; of agreements that are no more nothing is kept."""
        if agreement in self._feeds:
            self._feeds[agreement].delivered(thing, number, digest)

    def say(self, contract: str, key: bytes, value: bytes | None) -> None:
        """Take in one message of `accepted`: its key, and its body without the frame; None: a tombstone.

        `contract` is that of its payload's schema, empty where there is none. Raises what broken bytes
        make it raise, and then has taken in nothing.
        """
        if value is None:
            self._forget(event_of(key))
            return
        fields, end = read_prefix(value)
        kind = fields["type"]
        if kind.startswith(RESERVED):
            heard = self._erasures.say(fields, content_of(key), read_long(value, end)[0])
            if heard.erases or heard.restores:
                self._heard.add(heard.hashed)
            return
        lane = self._lanes.of(contract, fields["agency"], fields["jurisdiction"], kind)
        event = self._counting.say(key, lane, value, end)
        if event is not None:
            self._dirty[event] = None
        if self._leaving:
            self._leaving.discard(event_of(key))

    def outputs(self, now: int) -> Iterator[Told]:
        """What is to be told now, microseconds UTC; what was given out counts as told.

        May be left at any message and called again: it goes on where it was.
        """
        self._look_for_erased()
        begun = [feed for feed in self._feeds.values() if feed.stand(self._said_of(feed), now)]
        if begun:
            lanes = self._lanes.leading_to(begun)
            self._dirty.update(
                (event, None) for event, versions in self._counting.events.items()
                if any(one.lane in lanes for one in versions)
            )  # fmt: skip
        self._take_in()
        for feed in self._feeds.values():
            if feed.holds:
                yield from feed.changes(self._look_at)
        self._looks.clear()

    def covered(self) -> Iterator[Covered]:
        """Every event that goes out under an agreement now; after `outputs` was read to its end."""
        for event in self._counting.events:
            for look in self._look(event):
                for feed in look.version.lane.feeds:
                    if feed.holds and not look.version.lane.link and feed.cover.covers(look):
                        yield Covered(feed.agreement, look, feed.content.thing(look))

    def _feed(self, agreement: Agreement) -> Feed:
        names = Names.under(self._secret, agreement.id)
        wanted = filter_of(agreement, self._repository)
        cover = Cover(agreement, self._repository.agencies, wanted)
        how = Projection(agreement, self._repository.contracts)
        content: Content = (
            Timelines(agreement, cover, names, how, self._window)
            if agreement.gives == "timelines" else Events(agreement, cover, names, how)
        )  # fmt: skip
        return Feed(agreement, cover, names, content)

    def _said_of(self, feed: Feed) -> Sequence[Word]:
        return tuple(self._words.get(feed.agreement.id, {}).values())

    def _take_in(self) -> None:
        """Hand each event that changed to the feeds that may want it."""
        while self._dirty:
            event = next(iter(self._dirty))
            versions = self._counting.events.get(event, ())
            if any(one.lane.feeds for one in versions):
                looks = () if event in self._leaving else self._look(event)
                for feed in _concerned(versions, looks):
                    if feed.holds:
                        feed.content.consider(event, looks)
                if len(self._looks) < LOOKS:
                    self._looks[event] = looks
            del self._dirty[event]
        for event in self._leaving:
            self._counting.forget(event)
        self._leaving.clear()

    def _look_at(self, event: bytes) -> Sequence[Look]:
        found = self._looks.get(event)
        return self._look(event) if found is None else found

    def _look(self, event: bytes) -> tuple[Look, ...]:
        """What counts of an event in each jurisdiction, less what mustn't go out to anybody."""
        found = []
        for version in counting(self._counting.events.get(event, ())):
            if version.body is not None:
                look = Look(version, version.body, self._bodies)
                withdrawn = look.fields["step"] == "WITHDRAWN"
                if not withdrawn and not self._erasures.concerns(look.fields):
                    found.append(look)
        return tuple(found)

    def _look_for_erased(self) -> None:
        """Events of the records that somebody had erased, or restored, since the last call."""
        if not self._heard:
            return
        seen: dict[str, bool] = {}
        for event, versions in self._counting.events.items():
            for record in chain.from_iterable(map(_records, versions)):
                if record not in seen:
                    seen[record] = self._erasures.key.name(record) in self._heard
                if seen[record]:
                    self._dirty[event] = None
        self._heard.clear()

    def _forget(self, event: bytes) -> None:
        """A tombstone: the bytes of an erased record's event are gone from the log."""
        bodies = [one.body for one in self._counting.events.get(event, ()) if one.body is not None]
        if all(self._erasures.concerns(read_prefix(body)[0]) for body in bodies):
            self._leaving.add(event)
            self._dirty[event] = None


def _concerned(versions: Versions, looks: Sequence[Look]) -> Iterable[Feed]:
    """The feeds that may cover an event now, or may have covered it.

    Where only one thing was ever said of it, whoever covered it covers it still.
    """
    if len(versions) == 1:
        lane = versions[0].lane
        return lane.may_cover(looks[0].fields) if looks else lane.feeds
    return {id(feed): feed for one in versions for feed in one.lane.feeds}.values()


def _records(version: Version) -> Sequence[str]:
    """The records of which an erasure would take this version away."""
    if version.body is None:
        return ()
    if version.lane.link:
        refs: Sequence[str] = read_prefix(version.body)[0]["refs"]
        return refs
    return (record_of(version.body),)
