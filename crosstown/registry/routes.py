"""The registry's HTTP routes: from a request to an answer, without a socket.

Source of paths, bodies and codes: Confluent's Schema Registry API reference; the parts that
Confluent-compatible clients use; where the reference is silent, what their server does. Not here:
references, other formats than Avro, metadata, rules, contexts, modes other than READWRITE, deletion
for good (old events could no longer be read). docs/registry.md has the list.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from crosstown.avro.guards import guard
from crosstown.errors import Refused, Unavailable
from crosstown.registry.log import Log
from crosstown.registry.subjects import Declined, Record, is_latest, say

MAX_NAME: Final = 255
MODES: Final = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its path taken apart."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    known: bool = False
    """Whether the operator asks."""

    def check(self) -> None:
        """Only the operator goes on."""
        if not self.known:
            raise Declined(401, 401, "HTTP 401 Unauthorized: only the operator changes something here; reading, "
                           "and registering what is registered, ask for no password.")  # fmt: skip

    def flag(self, name: str) -> bool:
        """Whether a query parameter says true."""
        return self.query.get(name, "").lower() == "true"

    @property
    def subject(self) -> str:
        """The subject in the path."""
        name = self.path["subject"].removeprefix(":.:")  # the default context
        if name.startswith(":."):
            raise Declined(422, 42208, "Contexts other than the default one aren't supported.")
        if len(name.encode("utf-8", "replace")) > MAX_NAME or not name.isprintable():
            raise Declined(
                422, 42208, f"A subject's name has at most {MAX_NAME} bytes, all printable."
            )
        return name

    @property
    def hidden_too(self) -> bool:
        """Whether what is deleted is asked for as well, or alone."""
        return self.flag("deleted") or self.flag("deletedOnly")

    def page(self, everything: list[T]) -> list[T]:
        """The part of a list that is asked for by `offset` and `limit`; below 0: no limit."""
        offset, limit = self._number("offset", 0), self._number("limit", -1)
        return everything[max(offset, 0) :][: limit if limit >= 0 else None]

    def _number(self, name: str, unsaid: int) -> int:
        said = self.query.get(name, str(unsaid))
        if not re.fullmatch("-?[0-9]{1,10}", said):
            raise Declined(400, 400, f"HTTP 400 Bad Request: '{name}' is a whole number.")
        return int(said)

    def schema(self) -> Any:
        """The schema in the body, guarded."""
        if not isinstance(self.body, dict) or not isinstance(self.body.get("schema"), str):
            raise Declined(422, 42201, "The body must be a JSON object with a text 'schema'.")
        if self.body.get("schemaType") not in (None, "", "AVRO"):
            raise Declined(422, 42201, "The only schema type that is supported is AVRO.")
        for extra in ("references", "metadata", "ruleSet"):
            if self.body.get(extra):
                raise Declined(422, 42201, f"'{extra}' isn't supported: write the types out.")
        if self.body.get("id") not in (None, -1):
            raise Declined(422, 42205, "Ids are given out here: there is no IMPORT mode.")
        return guard(self.body["schema"])


class Routes:
    """Answers requests from what the log says; one write at a time, reads never wait."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._writing = threading.Lock()

    def answer(
        self, method: str, target: str, body: bytes, *, known: bool = False
    ) -> tuple[int, Any]:
        """Status and JSON value for one request; never raises for what a client or Kafka did."""
        try:
            return 200, self._dispatch(method, target, body, known=known)
        except Declined as error:
            return error.status, {"error_code": error.code, "message": str(error)}
        except Refused as error:
            mend = f" -> {error.mend}" if error.mend else ""
            code = 42209 if error.reason == "schema-too-large" else 42201
            return 422, {"error_code": code, "message": f"Invalid schema: {error}{mend}"}
        except Unavailable as error:
            return 500, {"error_code": 50001, "message": f"{error}"}

    def _dispatch(self, method: str, target: str, body: bytes, *, known: bool) -> Any:
        try:
            url = urlsplit(target)
        except ValueError:
            raise Declined(400, 400, "HTTP 400 Bad Request: that is no address.") from None
        path = url.path.rstrip("/") or "/"
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        methods: set[str] = set()
        for verb, pattern, handler in ROUTES:
            found = pattern.fullmatch(path)
            if found and verb == method:
                parts = {name: unquote(value) for name, value in found.groupdict().items()}
                return handler(self, Request(parts, query, _json(body), known))
            if found:
                methods.add(verb)
        if methods:
            raise Declined(405, 405, f"HTTP 405 Method Not Allowed: {', '.join(sorted(methods))}")
        raise Declined(404, 404, "HTTP 404 Not Found")

    def _write(self, decide: Callable[[], tuple[Any, list[Record]]]) -> Any:
        """Decide on what is there now and write it; once more, from the topic, where that failed."""
        with self._writing:
            try:
                return self._attempt(decide)
            except Unavailable:
                return self._attempt(decide)

    def _attempt(self, decide: Callable[[], tuple[Any, list[Record]]]) -> Any:
        self._log.refresh()
        result, records = decide()
        if records:
            self._log.write(records)
        return result

    # subjects

    def subjects(self, ask: Request) -> list[str]:
        """Names of subjects, also the deleted on request."""
        prefix = ask.query.get("subjectPrefix", "")
        prefix = re.sub(r"^:(\.|\*):", "", prefix)  # there is one context
        subjects = self._log.subjects
        names = subjects.subjects(deleted=ask.hidden_too, only=ask.flag("deletedOnly"))
        return ask.page([name for name in names if name.startswith(prefix)])

    def register(self, ask: Request) -> dict[str, Any]:
        """The id of a schema, registered if it was not."""
        subject, schema = ask.subject, ask.schema()
        if not ask.known:  # what serialisers do at their start
            there = self._log.subjects.registered(subject, schema)
            if there is not None:
                return {"id": there.id}
            ask.check()
        one = self._write(lambda: self._log.subjects.register(subject, schema))
        return {"id": one.id}

    def lookup(self, ask: Request) -> dict[str, Any]:
        """The version that is this very schema."""
        found = self._log.subjects.lookup(ask.subject, ask.schema(), deleted=ask.flag("deleted"))
        return found.as_json()

    def versions(self, ask: Request) -> list[int]:
        """A subject's version numbers."""
        found = self._log.subjects.versions(ask.subject, deleted=ask.hidden_too)
        only = ask.flag("deletedOnly")
        return ask.page([one.version for one in found if one.deleted or not only])

    def version(self, ask: Request) -> dict[str, Any]:
        """One version."""
        one = self._log.subjects.version(
            ask.subject, ask.path["version"], deleted=ask.flag("deleted")
        )
        return one.as_json()

    def version_schema(self, ask: Request) -> Any:
        """The schema of one version, bare."""
        return json.loads(self.version(ask)["schema"])

    def referenced_by(self, ask: Request) -> list[int]:
        """Nothing: references are not supported."""
        self.version(ask)
        return []

    def delete_subject(self, ask: Request) -> list[int]:
        """Hide a subject."""
        ask.check()
        self._not_for_good(ask)
        found: list[int] = self._write(lambda: self._log.subjects.delete_subject(ask.subject))
        return found

    def delete_version(self, ask: Request) -> int:
        """Hide one version."""
        ask.check()
        self._not_for_good(ask)
        which = ask.path["version"]
        found: int = self._write(lambda: self._log.subjects.delete_version(ask.subject, which))
        return found

    def _not_for_good(self, ask: Request) -> None:
        if ask.flag("permanent"):
            self._log.subjects.hidden(ask.subject, ask.path.get("version"))
            raise Declined(422, 42205, "Schemas aren't deleted for good: events written with them "
                           "could no longer be read. Leave out permanent=true to hide them.")  # fmt: skip

    # schemas

    def by_id(self, ask: Request) -> dict[str, Any]:
        """A schema by its id."""
        return {"schema": self._log.subjects.text(_id(ask))}

    def by_id_schema(self, ask: Request) -> Any:
        """A schema by its id, bare."""
        return json.loads(self._log.subjects.text(_id(ask)))

    def by_id_subjects(self, ask: Request) -> list[str]:
        """The subjects in which an id is used."""
        found = self._log.subjects.uses(_id(ask), deleted=ask.flag("deleted"))
        return ask.page(sorted({one.subject for one in found}))

    def by_id_versions(self, ask: Request) -> list[dict[str, Any]]:
        """The versions that have an id."""
        found = self._log.subjects.uses(_id(ask), deleted=ask.flag("deleted"))
        return ask.page([{"subject": one.subject, "version": one.version} for one in found])

    def schemas(self, ask: Request) -> list[dict[str, Any]]:
        """All versions of all subjects, or the latest of each."""
        every = self._log.subjects
        names = self.subjects(replace(ask, query={**ask.query, "limit": "-1", "offset": "0"}))
        last = -1 if ask.flag("latestOnly") else 0
        found = [one for name in names for one in every.all_of(name, deleted=ask.hidden_too)[last:]]
        return ask.page([one.as_json() for one in found])

    # compatibility

    def compatible(self, ask: Request) -> dict[str, Any]:
        """Whether a schema could follow; with `verbose`, why not."""
        subjects, subject, schema = self._log.subjects, ask.subject, ask.schema()
        which = ask.path.get("version")
        there = subjects.all_of(subject)
        if which and (there or not is_latest(which)):
            there = [subjects.version(subject, which)]
        found = subjects.breaks(subject, schema, there)
        answer: dict[str, Any] = {"is_compatible": not found}
        if ask.flag("verbose"):
            answer["messages"] = [say(one) for one in found]
        return answer

    def level(self, ask: Request) -> dict[str, Any]:
        """The compatibility level."""
        subject = ask.subject if "subject" in ask.path else None
        level = self._log.subjects.level(subject, fall_back=ask.flag("defaultToGlobal"))
        return {"compatibilityLevel": level}

    def set_level(self, ask: Request) -> dict[str, Any]:
        """Change the compatibility level."""
        ask.check()
        subject = ask.subject if "subject" in ask.path else None
        level = ask.body.get("compatibility") if isinstance(ask.body, dict) else None
        self._write(lambda: (None, self._log.subjects.set_level(subject, str(level).upper())))
        return {"compatibility": str(level).upper()}

    def unset_level(self, ask: Request) -> dict[str, Any]:
        """Back to the level that holds for all."""
        ask.check()
        subject = ask.subject if "subject" in ask.path else None
        if subject is not None and not self._log.subjects.has_level(subject):
            raise Declined(404, 40401, f"Subject '{subject}' not found.")
        was = self._log.subjects.level(subject)
        self._write(lambda: (None, self._log.subjects.set_level(subject, None)))
        return {"compatibilityLevel": was}

    def mode(self, ask: Request) -> dict[str, Any]:
        """READWRITE, which holds for all; no subject has one of its own."""
        if "subject" in ask.path and not ask.flag("defaultToGlobal"):
            message = f"Subject '{ask.subject}' does not have subject-level mode configured"
            raise Declined(404, 40409, message)
        return {"mode": "READWRITE"}

    def set_mode(self, ask: Request) -> dict[str, Any]:
        """READWRITE stays READWRITE."""
        ask.check()
        mode = ask.body.get("mode") if isinstance(ask.body, dict) else None
        if mode not in MODES:
            raise Declined(422, 42204, f"A mode is one of {', '.join(MODES)}.")
        if mode != "READWRITE":
            raise Declined(422, 42205, "The only mode that is supported is READWRITE.")
        return {"mode": "READWRITE"}

    def unset_mode(self, ask: Request) -> Any:
        """There is none to take away."""
        raise Declined(404, 40401, f"Subject '{ask.subject}' not found.")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise Declined(400, 400, "The body is not JSON.") from None


