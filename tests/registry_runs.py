"""Runs the cases of `registry_cases` against one registry and says its answers comparably."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any

import httpx
from registry_cases import FIELDS, Ask, Case

_numbers = itertools.count()


@dataclass(slots=True)
class Run:
    """One case against one registry: its subject, its schemas, the ids that it has met."""

    client: httpx.Client
    token: str = field(default_factory=lambda: f"c{os.getpid()}x{next(_numbers)}")
    ids: list[int] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """The case's own subject."""
        return f"{self.token}-value"

    def answer(self, case: Case) -> tuple[int, Any]:
        """Status, and error code or value, of the request that counts."""
        for ask in case.before:
            before = self._send(ask)
            assert before.status_code == 200, (ask, before.status_code, before.text[:300])
        try:
            return self._said(self._send(case.ask))
        finally:
            for ask in case.after:
                self._send(ask)

    def _send(self, ask: Ask) -> httpx.Response:
        path = ask.path.replace("{s}", self.subject)
        for n, one in enumerate(self.ids, 1):
            path = path.replace(f"#{n}", str(one))
        body = ask.body
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(self._filled(body)).encode()
        headers = (
            {"Content-Type": ask.content_type} if body is not None and ask.content_type else {}
        )
        said = self.client.request(ask.method, path, content=body, headers=headers)
        with contextlib.suppress(ValueError, TypeError, KeyError):
            found = said.json()["id"]
            if said.is_success and found not in self.ids:
                self.ids.append(found)
        return said

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if isinstance(value, str) and value.startswith("$"):
            return self.schema(*value[1:].split())
        return value.replace("{s}", self.subject) if isinstance(value, str) else value

    def schema(self, letter: str, form: str = "") -> str:
        """A schema of this case, in one of the ways to write it."""
        whole = {
            "type": "record",
            "name": "Event",
            "namespace": self.token,
            "fields": FIELDS[letter],
        }
        if form == "full":
            del whole["namespace"]
            whole["name"] = f"{self.token}.Event"
        return json.dumps(whole, indent=3 if form == "spaced" else None, sort_keys=form == "sorted")

    def _said(self, answer: httpx.Response) -> tuple[int, Any]:
        if not answer.content:
            return answer.status_code, None
        try:
            value = answer.json()
        except ValueError:
            return answer.status_code, "no JSON"
        if answer.is_error:
            code = value.get("error_code") if isinstance(value, dict) else None
            return answer.status_code, code if value.get("message") else "no message"
        return answer.status_code, self._named(value)

    def _named(self, value: Any) -> Any:
        """With `S`, `$A` and `#1` for what is this case's own."""
        if isinstance(value, dict):
            for letter in FIELDS if "fields" in value else ():
                if value == json.loads(self.schema(letter)):
                    return f"${letter}"
            return {
                key: f"#{self.ids.index(one) + 1}"
                if key == "id" and one in self.ids
                else self._named(one)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self._named(one) for one in value]
        if isinstance(value, str) and value.startswith("{"):
            return self._named(json.loads(value))
        return value.replace(self.subject, "S") if isinstance(value, str) else value


def fits(wanted: Any, got: Any) -> bool:
    """Whether an answer says at least what was wanted."""
    if wanted is ...:
        return True
    match wanted:
        case "no messages":
            return got.get("is_compatible") is False and not got.get("messages")
        case dict():
            return isinstance(got, dict) and all(fits(one, got.get(k)) for k, one in wanted.items())
        case list():
            return isinstance(got, list) and len(got) == len(wanted) and all(map(fits, wanted, got))
        case _:
            return type(wanted) is type(got) and bool(wanted == got)
