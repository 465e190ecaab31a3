"""The gateway's routes: publishing, feeds, what it serves, whether it lives."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from crosstown import metrics
from crosstown.gateway import openapi
from crosstown.gateway.feeds.routes import Feeds
from crosstown.gateway.problems import Problem, answered, of_http
from crosstown.gateway.publishing import ABOUT, Publishing

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def application(
    publishing: Publishing, feeds: Feeds, not_ready: Callable[[], str]
) -> web.Application:
    """All routes; `not_ready` says why nothing could be published now, empty where it could."""

    async def livez(_request: web.Request) -> web.Response:
        return answered(200, {"alive": True})

    async def readyz(_request: web.Request) -> web.Response:
        why = not_ready()
        if why:
            raise Problem(503, "not-ready", why, "see crosstown status", Retry_After="2")
        return answered(200, {"ready": True})

    async def described(_request: web.Request) -> web.Response:
        return answered(200, openapi.document())

    app = web.Application(middlewares=[_every_request])
    app.add_routes([
        web.post("/events", publishing.post),
        *feeds.routes(),
        web.get("/openapi.json", described),
        web.get("/livez", livez),
        web.get("/readyz", readyz),
    ])  # fmt: skip
    return app


@web.middleware
async def _every_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request: a problem where something is wrong, a count, one line in the log."""
    began = time.monotonic()
    try:
        response = await handler(request)
    except Problem as error:
        response = error.response()
    except web.HTTPException as error:
        response = of_http(error).response()
    except ConnectionError:
        raise
    except Exception:
        log.exception("a request failed: a fault of ours")
        response = Problem(500, "fault", "a fault of ours; it stands in the gateway's log",
                           "send it again: the same event said twice is one event").response()  # fmt: skip
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "elsewhere"
    metrics.gateway_requests.labels(route, str(response.status)).inc()
    if ABOUT in request or response.status >= 500:
        _note(request, route, response.status, began)
    return response


def _note(request: web.Request, route: str, status: int, began: float) -> None:
    """One line a request: who, which contracts, how many, what came of it; nothing of what was said."""
    about: dict[str, Any] = {
        "from": request.remote,
        "method": request.method if request.method in METHODS else "other",
        "route": route,
        "status": status,
        "ms": round((time.monotonic() - began) * 1000),
    }
    for name, value in request.get(ABOUT, {}).items():
        about[name] = dict(value) if isinstance(value, Counter) else value
    log.info("%s", json.dumps(about))
