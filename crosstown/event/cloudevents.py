"""CloudEvents 1.0 out of an HTTP request, in each of its three modes.

binary: attributes as `ce-` headers, the data as the body; structured: one JSON object; batch: a JSON
array of them. Source: HTTP Protocol Binding for CloudEvents 1.0.2, JSON Event Format 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from crosstown.errors import Refused
from crosstown.event.strict_json import parse
from crosstown.moments import instant

MAX_BODY: Final = 1_000_000
"""Bytes of one request."""
MAX_EVENTS: Final = 1_000
"""Events of one batch."""
MAX_ATTRIBUTE: Final = 1_024
"""Characters of one attribute."""
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
_NAME: Final = re.compile(r"[a-z0-9]{1,64}")
_REQUIRED: Final = ("specversion", "id", "source", "type")
_TEXTS: Final = frozenset((*_REQUIRED, "time", "datacontenttype", "dataschema", "subject"))
_ACCEPTED: Final = f"send {STRUCTURED}, {BATCH}, or application/json with ce- headers"
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event as it was pushed; `data` is its JSON value."""

    id: str
    source: str
    type: str
    data: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """One event of a request that is none; `id` and `source` are empty where they can't be read."""

    id: str
    source: str
    why: Refused


def events(headers: Headers, body: bytes) -> list[CloudEvent | Broken]:
    """The events of one request, in order.

    Raises `Refused` where the request as a whole can't be read: content-type, stands-twice,
    bad-header, not-utf-8, not-json, too-many-events.
    """
    found = _lower(headers)
    media, charset = _media_type(found.get("content-type", ""))
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Refused("content-type", f"charset {charset[:40]!r}", mend="send UTF-8")
    if media == BATCH:
        given = parse(body)
        if not isinstance(given, list):
            raise Refused("not-json", "a batch is a JSON array of events")
        if len(given) > MAX_EVENTS:
            raise Refused("too-many-events", f"{len(given):,} events; at most {MAX_EVENTS:,}",
                          mend="send several batches")  # fmt: skip
        return [_structured(one) for one in given]
    if media == STRUCTURED:
        return [_structured(parse(body))]
    if media.startswith("application/cloudevents") or not _is_json(media):
        raise Refused("content-type", f"{media[:80]!r} isn't read here", mend=_ACCEPTED)
    return [_binary(found, body)]


def _lower(headers: Headers) -> dict[str, str]:
    """The headers that are ours by lower-case name, each at most once."""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower != "content-type" and not lower.startswith("ce-"):
            continue
        if lower in found:
            raise Refused("stands-twice", f"the header {lower[:80]}", mend="send it once")
        found[lower] = value
    return found


def _media_type(value: str) -> tuple[str, str]:
    """A content type and its charset in lower case; JSON where nothing is said."""
    media, _, parameters = value.partition(";")
    charset = ""
    for one in parameters.split(";"):
        name, _, said = one.strip().partition("=")
        if name.lower() == "charset":
            charset = said.strip('"').lower()
    return media.strip().lower() or "application/json", charset


def _is_json(media: str) -> bool:
    return media.endswith(("/json", "+json"))


def _binary(headers: Mapping[str, str], body: bytes) -> CloudEvent | Broken:
    attributes = {n[3:]: _decoded(n, v) for n, v in headers.items() if n.startswith("ce-")}
    if not attributes:
        raise Refused("no-event", "neither a CloudEvent's content type nor ce- headers",
                      mend=_ACCEPTED)  # fmt: skip
    data = parse(body)
    if "datacontenttype" in attributes:
        return _broken(attributes, Refused("bad-attribute", "content-type says it already",
                                           field="datacontenttype", mend="leave the header out"))  # fmt: skip
    try:
        _check(attributes)
        return _made(attributes, data)
    except Refused as error:
        return _broken(attributes, error)


def _decoded(name: str, value: str) -> str:
    """An attribute's text: unquoted, then percent-decoded once."""
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not value.isascii():
        raise Refused("bad-header", f"{name[:80]} isn't ASCII",
                      mend="percent-encode its UTF-8, e.g. %C3%A9")  # fmt: skip
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise Refused("bad-header", f"{name[:80]} is no UTF-8 once decoded",
                      mend="percent-encode its UTF-8, e.g. %C3%A9") from None  # fmt: skip


def _structured(given: Any) -> CloudEvent | Broken:
    if not isinstance(given, dict):
        return Broken("", "", Refused("no-event", "an event is one JSON object"))
    attributes = {n: v for n, v in given.items() if n not in ("data", "data_base64")}
    try:
        _check(attributes)
        _check_is_json(attributes.get("datacontenttype") or "")
        return _made(attributes, _data(given))
    except Refused as error:
        return _broken(attributes, error)


def _check_is_json(said: str) -> None:
    media, charset = _media_type(said)
    if not _is_json(media) or charset not in ("", "utf-8"):
        raise Refused("bad-attribute", f"{said[:80]!r} isn't JSON", field="datacontenttype",
                      mend="a contract's data is JSON in UTF-8")  # fmt: skip


def _data(given: Mapping[str, Any]) -> Any:
    if "data_base64" not in given:
        return given.get("data")
    coded = given["data_base64"]
    if "data" in given or not isinstance(coded, str):
        raise Refused("bad-attribute", "data, or data_base64 as text, never both",
                      field="data_base64")  # fmt: skip
    try:
        return parse(base64.b64decode(coded, validate=True))
    except (binascii.Error, ValueError):
        raise Refused("bad-attribute", "that's no base64", field="data_base64") from None


def _check(attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        _check_form(name, value)
    for name in _REQUIRED:
        if attributes.get(name) in (None, ""):
            raise Refused("missing-attribute", f"{name} is required", field=name,
                          mend=f"say {name} as CloudEvents 1.0 has it")  # fmt: skip
    if attributes["specversion"] != "1.0":
        raise Refused("bad-attribute", f"{attributes['specversion'][:20]!r} isn't 1.0",
                      field="specversion")  # fmt: skip
    try:
        instant(attributes.get("time") or "1970-01-01T00:00:00Z")
    except ValueError as error:
        raise Refused("bad-attribute", str(error), field="time") from None


def _check_form(name: str, value: Any) -> None:
    if not _NAME.fullmatch(name):
        raise Refused("bad-attribute", "a name has lower-case letters and digits only",
                      field=name[:80])  # fmt: skip
    if isinstance(value, str):
        if not _is_clean(value):
            raise Refused("bad-attribute", f"over {MAX_ATTRIBUTE:,} characters, or with control characters",
                          field=name)  # fmt: skip
    elif value is not None and (name in _TEXTS or not isinstance(value, int)):
        raise Refused("bad-attribute", "must be text" if name in _TEXTS
                      else "must be text, a whole number, true or false", field=name)  # fmt: skip


def _is_clean(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    controls = any(c < " " or "\x7f" <= c < "\xa0" for c in value)
    return len(value) <= MAX_ATTRIBUTE and not controls


def _made(attributes: Mapping[str, str], data: Any) -> CloudEvent:
    if data is None:
        raise Refused("no-data", "an event without data says nothing", field="data",
                      mend="put the contract's fields into data")  # fmt: skip
    return CloudEvent(attributes["id"], attributes["source"], attributes["type"], data)


def _broken(attributes: Mapping[str, Any], error: Refused) -> Broken:
    """What can be said of an event that is none: only an id and source that may be shown."""

    def shown(name: str) -> str:
        value = attributes.get(name)
        return value if isinstance(value, str) and _is_clean(value) else ""

    return Broken(shown("id"), shown("source"), error)
