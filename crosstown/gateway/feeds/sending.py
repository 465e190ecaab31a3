"""Feeds' messages onto the wire: lines that end, or a stream that doesn't, to fast and slow clients."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

from aiohttp import web

from crosstown.errors import Refused, Unavailable
from crosstown.gateway.feeds.asked import STREAM, Asked
from crosstown.gateway.feeds.feed import Message
from crosstown.gateway.feeds.serving import CHUNK, Reader, Serving
from crosstown.gateway.problems import Problem, come_back

LINES: Final = "application/x-ndjson"
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a stream says that it's still there."""
SLOW: Final = 20.0
"""Seconds in which a client must have taken what was sent; it's cut, and comes again where it was."""
PIECE: Final = 60_000
"""Bytes that are written at once; a client that takes none costs no more than a few of these."""
RETRY: Final = b"retry: 2000\n\n"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
                   "X-Accel-Buffering": "no", "Server": "crosstown"}  # fmt: skip


class Sending:
    """One answer to one reader."""

    def __init__(
        self, serving: Serving, reader: Reader, request: web.Request, asked: Asked
    ) -> None:  # fmt: skip
        self._serving, self._reader, self._request = serving, reader, request
        self._asked = asked
        self._way = "sse" if asked.stream else "poll" if asked.wait else "http"
        self._response: web.StreamResponse | None = None
        self.first = self.last = self.sent = 0

    async def lines(self) -> web.StreamResponse:
        """The messages that are there, as lines; waits for the first if that is asked for."""
        until = time.monotonic() + self._asked.wait
        while not (found := await self._next(self._asked.since, self._asked.limit)):
            left = until - time.monotonic()
            if left <= 0 or self._serving.closing:
                break
            await self._reader.feed.news(left)
        response = await self._begin(LINES)
        try:
            while found:
                await self._send(found, line)
                left_over = self._asked.limit - self.sent
                found = await self._next(self.last, left_over) if left_over else []
        except Problem:  # its status is out; whoever reads sees that this wasn't the end
            self._cut()
        await response.write_eof()
        return response

    async def stream(self) -> web.StreamResponse:
        """The messages from there on, as server-sent events, until somebody ends it."""
        found = await self._next(self._asked.since, CHUNK)
        response = await self._begin(STREAM)
        try:
            await self._write(RETRY)
            while not self._serving.closing:
                if found:
                    await self._send(found, event)
                elif not await self._something(HEARTBEAT):
                    self._check()
                    await self._write(b":\n\n")
                found = await self._next(self.last or self._asked.since, CHUNK)
        except Problem as problem:
            if (
                problem.status < 500
            ):  # else it's over soon: no last word, so that the client comes again
                await self._write(last_word(problem))
        await response.write_eof()
        return response

    async def _something(self, seconds: float) -> bool:
        """Wait for news of the feed; False where there was none."""
        began = time.monotonic()
        await self._reader.feed.news(seconds)
        return time.monotonic() - began < seconds

    async def _next(self, since: int, most: int) -> list[Message]:
        """What goes out next, noted; none: nothing is there. `Problem` where nothing may, or can."""
        self._check()
        try:
            found = await self._serving.next(self._reader, since, most)
            if not found:
                return []
            if since and found[0].number != since + 1:
                raise gone(found[0].number)
            await self._serving.note(self._reader, found, self._way)
        except (Unavailable, Refused):
            raise come_back(503, "not-ready", "the feed can't be read or noted now", 2) from None
        self._check()
        return found

    def _check(self) -> None:
        ended = self._serving.ended(self._reader)
        if ended is not None:
            raise ended

    async def _begin(self, media: str) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={**_HEADERS, "Content-Type": f"{media}; charset=utf-8"}
        )
        response.headers["Crosstown-Last"] = str(self._reader.feed.last)
        await response.prepare(self._request)
        _end_if_dead(self._request)
        self._response, self._reader.cut = response, lambda: cut(self._request)
        return response

    async def _send(self, found: list[Message], form: Callable[[Message], bytes]) -> None:
        """Send them, some at once; `Problem` where it's ended meanwhile."""
        for some in pieces(found):
            self._check()
            await self._write(b"".join(map(form, some)))
            self.first = self.first or some[0].number
            self.last = some[-1].number
            self.sent += len(some)

    async def _write(self, data: bytes) -> None:
        """Write it; a client that doesn't take it in time is cut."""
        assert self._response is not None  # noqa: S101 - it has begun
        try:
            async with asyncio.timeout(SLOW):
                await self._response.write(data)
        except TimeoutError:
            self._cut()

    def _cut(self) -> NoReturn:
        cut(self._request)
        raise ConnectionResetError("cut")


def cut(request: web.Request) -> None:
    """Hang up, and drop what wasn't sent yet."""
    if request.transport is not None:
        request.transport.abort()


def pieces(messages: list[Message]) -> Iterator[list[Message]]:
    """What is written at once: so few that their bytes are `PIECE` at most, one at least."""
    some: list[Message] = []
    size = 0
    for one in messages:
        if some and size + len(one.line) > PIECE:
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one.line)
    if some:
        yield some


def line(message: Message) -> bytes:
    """A message as a line."""
    return message.line + b"\n"


def event(message: Message) -> bytes:
    """A message as a server-sent event, its number as the id."""
    return b"id: %d\ndata: %b\n\n" % (message.number, message.line)


def last_word(problem: Problem) -> bytes:
    """Why a stream ends, as its last event."""
    said = {"reason": problem.word, "detail": problem.detail, "mend": problem.mend}
    return b"event: ended\ndata: %b\n\n" % json.dumps(said, ensure_ascii=False).encode()


def gone(first: int) -> Problem:
    """What was asked for isn't kept any more: said, not passed over."""
    return Problem(410, "no-longer-kept", f"the next number is no longer kept; the first that is: {first}",
                   f"what came before {first} is lost to this way; go on with since={first - 1}")  # fmt: skip


def _end_if_dead(request: web.Request) -> None:
    """Have the system end a connection whose other side is gone without a word."""
    line = request.get_extra_info("socket")
    if line is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(SLOW * 1000))