def _id(ask: Request) -> int:
    text = ask.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise Declined(404, 404, "HTTP 404 Not Found")  # so far it is no such path
    return int(text)


def _route(method: str, path: str, handler: Callable[[Routes, Request], Any]) -> Any:
    return method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), handler


ROUTES: Final = [
    _route("GET", "/", lambda _routes, _ask: {}),
    _route("GET", "/subjects", Routes.subjects),
    _route("POST", "/subjects/{subject}", Routes.lookup),
    _route("DELETE", "/subjects/{subject}", Routes.delete_subject),
    _route("GET", "/subjects/{subject}/versions", Routes.versions),
    _route("POST", "/subjects/{subject}/versions", Routes.register),
    _route("GET", "/subjects/{subject}/versions/{version}", Routes.version),
    _route("DELETE", "/subjects/{subject}/versions/{version}", Routes.delete_version),
    _route("GET", "/subjects/{subject}/versions/{version}/schema", Routes.version_schema),
    _route("GET", "/subjects/{subject}/versions/{version}/referencedby", Routes.referenced_by),
    _route("GET", "/schemas", Routes.schemas),
    _route("GET", "/schemas/types", lambda _routes, _ask: ["AVRO"]),
    _route("GET", "/schemas/ids/{id}", Routes.by_id),
    _route("GET", "/schemas/ids/{id}/schema", Routes.by_id_schema),
    _route("GET", "/schemas/ids/{id}/subjects", Routes.by_id_subjects),
    _route("GET", "/schemas/ids/{id}/versions", Routes.by_id_versions),
    _route("POST", "/compatibility/subjects/{subject}/versions", Routes.compatible),
    _route("POST", "/compatibility/subjects/{subject}/versions/{version}", Routes.compatible),
    _route("GET", "/config", Routes.level),
    _route("PUT", "/config", Routes.set_level),
    _route("DELETE", "/config", Routes.unset_level),
    _route("GET", "/config/{subject}", Routes.level),
    _route("PUT", "/config/{subject}", Routes.set_level),
    _route("DELETE", "/config/{subject}", Routes.unset_level),
    _route("GET", "/mode", Routes.mode),
    _route("PUT", "/mode", Routes.set_mode),
    _route("GET", "/mode/{subject}", Routes.mode),
    _route("PUT", "/mode/{subject}", Routes.set_mode),
    _route("DELETE", "/mode/{subject}", Routes.unset_mode),
    _route("GET", "/contexts", lambda _routes, _ask: ["."]),
]
