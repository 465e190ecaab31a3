"""Who comes in: the agency whose key came along with a request."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from crosstown.errors import Stop
from crosstown.gateway.keys import Keys, who
from crosstown.gateway.problems import come_back, unauthorized


class Entry:
    """The gateway's door; `declared` says whether an agency takes part (still)."""

    def __init__(self, keys: Callable[[], Keys], declared: Callable[[str], bool]) -> None:
        self._keys, self._declared = keys, declared

    def agency(self, request: web.Request) -> str:
        """Whose key came along; `Problem` 401 where it's nobody's, 503 where that can't be said."""
        said = key_in(request)
        try:
            agency = self.whose(said)
        except Stop:
            raise come_back(503, "not-ready", "the keys can't be read now", 5) from None
        if not agency:
            raise unauthorized(said=bool(said))
        return agency

    def whose(self, said: str) -> str:
        """The agency that a key is of, now; empty: nobody's. `Stop` where the keys can't be read."""
        agency = who(self._keys(), said, time.time_ns() // 1000)
        return agency if agency and self._declared(agency) else ""


def key_in(request: web.Request) -> str:
    """The key that a request shows; empty where it shows none."""
    scheme, _, said = request.headers.get("Authorization", "").partition(" ")
    return said.strip() if scheme.lower() == "bearer" else ""
