"""What is wrong with a request as a whole, said as RFC 9457 has it; never a stack trace."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from aiohttp import web

from crosstown.errors import Refused
from crosstown.gateway.verdict import problem

MEDIA: Final = "application/problem+json"
_STATUS: Final = {"content-type": 415, "content-encoding": 415, "body-too-large": 413,
                  "too-many-events": 413}  # fmt: skip
"""By reason; a request that can't be read for another reason is 400."""


class Problem(Exception):
    """A request that gets no further; `more` are headers of the answer."""

    def __init__(
        self, status: int, word: str, detail: str, mend: str = "", **more: str
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status, self.word, self.detail, self.mend, self.more = status, word, detail, mend, more

    @classmethod
    def of(cls, refused: Refused) -> Problem:
        """The answer to a request that can't be read."""
        status = _STATUS.get(refused.reason, 400)
        return cls(status, refused.reason, refused.detail, refused.mend)

    def response(self) -> web.Response:
        """What the client gets."""
        title = self.word.replace("-", " ")
        body = problem(self.status, self.word, title, self.detail, self.mend)
        headers = {name.replace("_", "-"): value for name, value in self.more.items()}
        return answered(self.status, body, headers)


def answered(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON answer; a problem where the status says so. No cache keeps it."""
    media = MEDIA if status >= 400 else "application/json"
    text = json.dumps(body, ensure_ascii=False) + "\n"
    kept = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Server": "crosstown",
        **(headers or {}),
    }
    return web.Response(status=status, body=text.encode("utf-8", "replace"), headers=kept,
                        content_type=media)  # fmt: skip


def unauthorized(*, said: bool) -> Problem:
    """No key, or none that works: the same words for every reason, so that nothing is learned."""
    error = ', error="invalid_token"' if said else ""
    return Problem(401, "unauthorized", "no valid key was sent",
                   "send the header Authorization: Bearer KEY; crosstown key add AGENCY makes one",
                   WWW_Authenticate=f'Bearer realm="crosstown"{error}')  # fmt: skip


def come_back(status: int, word: str, detail: str, seconds: float) -> Problem:
    """Not now; `seconds` until it's worth a try."""
    return Problem(status, word, detail, "wait as Retry-After says, then send it again",
                   Retry_After=str(max(1, math.ceil(seconds))))  # fmt: skip


def of_http(error: web.HTTPException) -> Problem:
    """What aiohttp itself says no to: an unknown path, a method that isn't served."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(405, "method-not-allowed", f"{error.method} isn't served here",
                       f"use {allowed}", Allow=allowed)  # fmt: skip
    if error.status == 404:
        return Problem(404, "not-found", "nothing is served here", "see /openapi.json")
    return Problem(error.status, "bad-request", error.reason)
