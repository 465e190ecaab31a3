"""A client of any Confluent-compatible schema registry, the embedded one included.

Source of routes and error codes: Confluent's Schema Registry API reference.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from crosstown.backbone.login import at_registry
from crosstown.errors import Refused, TimedOut, Unavailable
from crosstown.home import Endpoints, shown
from crosstown.settings import Settings
from crosstown.tls import trusting

_HEADERS = {
    "Accept": "application/vnd.schemaregistry.v1+json, application/json",
    "Content-Type": "application/vnd.schemaregistry.v1+json",
}
_TRY_AGAIN = frozenset((408, 425, 429))


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a subject's schema."""

    subject: str
    version: int
    id: int
    schema: str


@dataclass(slots=True)
class Registry:
    """The registry at `url`; what an id means never changes, so schemas are kept for ever.

    Every method raises `Unavailable` where the registry doesn't answer or is at fault itself: wait
    and ask again, nothing is wrong with the data.
    """

    url: str
    timeout: float = 5.0
    login: tuple[str, str] | None = field(default=None, repr=False)
    """Name and password, unless they stand in the URL."""
    ca: Path | None = None
    """By which certificates its own is checked; None: the system's."""
    _schemas: dict[int, str] = field(default_factory=dict)
    _client: httpx.Client | None = None

    @classmethod
    def at(cls, settings: Settings, endpoints: Endpoints) -> Registry:
        """The registry of an installation; at this home's own one may change things."""
        login = at_registry(settings, endpoints.registry)
        return cls(endpoints.registry, login=login, ca=settings.ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(self, subject: str, schema_text: str) -> int:
        """The id of this schema under this subject, registered if it wasn't.

        Raises `Refused`: schema-incompatible, schema-refused (both with the registry's words).
        """
        answer = self._ask(
            "POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": schema_text}
        )
        return int(_found(answer, "schema-refused", f"subject {subject}")["id"])

    def schema(self, schema_id: int) -> str:
        """The text of a schema; `Refused` (unknown-schema) where the registry has no such id."""
        known = self._schemas.get(schema_id)
        if known is None:
            answer = _found(self._ask("GET", f"/schemas/ids/{schema_id}"), "unknown-schema",
                            f"id {schema_id}")  # fmt: skip
            if answer.get("schemaType", "AVRO") != "AVRO" or answer.get("references"):
                raise Refused("schema-not-supported", f"id {schema_id}: not Avro, or has references",
                              mend="register it as Avro with all types written out")  # fmt: skip
            known = self._schemas[schema_id] = str(answer["schema"])
        return known

    def subjects_of(self, schema_id: int) -> list[str]:
        """Under which subjects a schema stands; `Refused` (unknown-schema) where there is no such id."""
        answer = self._ask("GET", f"/schemas/ids/{schema_id}/subjects")
        return cast("list[str]", _found(answer, "unknown-schema", f"id {schema_id}"))

    def lookup(self, subject: str, schema_text: str) -> Version:
        """The version under which this very schema stands; `Refused` (unknown-schema) if none."""
        answer = self._ask("POST", f"/subjects/{quote(subject, safe='')}", {"schema": schema_text})
        return _version(_found(answer, "unknown-schema", f"subject {subject}"))

    def latest(self, subject: str) -> Version:
        """The subject's newest version; `Refused` (unknown-subject) if it has none."""
        answer = self._ask("GET", f"/subjects/{quote(subject, safe='')}/versions/latest")
        return _version(_found(answer, "unknown-subject", subject))

    def subjects(self) -> list[str]:
        """All subjects that have a version."""
        return cast("list[str]", _found(self._ask("GET", "/subjects"), "unknown-subject", self.url))

    def texts(self, subject: str) -> list[str]:
        """The schemas of a subject's versions, oldest first; none where there is no such subject."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self._ask("GET", path)
        if answer.status_code == 404:
            return []
        numbers = cast("list[int]", _found(answer, "unknown-subject", subject))
        return [
            _version(
                _found(self._ask("GET", f"{path}/{number}"), "unknown-subject", subject)
            ).schema
            for number in numbers
        ]

    def compatibility(self, subject: str) -> str:
        """The mode that holds for this subject alone; empty where the registry's default does."""
        answer = self._ask("GET", f"/config/{quote(subject, safe='')}")
        if answer.status_code == 404:
            return ""
        return str(_found(answer, "unknown-subject", subject)["compatibilityLevel"])

    def set_compatibility(self, subject: str, mode: str) -> None:
        """Say in which mode this subject's versions must follow each other."""
        path = f"/config/{quote(subject, safe='')}"
        _found(self._ask("PUT", path, {"compatibility": mode}), "schema-refused", subject)

    def wait(self, timeout: float) -> None:
        """Return as soon as the registry answers; `TimedOut` after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.subjects()
            except Unavailable as error:
                if time.monotonic() >= deadline:
                    raise TimedOut(f"{error} (waited {timeout:.0f} s)", mend=error.mend) from None
                time.sleep(0.1)
            else:
                return

    def close(self) -> None:
        """Give up the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        content = None if body is None else json.dumps(body)
        try:
            answer = self._connected().request(method, path, content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unavailable(self.url, f"{type(error).__name__}: {error}") from None
        if answer.status_code >= 500 or answer.status_code in _TRY_AGAIN:
            raise _unavailable(self.url, f"{answer.status_code}: {_words(answer)}")
        return answer

    def _connected(self) -> httpx.Client:
        if self._client is None:
            url = httpx.URL(self.url)
            here = url.host in ("127.0.0.1", "localhost", "::1")
            self._client = httpx.Client(
                base_url=url.copy_with(userinfo=b""),  # httpx logs what it asks
                auth=(url.username, url.password) if url.userinfo else self.login,
                headers=_HEADERS,
                timeout=self.timeout,
                verify=trusting(self.ca),
                trust_env=not here,  # a city's web proxy doesn't reach this machine's registry
            )
        return self._client


def _unavailable(url: str, why: str) -> Unavailable:
    return Unavailable(f"the schema registry at {shown(url)} doesn't answer ({why})",
                       mend="see crosstown status, and CROSSTOWN_REGISTRY if set")  # fmt: skip


def _found(answer: httpx.Response, reason: str, what: str) -> Any:
    """The answer's JSON; a 4xx is a refusal, unless it speaks of the caller's rights or address."""
    if answer.is_success:
        try:
            return answer.json()
        except ValueError:
            raise _unavailable(str(answer.url), "its answer is not JSON") from None
    if answer.status_code == 409:
        raise Refused("schema-incompatible", _words(answer),
                      mend="make the change compatible, or make it a new contract")  # fmt: skip
    if answer.status_code == 422 or (
        answer.status_code == 404 and _code(answer) in (40401, 40402, 40403)
    ):
        raise Refused(reason, f"{what}: {_words(answer)}", mend="register the schema first"
                      if answer.status_code == 404 else "")  # fmt: skip
    if answer.status_code in (401, 403):
        raise Unavailable(
            f"the schema registry at {answer.url} refuses this: {_words(answer)}",
            mend="work as the user who started Crosstown, or name the registry as"
            " CROSSTOWN_REGISTRY=http://NAME:PASSWORD@HOST:PORT",
        )
    raise _unavailable(str(answer.url), f"{answer.status_code}: {_words(answer)}")


def _code(answer: httpx.Response) -> int:
    try:
        return int(answer.json()["error_code"])
    except (ValueError, KeyError, TypeError):
        return 0


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _version(answer: dict[str, Any]) -> Version:
    return Version(
        str(answer["subject"]), int(answer["version"]), int(answer["id"]), str(answer["schema"])
    )
