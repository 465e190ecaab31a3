"""`POST /events`: from a request to events in Kafka, and an answer that says which."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from crosstown import metrics
from crosstown.bucket import Buckets
from crosstown.contracts.checked import Checked
from crosstown.errors import Refused
from crosstown.event.cloudevents import MAX_BODY, Broken, CloudEvent, events
from crosstown.gateway.delivery import Delivery, Missing, Outcome
from crosstown.gateway.entry import Entry
from crosstown.gateway.judge import Judge
from crosstown.gateway.problems import Problem, answered, come_back
from crosstown.gateway.verdict import AGAIN, Verdict, answer
from crosstown.processing.traceparent import HEADER, parent_in
from crosstown.processing.traces import Traces

ABOUT: Final = "about"
"""Where a request notes what its line in the log says."""
BODY_SECONDS: Final = 15.0
"""In which a body must have come."""
AT_ONCE: Final = 64
"""Requests whose bodies are held at one time."""
OF_ONE: Final = 16
"""As many of them may be one agency's."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One event with what was found: either may be sent, or a verdict."""

    id: str
    source: str
    checked: Checked | None
    verdict: Verdict | None


class Contracts:
    """The judge by the contracts as they are in the files, on one thread."""

    def __init__(self, first: Judge, again: Callable[[], Judge | None]) -> None:
        self._judge, self._again = first, again
        self._latest = 0

    def declared(self, agency: str) -> bool:
        """Whether this agency takes part (still)."""
        return self._judge.contracts.agencies.declared(agency)

    def judge(self, agency: str, pushed: list[CloudEvent | Broken]) -> list[Judged]:
        """What is found of each; contracts that have changed are read before one is refused."""
        found = [self._one(agency, one) for one in pushed]
        if any(one.verdict is not None for one in found):
            newer = self._again()
            if newer is not None:
                self._judge = newer
                found = [self._one(agency, one) for one in pushed]
        return found

    def _one(self, agency: str, pushed: CloudEvent | Broken) -> Judged:
        if isinstance(pushed, Broken):
            refused = Verdict.refused(pushed.id, pushed.source, pushed.why)
            return Judged(pushed.id, pushed.source, None, refused)
        try:
            checked = self._judge.judge(agency, pushed, self._now())
        except Refused as error:
            refused = Verdict.refused(pushed.id, pushed.source, error)
            return Judged(pushed.id, pushed.source, None, refused)
        return Judged(pushed.id, pushed.source, checked, None)

    def _now(self) -> int:
        """The time of receipt, microseconds UTC; always later: of two sayings the second counts."""
        self._latest = max(self._latest + 1, time.time_ns() // 1000)
        return self._latest


class Publishing:
    """Takes events from whoever has an agency's key."""

    def __init__(
        self, contracts: Contracts, entry: Entry, delivery: Delivery, rate: float,
        traces: Traces | None = None,
    ) -> None:  # fmt: skip
        self._traces = traces
        self._contracts, self._entry, self._delivery = contracts, entry, delivery
        self._buckets = Buckets(rate)
        self._judging = ThreadPoolExecutor(1, "judge")
        self._reading: Counter[str] = Counter()

    async def post(self, request: web.Request) -> web.Response:
        """The answer to one request; `Problem` where it's refused as a whole."""
        about: dict[str, Any] = {}
        request[ABOUT] = about
        agency = about["agency"] = self._entry.agency(request)
        wait = self._buckets.wait(agency, time.monotonic())
        if wait:
            raise come_back(429, "too-many-requests", "more events than agreed a second", wait)
        if self._reading[agency] >= OF_ONE:
            raise come_back(429, "too-many-requests", f"{OF_ONE} requests of yours at once", 1)
        if self._reading.total() >= AT_ONCE:
            raise come_back(503, "busy", "too many requests at once", 1)
        self._buckets.take(agency, 1, time.monotonic())  # its body may never come
        self._reading[agency] += 1
        try:
            return await self._traced(request, agency, about)
        finally:
            self._reading[agency] -= 1

    async def _traced(
        self, request: web.Request, agency: str, about: dict[str, Any]
    ) -> web.Response:
        """Publish under a span: of the sender's trace, or of one that begins here."""
        if self._traces is None:
            return await self._publish(request, agency, about, ())
        parent = parent_in(request.headers.getall(HEADER, []))
        span = self._traces.begin("POST /events", parent, agency=agency)
        headers = () if span is None else (span.header,)
        status = 500
        try:
            response = await self._publish(request, agency, about, headers)
            status = response.status
        except Problem as problem:
            status = problem.status
            raise
        finally:
            if span is not None:
                span.end(status=status)
        return response

    async def _publish(
        self, request: web.Request, agency: str, about: dict[str, Any],
        headers: Sequence[tuple[str, bytes]],
    ) -> web.Response:  # fmt: skip
        body = await _body(request)
        about["bytes"] = len(body)
        try:
            loop = asyncio.get_running_loop()
            said = list(request.headers.items())
            judged = await loop.run_in_executor(
                self._judging, lambda: self._contracts.judge(agency, events(said, body))
            )
        except Refused as error:
            about["reason"] = error.reason
            raise Problem.of(error) from None
        self._buckets.take(agency, max(0, len(judged) - 1), time.monotonic())
        good = [one.checked for one in judged if one.checked is not None]
        outcomes = iter(await self._delivery.send(good, headers) if good else ())
        verdicts = [
            one.verdict if one.checked is None or one.verdict is not None
            else _sent(one, one.checked, next(outcomes))
            for one in judged
        ]  # fmt: skip
        return self._answered(agency, about, judged, [v for v in verdicts if v is not None])

    def _answered(
        self, agency: str, about: dict[str, Any], judged: list[Judged], verdicts: list[Verdict]
    ) -> web.Response:
        for became, n in Counter(one.status for one in verdicts).items():
            metrics.gateway_events.labels(agency, str(became)).inc(n)
        about["events"] = len(verdicts)
        about["contracts"] = Counter(one.checked.contract.id for one in judged if one.checked)
        about["refused"] = Counter(one.reason for one in verdicts if one.reason)
        status, said = answer(verdicts)
        return answered(status, said, {"Retry-After": "2"} if status == AGAIN else None)

    def close(self) -> None:
        """Judge no more."""
        if self._traces is not None:
            self._traces.close()
        self._judging.shutdown(wait=False, cancel_futures=True)


def _sent(one: Judged, checked: Checked, outcome: Outcome) -> Verdict:
    event_id = checked.envelope.event_id
    if isinstance(outcome, Missing):
        reason = "outcome-unknown" if outcome.sent else "not-sent"
        return Verdict.again(one.id, one.source, event_id, reason, outcome.why)
    return Verdict(one.id, one.source, event_id, outcome)


async def _body(request: web.Request) -> bytes:
    """The whole body; `Problem` where it's too large, compressed, or comes too slowly."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem.of(Refused("content-encoding", "a compressed body isn't read here",
                                 mend="send it as it is"))  # fmt: skip
    too_large = Problem.of(Refused("body-too-large", f"at most {MAX_BODY:,} bytes",
                                   mend="send several batches"))  # fmt: skip
    if (request.content_length or 0) > MAX_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise too_large
    except TimeoutError:
        raise Problem(408, "too-slow", f"the body didn't come within {BODY_SECONDS:.0f} s",
                      "send smaller batches", Connection="close") from None  # fmt: skip
    return bytes(body)
