"""What the gateway serves, as an OpenAPI 3.1 document. Pure."""

from __future__ import annotations

from typing import Any, Final

from crosstown.event.cloudevents import BATCH, MAX_ATTRIBUTE, MAX_BODY, MAX_EVENTS, STRUCTURED
from crosstown.gateway.feeds import described

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE}
_EVENT: Final = {
    "type": "object",
    "description": "A CloudEvent 1.0 in JSON; other attributes may be there.",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {**_TEXT, "description": "The sender's own; it comes back in the answer."},
        "source": {**_TEXT, "description": "The sending system, a URI reference."},
        "type": {**_TEXT, "description": "The contract's name: events, notes, requests, ..."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string"},
        "data": {"type": "object", "description": "The contract's fields; times in ISO 8601 with a zone."},
    },
}  # fmt: skip
_COUNT: Final = {"type": "integer", "minimum": 0}
_VERDICT: Final = {
    "type": "object",
    "description": "With a receipt the event is in Kafka; else it has a reason.",
    "required": ["index", "id", "source", "status"],
    "properties": {
        "index": _COUNT,
        "id": {"type": "string"},
        "source": {"type": "string"},
        "status": {"enum": [202, 403, 422, 503]},
        "event_id": {"type": "string", "format": "uuid"},
        "receipt": {
            "type": "object",
            "required": ["topic", "partition", "offset"],
            "properties": {"topic": {"type": "string"}, "partition": _COUNT, "offset": _COUNT},
        },
        "reason": {"type": "string"},
        "field": {"type": "string"},
        "detail": {"type": "string"},
        "mend": {"type": "string"},
    },
}
_COUNTS: Final = {
    "accepted": _COUNT, "refused": _COUNT, "unknown": _COUNT,
    "events": {"type": "array", "items": {"$ref": "#/components/schemas/Verdict"}},
}  # fmt: skip
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457; the counts and events are there where events were judged.",
    "required": ["type", "title", "status", "detail", "mend"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:crosstown:problem:"},
        "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
        "mend": {"type": "string"}, **_COUNTS,
    },
}  # fmt: skip
_WHY: Final = {
    "400": "The request can't be read: no JSON, a key twice, nested too deep, no UTF-8, no event.",
    "401": "No key, or none that works.",
    "403": "The key's agency may not say this.",
    "408": "The body came too slowly.",
    "413": f"Over {MAX_BODY:,} bytes, or over {MAX_EVENTS:,} events.",
    "415": "Not JSON, or compressed.",
    "422": "Events were refused; those with a receipt went.",
    "429": "More events a second, or requests at once, than this agency may push; Retry-After says when.",
    "503": "Kafka didn't acknowledge: send all again, the same event said twice is one.",
}


def document() -> dict[str, Any]:
    """The document."""
    header = {"in": "header", "schema": _TEXT}
    binary = [{**header, "name": f"ce-{name}", "description": "In binary mode, percent-encoded."}
              for name in ("specversion", "id", "source", "type")]  # fmt: skip
    event = {"$ref": "#/components/schemas/Event"}
    batch = {"type": "array", "items": event, "maxItems": MAX_EVENTS}
    publish = {
        "operationId": "publish",
        "summary": "Publish events: CloudEvents 1.0, binary, structured or as a batch",
        "security": [{"key": []}],
        "parameters": binary,
        "requestBody": {"required": True, "content": {
            STRUCTURED: {"schema": event},
            BATCH: {"schema": batch},
            "application/json": {"schema": {"type": "object"}},
        }},
        "responses": {
            "202": {"description": "Every event is in Kafka.", "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}},
            **{status: _problem(why) for status, why in _WHY.items()},
        },
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "Crosstown gateway", "version": "1",
                 "description": "Agencies publish events over HTTPS, and read the feeds that were agreed."},
        "paths": {
            "/events": {"post": publish},
            **described.paths(_problem),
            "/livez": {"get": _looked("alive", "It answers.")},
            "/readyz": {"get": _looked("ready", "Events can be published.", "503")},
            "/openapi.json": {"get": _looked("openapi", "This document.")},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Event": _EVENT, "Verdict": _VERDICT, "Problem": _PROBLEM,
                "Answer": {"type": "object", "required": list(_COUNTS), "properties": _COUNTS},
                **described.SCHEMAS,
            },
        },
    }  # fmt: skip


def _problem(why: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": why, "content": {"application/problem+json": {"schema": schema}}}


def _looked(name: str, what: str, *problems: str) -> dict[str, Any]:
    good = {"description": what, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": name, "summary": what, "security": [],
            "responses": {"200": good} | {one: _problem("Not now.") for one in problems}}  # fmt: skip
