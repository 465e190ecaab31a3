"""What the gateway serves of feeds: who may read which, what comes next in it, until when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.following import Following
from crosstown.agreements.words import Standing
from crosstown.audit.access import Delivery
from crosstown.contracts.repository import Repository
from crosstown.errors import Stop
from crosstown.feeds.json_line import json_line
from crosstown.feeds.todays_form import TodaysForm
from crosstown.gateway.entry import Entry
from crosstown.gateway.feeds.feed import Feed, Message
from crosstown.gateway.feeds.manifest import manifest
from crosstown.gateway.feeds.noting import Noting
from crosstown.gateway.feeds.past import Past
from crosstown.gateway.feeds.tails import Tails
from crosstown.gateway.problems import Problem, come_back

HTTP: Final = "http"
"""The way of delivery that an agreement must name for this."""
CHUNK: Final = 1_000
"""Messages that are noted, opened and sent in one go, at most."""
CHUNK_BYTES: Final = 500_000
"""Their bytes, at most; one message may have more."""
AT_ONCE: Final = 100
"""Requests of one agency that read feeds at one time, streams among them."""
ALL_AT_ONCE: Final = 700
"""Of all agencies together: some connections stay for who publishes."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether all who read still may."""
HEARS: Final = 0.5
"""Seconds in which a client hears why its stream ends, before it's cut."""
OPENS: Final = 10.0
"""Seconds in which a feed's end must be found."""


@dataclass(eq=False, slots=True)
class Reader:
    """One request that reads a feed, from its first byte to its last."""

    agency: str
    key: str
    agreement: Agreement
    """As it was when reading began."""
    feed: Feed
    cut: Callable[[], None] = lambda: None
    """Hang up on it, whatever is still under way; before its answer has begun there is no need."""
    ended_at: float = 0.0


class Serving:
    """All feeds that are read here, and whether they may be."""

    def __init__(
        self, entry: Entry, following: Following, tails: Tails, past: Past, noting: Noting,
        schema_text: Callable[[int], str],
    ) -> None:  # fmt: skip
        self._entry, self._following, self._tails = entry, following, tails
        self._past, self._noting, self._schema_text = past, noting, schema_text
        self._feeds: dict[str, Feed] = {}
        self._forms: dict[str, tuple[Repository, TodaysForm]] = {}
        self._opening = ThreadPoolExecutor(1, "opening")
        self._open: set[Reader] = set()
        self.closing = False

    def mine(self, agency: str) -> list[tuple[Agreement, Standing]]:
        """The agreements under which an agency receives; `Unavailable` where that isn't known yet."""
        found = self._following.repository.agreements.values()
        return [(one, self._following.standing(one)) for one in found if one.receiver == agency]

    def agreement(self, agency: str, id_: str) -> Agreement:
        """One of these; `Problem` 404 for whatever isn't this agency's, be it there or not."""
        found = self._following.repository.agreements.get(id_)
        if found is None or found.receiver != agency:
            raise Problem(404, "no-such-feed", "no feed of yours has this name", "see GET /feeds")
        return found

    async def manifest(self, agreement: Agreement) -> dict[str, Any]:
        """What its receiver is told of it."""
        feed = await self.feed(agreement)
        first = await self._past.first(feed)
        kept = (first, max(feed.last, first)) if first else (0, 0)
        ground = self._following.repository
        now, schema = self._following.standing(agreement), self._form_of(agreement).schema
        return manifest(agreement, ground, now, schema, kept)

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

    def ended(self, reader: Reader) -> Problem | None:
        """Why this reader gets nothing more, if so: asked before whatever goes out."""
        try:
            if self._entry.whose(reader.key) != reader.agency:
                return Problem(401, "key-ended", "the key works no more", "ask for a new one")
            agreement = self.agreement(reader.agency, reader.agreement.id)
        except Stop:
            return come_back(503, "not-ready", "the keys can't be read now", 5)
        except Problem as problem:
            return problem
        if agreement.terms != reader.agreement.terms and self._following.standing(agreement).holds:
            return Problem(403, "terms-changed", f"{agreement.id} has other terms now",
                           "read its manifest, then go on after the last number that you have")  # fmt: skip
        return self.not_now(agreement)

    def not_now(self, agreement: Agreement) -> Problem | None:
        """Why an agreement gives nothing now over HTTP, if so."""
        now = self._following.standing(agreement)
        if not now.holds:
            mend = "see its manifest"
            if now.state in ("revoked", "expired") and agreement.delete_within_days is not None:
                mend = f"delete what you got within {agreement.delete_within_days} days; see its manifest"
            return Problem(403, "not-in-force", f"{agreement.id} is not in force: {now.why}", mend)
        if HTTP not in agreement.delivery.ways:
            ways = ", ".join(agreement.delivery.ways)
            return Problem(403, "not-by-http", f"{agreement.id} isn't delivered over HTTP",
                           f"it's delivered by {ways}")  # fmt: skip
        return None

    async def next(self, reader: Reader, since: int, most: int) -> list[Message]:
        """The messages after `since`, opened, none where there are none yet.

        Raises `Unavailable` where Kafka or the registry doesn't answer.
        """
        found = reader.feed.after(since, min(most, CHUNK), CHUNK_BYTES)
        if found is None:
            found = await self._past.after(reader.feed, since, min(most, CHUNK), CHUNK_BYTES)
        form = self._form_of(self.agreement(reader.agency, reader.agreement.id))
        if any(one.by is not form for one in found):
            async with reader.feed.opening:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._opening, _opened, found, form)
        return found

    def _form_of(self, agreement: Agreement) -> TodaysForm:
        """What opens a feed's messages as its terms and contracts are now."""
        repository = self._following.repository
        found = self._forms.get(agreement.id)
        if found is None or found[0] is not repository:
            form = TodaysForm(agreement, repository.contracts, self._schema_text)
            found = self._forms[agreement.id] = repository, form
        return found[1]

    async def note(self, reader: Reader, messages: list[Message], way: str) -> None:
        """Note that these are about to go out; `Unavailable` where that can't be: then they don't."""
        await self._noting.note(Delivery(
            reader.agency, reader.agreement.id, reader.agreement.purpose, way, messages[0].number,
            messages[-1].number, len(messages),
        ))  # fmt: skip
        metrics.gateway_messages.labels(reader.agreement.id, way).inc(len(messages))

    @contextmanager
    def reading(self, reader: Reader) -> Iterator[None]:
        """It reads meanwhile; `Problem` 429 where its agency has too many that do, 503 where all have."""
        if sum(one.agency == reader.agency for one in self._open) >= AT_ONCE:
            raise come_back(
                429, "too-many-requests", f"{AT_ONCE} requests of yours read at once", 5
            )
        if len(self._open) >= ALL_AT_ONCE:
            raise come_back(503, "busy", "too many requests read at once", 5)
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
        self._opening.shutdown(wait=False, cancel_futures=True)


def _opened(messages: list[Message], form: TodaysForm) -> None:
    """Make the lines that aren't made yet."""
    for one in messages:
        if one.by is not form:
            one.line = json_line(form.row(one.number, one.value))
            one.by = form
