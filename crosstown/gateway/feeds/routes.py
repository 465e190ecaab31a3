"""`/feeds`: which there are for an agency, what each is, and its messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.errors import CrosstownError, Refused
from crosstown.gateway.bucket import Buckets
from crosstown.gateway.entry import Entry, key_in
from crosstown.gateway.feeds.asked import asked
from crosstown.gateway.feeds.manifest import in_short, manifest
from crosstown.gateway.feeds.sending import Sending
from crosstown.gateway.feeds.serving import Reader, Serving
from crosstown.gateway.problems import Problem, answered, come_back
from crosstown.gateway.publishing import ABOUT

READS: Final = 50.0
"""Requests a second that an agency may make here, on average."""


class Feeds:
    """The handlers; `schema_text` gives the newest schema of a subject and may raise."""

    def __init__(
        self, entry: Entry, serving: Serving, schema_text: Callable[[str], str], rate: float = READS
    ) -> None:  # fmt: skip
        self._entry, self._serving, self._schema_text = entry, serving, schema_text
        self._buckets = Buckets(rate)

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [
            web.get("/feeds", self.mine, allow_head=False),
            web.get("/feeds/{id}", self.manifest, allow_head=False),
            web.get("/feeds/{id}/events", self.messages, allow_head=False),
        ]

    async def mine(self, request: web.Request) -> web.Response:
        """All feeds of the agency whose key came along."""
        agency, _ = self._begin(request)
        found = self._serving.mine(agency)
        short = [in_short(one, self._serving.standing(one)) for one in found]
        return answered(200, {"agency": agency, "feeds": short})

    async def manifest(self, request: web.Request) -> web.Response:
        """One of them: its terms, where it stands, what is in it."""
        agency, about = self._begin(request)
        agreement = self._serving.agreement(agency, request.match_info["id"])
        about["feed"] = agreement.id
        feed = await self._serving.feed(agreement)
        loop = asyncio.get_running_loop()
        try:
            first = await self._serving.past.first(feed)
            schema = await loop.run_in_executor(None, self._schema, agreement)
        except CrosstownError:
            raise come_back(503, "not-ready", "Kafka or the registry doesn't answer", 2) from None
        now = self._serving.standing(agreement)
        last = max(feed.last, first) if first else 0
        return answered(200, manifest(agreement, now, schema, first, last))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Its messages: as lines, or as a stream."""
        agency, about = self._begin(request)
        agreement = self._serving.agreement(agency, request.match_info["id"])
        about["feed"] = agreement.id
        try:
            wanted = asked(request.query.items(), request.headers)
        except Refused as error:
            raise Problem.of(error) from None
        ended = self._serving.not_now(agreement)
        if ended is not None:
            raise ended.problem()
        feed = await self._serving.feed(agreement)
        if feed.last and wanted.since > feed.last:
            raise Problem(400, "number-ahead", f"the last number is {feed.last}",
                          "go on with the last number that you have got")  # fmt: skip
        reader = Reader(agency, key_in(request), agreement.id, agreement.terms, feed,
                        lambda: _cut(request))  # fmt: skip
        sending = Sending(self._serving, reader, request, agreement.purpose)
        try:
            with self._serving.reading(reader):
                if not wanted.stream:
                    return await sending.lines(wanted)
                with metrics.feed_streams.labels(agreement.id).track_inprogress():
                    return await sending.stream(wanted)
        finally:
            about |= {"first": sending.first, "last": sending.last, "count": sending.sent}
            self._buckets.take(agency, sending.sent // 1_000, time.monotonic())

    def _begin(self, request: web.Request) -> tuple[str, dict[str, Any]]:
        """Whose request it is, and what its line in the log says; `Problem` 401, 429."""
        about: dict[str, Any] = {}
        request[ABOUT] = about
        agency = about["agency"] = self._entry.agency(request)
        now = time.monotonic()
        wait = self._buckets.wait(agency, now)
        if wait:
            raise come_back(429, "too-many-requests", "more requests than agreed a second", wait)
        self._buckets.take(agency, 1, now)
        return agency, about

    def _schema(self, agreement: Agreement) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._schema_text(f"{agreement.topic}-value"))
        except Refused:
            return None
        return found


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
