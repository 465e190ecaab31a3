"""What the gateway serves of feeds: who may read which, what comes next in it, until when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.following import Following
from crosstown.agreements.words import Standing
from crosstown.errors import Stop
from crosstown.gateway.entry import Entry
from crosstown.gateway.feeds.feed import Feed, Message
from crosstown.gateway.feeds.lines import Lines
from crosstown.gateway.feeds.noting import Access, Noting
from crosstown.gateway.feeds.past import Past
from crosstown.gateway.feeds.tails import Tails
from crosstown.gateway.problems import Problem, come_back

WAY: Final = "http"
CHUNK: Final = 1_000
"""Messages that are noted, opened and sent in one go, at most."""
CHUNK_BYTES: Final = 500_000
"""Their bytes, at most; one message may have more."""
AT_ONCE: Final = 100
"""Requests of one agency that read feeds at one time, streams among them."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether all who read still may."""
HEARS: Final = 0.5
"""Seconds in which a client hears why its stream ends, before it's cut."""
OPENS: Final = 10.0
"""Seconds in which a feed's end must be found."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Why nothing more is given to a reader: a word for programs, a sentence, what to do."""

    word: str
    why: str
    mend: str = ""

    def problem(self) -> Problem:
        """The same as the answer to a request."""
        return Problem(403 if self.word != "key-ended" else 401, self.word, self.why, self.mend)


@dataclass(eq=False, slots=True)
class Reader:
    """One request that reads a feed, from its first byte to its last."""

    agency: str
    key: str
    agreement: str
    terms: str
    feed: Feed
    cut: Callable[[], None]
    """Hang up on it, whatever is still under way."""
    ended_at: float = 0.0


class Serving:
    """All feeds that are read here, and whether they may be."""

    def __init__(
        self, entry: Entry, following: Following, tails: Tails, past: Past, lines: Lines, noting: Noting
    ) -> None:  # fmt: skip
        self._entry, self._following, self._tails = entry, following, tails
        self.past, self._lines, self._noting = past, lines, noting
        self._feeds: dict[str, Feed] = {}
        self._open: set[Reader] = set()
        self.closing = False

    def mine(self, agency: str) -> list[Agreement]:
        """The agreements under which an agency receives; `Problem` 503 where that isn't known yet."""
        if not self._following.ready.is_set():
            raise come_back(503, "not-ready", "what was agreed hasn't been read yet", 2)
        found = self._following.agreements.values()
        return sorted((one for one in found if one.receiver == agency), key=lambda one: one.id)

    def agreement(self, agency: str, id_: str) -> Agreement:
        """One of these; `Problem` 404 for whatever isn't this agency's, be it there or not."""
        for one in self.mine(agency):
            if one.id == id_:
                return one
        raise Problem(404, "no-such-feed", "no feed of yours has this name", "see GET /feeds")

    def standing(self, agreement: Agreement) -> Standing:
        """Where it stands now."""
        return self._following.standing(agreement, time.time_ns() // 1000)

    async def feed(self, agreement: Agreement) -> Feed:
        """Its feed, once its end has been found; `Problem` 503 where that takes too long."""
        feed = self._feeds.get(agreement.id)
        if feed is None:
            feed = self._feeds[agreement.id] = Feed(agreement.topic)
            self._tails.follow(feed)
        until = time.monotonic() + OPENS
        while not feed.at_end:
            if time.monotonic() > until:
                raise come_back(503, "not-ready", "Kafka doesn't answer", 2)
            await feed.news(until - time.monotonic())
        return feed

    def ended(self, reader: Reader) -> Ended | None:
        """Why this reader gets nothing more, if so: asked before each byte that goes out."""
        try:
            if self._entry.whose(reader.key) != reader.agency:
                return Ended(
                    "key-ended", "the key works no more", "ask for a new one: crosstown key rotate"
                )
        except Stop:
            return Ended("key-ended", "the keys can't be read now", "try again later")
        agreement = self._following.agreements.get(reader.agreement)
        if agreement is None or agreement.receiver != reader.agency:
            return Ended("no-such-feed", "this agreement is no longer there", "see GET /feeds")
        return self.not_now(agreement, reader.terms)

    def not_now(self, agreement: Agreement, terms: str = "") -> Ended | None:
        """Why an agreement gives nothing now, if so; `terms`: as they were when reading began."""
        now = self.standing(agreement)
        if not now.holds:
            mend = "see its manifest"
            if now.state in ("revoked", "expired") and agreement.delete_within_days is not None:
                mend = f"delete what you got within {agreement.delete_within_days} days; see its manifest"
            return Ended("not-in-force", f"{agreement.id} is not in force: {now.why}", mend)
        if WAY not in agreement.delivery.ways:
            return Ended("not-by-http", f"{agreement.id} isn't delivered over HTTP",
                         f"it's delivered by {', '.join(agreement.delivery.ways)}")  # fmt: skip
        if terms and terms != agreement.terms:
            return Ended(
                "terms-changed", f"{agreement.id} has other terms now", "read its manifest again"
            )
        return None

    async def next(self, reader: Reader, since: int, most: int) -> list[Message]:
        """The messages after `since`, opened, none where there are none yet.

        Raises `Unavailable` where Kafka or the registry doesn't answer.
        """
        found = reader.feed.after(since, min(most, CHUNK), CHUNK_BYTES)
        if found is None:
            found = await self.past.after(reader.feed, since, min(most, CHUNK), CHUNK_BYTES)
        loop = asyncio.get_running_loop()
        for one in found:
            if not one.line:
                if not self._lines.knows(one.value):
                    await loop.run_in_executor(None, self._lines.learn, one.value)
                one.line = self._lines.line(one.number, one.value)
        return found

    async def note(self, reader: Reader, messages: list[Message], purpose: str) -> None:
        """Note that these are about to go out; `Unavailable` where that can't be: then they don't."""
        await self._noting.note(Access(
            reader.agency, reader.agreement, purpose, WAY, messages[0].number, messages[-1].number,
            len(messages),
        ))  # fmt: skip
        metrics.feed_messages.labels(reader.agreement, WAY).inc(len(messages))

    @contextmanager
    def reading(self, reader: Reader) -> Iterator[None]:
        """It reads meanwhile; `Problem` 429 where its agency has too many that do."""
        if sum(one.agency == reader.agency for one in self._open) >= AT_ONCE:
            raise come_back(
                429, "too-many-requests", f"{AT_ONCE} requests of yours read at once", 5
            )
        self._open.add(reader)
        try:
            yield
        finally:
            self._open.discard(reader)

    async def watch(self) -> None:
        """Forever: wake whoever may read no more, and hang up on who doesn't hear it in time."""
        while True:
            now = time.monotonic()
            for one in tuple(self._open):
                if not self.ended(one):
                    one.ended_at = 0.0
                elif not one.ended_at:
                    one.ended_at = now
                    one.feed.wake()
                elif now > one.ended_at + HEARS:
                    one.cut()
            await asyncio.sleep(LOOK_EVERY)

    def wake(self) -> None:
        """Let all who wait look again, whether they still may."""
        for feed in self._feeds.values():
            feed.wake()

    def close(self) -> None:
        """End all streams; nothing is said to them, so that they come again."""
        self.closing = True
        self.wake()
