"""`/feeds`: which there are for an agency, what each is, and its messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from crosstown import metrics
from crosstown.bucket import Buckets
from crosstown.errors import Refused, Unavailable
from crosstown.gateway.entry import Entry, key_in
from crosstown.gateway.feeds.asked import Asked, asked
from crosstown.gateway.feeds.manifest import in_short
from crosstown.gateway.feeds.sending import Sending
from crosstown.gateway.feeds.serving import Reader, Serving
from crosstown.gateway.problems import Problem, answered, come_back
from crosstown.gateway.publishing import ABOUT

READS: Final = 50.0
"""Requests a second that an agency may make here, on average."""


class Feeds:
    """The handlers."""

    def __init__(self, entry: Entry, serving: Serving, rate: float = READS) -> None:
        self._entry, self._serving = entry, serving
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
        with _may_be_away():
            found = [in_short(*one) for one in self._serving.mine(agency)]
        return answered(200, {"agency": agency, "feeds": found})

    async def manifest(self, request: web.Request) -> web.Response:
        """One of them: its terms, where it stands, what is in it."""
        agency, about = self._begin(request)
        with _may_be_away():
            agreement = self._serving.agreement(agency, request.match_info["id"])
            about["feed"] = agreement.id
            return answered(200, await self._serving.manifest(agreement))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Its messages: as lines, or as a stream."""
        agency, about = self._begin(request)
        with _may_be_away():
            agreement = self._serving.agreement(agency, request.match_info["id"])
            about["feed"] = agreement.id
            wanted = _asked(request)
            ended = self._serving.not_now(agreement)
            if ended is not None:
                raise ended
            feed = await self._serving.feed(agreement)
        if feed.last and wanted.since > feed.last:
            raise Problem(400, "number-ahead", f"the last number is {feed.last}",
                          "go on after the last number that you have")  # fmt: skip
        reader = Reader(agency, key_in(request), agreement, feed)
        sending = Sending(self._serving, reader, request, wanted)
        try:
            with self._serving.reading(reader):
                if not wanted.stream:
                    return await sending.lines()
                with metrics.gateway_streams.labels(agreement.id).track_inprogress():
                    return await sending.stream()
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


def _asked(request: web.Request) -> Asked:
    try:
        return asked(request.query.items(), request.headers)
    except Refused as error:
        raise Problem.of(error) from None


@contextmanager
def _may_be_away() -> Iterator[None]:
    """What is needed and isn't there now is a 503."""
    try:
        yield
    except Unavailable as error:
        raise come_back(503, "not-ready", str(error), 2) from None
