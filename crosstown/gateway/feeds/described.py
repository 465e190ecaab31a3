"""Feeds in the gateway's OpenAPI document. Pure."""

from __future__ import annotations

from typing import Any, Final

from crosstown.gateway.feeds.asked import LIMIT, MOST, STREAM, WAIT

_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_NUMBER: Final = {"type": "integer", "minimum": 0}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_SHORT: Final = {
    "id": {"type": "string"}, "kind": {"enum": ["handshake", "agreement"]},
    "gives": {"enum": ["events", "timelines"]}, "providers": _TEXTS, "purpose": {"type": "string"},
    "ways": _TEXTS,
    "standing": {
        "type": "object", "required": ["state", "why", "begins", "ends"],
        "properties": {
            "state": {"enum": ["waits", "not begun", "in force", "expired", "revoked", "declined"]},
            "why": {"type": "string"}, "begins": _TIME, "ends": _TIME,
        },
    },
    "manifest": {"type": "string"}, "messages": {"type": "string"},
}  # fmt: skip
_MORE: Final = {
    "terms": {"type": "string", "description": "SHA-256 of the terms: these were accepted."},
    "in_words": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "The terms in words.",
    },
    "agreement": {
        "type": "object",
        "description": "The terms for programs, each field's sensitivity.",
    },
    "delete_by": {**_TIME, "description": "After its end: by when what was got must be deleted."},
    "first": {**_NUMBER, "description": "The first number that is kept; 0: none is."},
    "last": {**_NUMBER, "description": "The last number."},
    "count": {**_NUMBER, "description": "How many messages are kept."},
    "schema": {"type": "object", "description": "The Avro schema of a message."},
}
SCHEMAS: Final[dict[str, Any]] = {
    "Feed": {"type": "object", "required": list(_SHORT), "properties": _SHORT},
    "Feeds": {
        "type": "object", "required": ["agency", "feeds"],
        "properties": {"agency": {"type": "string"},
                       "feeds": {"type": "array", "items": {"$ref": "#/components/schemas/Feed"}}},
    },
    "Manifest": {"type": "object", "required": [*_SHORT, *_MORE], "properties": {**_SHORT, **_MORE}},
    "Message": {
        "type": "object", "description": "As the manifest's schema says, times in ISO 8601, UTC. UNREADABLE: said under earlier"
        " terms in a form that today's can't show.",
        "required": ["number", "change", "said"],
        "properties": {"number": {"type": "integer", "minimum": 1}, "change": {"enum": ["SAID", "GONE", "UNREADABLE"]},
                       "said": {"type": ["object", "null"]}},
    },
}  # fmt: skip
_WHY: Final = {
    "400": "The request can't be read, or `since` is greater than the last number.",
    "401": "No key, or none that works.",
    "403": "The agreement isn't in force now, or not delivered so; `detail` says why.",
    "404": "No feed of this agency has this name.",
    "410": "The number after `since` is no longer kept; `detail` says which is the first.",
    "429": "More requests than agreed; Retry-After says when.",
    "503": "Kafka doesn't answer, or what goes out can't be noted now.",
}


def paths(problem: Any) -> dict[str, Any]:
    """The paths; `problem` makes the answer that says why not."""
    return {
        "/feeds": {"get": _looked("feeds", "The feeds of the agency whose key this is", "Feeds",
                                  [], problem, "401", "429", "503")},
        "/feeds/{id}": {"get": _looked("manifest", "One feed: terms, standing, what it holds",
                                       "Manifest", [_ID], problem, "401", "404", "429", "503")},
        "/feeds/{id}/events": {"get": _messages(problem)},
    }  # fmt: skip


_ID: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"},
              "description": "The agreement."}  # fmt: skip


def _looked(
    name: str, what: str, schema: str, parameters: list[Any], problem: Any, *problems: str
) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "operationId": name, "summary": what, "security": [{"key": []}], "parameters": parameters,
        "responses": {"200": {"description": what, "content": content}}
        | {one: problem(_WHY[one]) for one in problems},
    }  # fmt: skip


def _messages(problem: Any) -> dict[str, Any]:
    def query(name: str, most: int, usual: int, what: str, least: int = 0) -> dict[str, Any]:
        schema = {"type": "integer", "minimum": least, "maximum": most, "default": usual}
        return {"name": name, "in": "query", "schema": schema, "description": what}

    line = {"schema": {"$ref": "#/components/schemas/Message"}}
    return {
        "operationId": "messages",
        "summary": "A feed's messages, by number: as lines, waited for, or as a stream",
        "security": [{"key": []}],
        "parameters": [
            _ID,
            query("since", 10**18, 0, "Messages after this number; 0: from the first that is kept."),
            query("limit", MOST, LIMIT, "How many at most; not for a stream.", 1),
            query("wait", WAIT, 0, "Seconds to wait for the first; not for a stream."),
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "integer"},
             "description": "For a stream, in the place of since; browsers send it by themselves."},
        ],
        "responses": {
            "200": {
                "description": "One JSON object a line, or a stream of events: `id` is the number, `data` the"
                               " object; the event `ended` says why nothing more comes.",
                "headers": {"Crosstown-Last": {"schema": _NUMBER,
                                               "description": "The feed's last number now."}},
                "content": {"application/x-ndjson": line, STREAM: {"schema": {"type": "string"}}},
            },
            **{status: problem(why) for status, why in _WHY.items()},
        },
    }  # fmt: skip
