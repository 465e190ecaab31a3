"""What a client sees of a registry, call by call, and what Confluent's reference says it sees.

Each check gets the API and a subject of its own and returns what it saw; `CHECKS` has it with what
Confluent's documents (Schema Registry API reference) want.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

TYPE = "application/vnd.schemaregistry.v1+json"
Seen = Any


@dataclass(frozen=True, slots=True)
class Api:
    """A registry as its clients speak with it."""

    name: str
    http: httpx.Client
    login: tuple[str, str] | None = None

    def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request; a body goes as JSON, bytes as they are."""
        content = body if isinstance(body, bytes | None) else json.dumps(body)
        headers = {} if body is None else {"Content-Type": TYPE}
        return self.http.request(method, path, content=content, headers=headers)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """What it answers, where that's a success."""
        answer = self(method, path, body)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()

    def code(self, method: str, path: str, body: Any = None) -> tuple[int, int | None]:
        """Status and error code of an answer; None where the body doesn't say one."""
        answer = self(method, path, body)
        try:
            return answer.status_code, answer.json()["error_code"]
        except (ValueError, KeyError, TypeError):
            return answer.status_code, None

    def register(self, subject: str, text: str) -> int:
        """The id of a schema that is registered now."""
        found = self.json("POST", f"/subjects/{at(subject)}/versions", {"schema": text})["id"]
        assert isinstance(found, int)
        return found


Check = Callable[[Api, str], Seen]
CHECKS: dict[str, tuple[Check, Seen]] = {}


def wants(seen: Seen) -> Callable[[Check], Check]:
    """Confluent's documents say that a check sees this."""

    def known(check: Check) -> Check:
        CHECKS[check.__name__.replace("_", " ")] = (check, seen)
        return check

    return known


def at(subject: str) -> str:
    """A subject in a path."""
    return quote(subject, safe="")


def record(subject: str, *fields: dict[str, Any]) -> str:
    """A schema that no other check has."""
    name = "R" + "".join(letter for letter in subject if letter.isalnum())
    every = [{"name": "number", "type": "string"}, *fields]
    return json.dumps({"type": "record", "name": name, "namespace": "city", "fields": every})


NOTE = {"name": "note", "type": "string", "default": ""}
BARE = {"name": "note", "type": "string"}


def two(api: Api, subject: str) -> tuple[int, int]:
    """A subject with two versions."""
    return api.register(subject, record(subject)), api.register(subject, record(subject, NOTE))


# registering


@wants((True, [1]))
def registering_twice_gives_one_id_and_one_version(api: Api, s: str) -> Seen:
    first, again = api.register(s, record(s)), api.register(s, record(s))
    return first == again, api.json("GET", f"/subjects/{at(s)}/versions")


@wants(True)
def white_space_makes_no_other_schema(api: Api, s: str) -> Seen:
    spaced = json.dumps(json.loads(record(s)), indent=3)
    return api.register(s, record(s)) == api.register(s, spaced)


@wants(True)
def one_schema_has_one_id_under_two_subjects(api: Api, s: str) -> Seen:
    return api.register(s, record(s)) == api.register(f"{s}-other", record(s))


@wants((False, [1, 2]))
def a_compatible_change_is_a_new_version(api: Api, s: str) -> Seen:
    first, second = two(api, s)
    return first == second, api.json("GET", f"/subjects/{at(s)}/versions")


@wants((409, 409))
def an_incompatible_schema_is_a_conflict(api: Api, s: str) -> Seen:
    api.json("PUT", f"/config/{at(s)}", {"compatibility": "BACKWARD"})
    api.register(s, record(s))
    return api.code("POST", f"/subjects/{at(s)}/versions", {"schema": record(s, BARE)})


@wants((422, 42201))
def what_is_no_schema_is_refused(api: Api, s: str) -> Seen:
    return api.code("POST", f"/subjects/{at(s)}/versions", {"schema": '{"type": "nonsense"}'})


@wants((422, 42201))
def a_schema_that_is_no_json_is_refused(api: Api, s: str) -> Seen:
    return api.code("POST", f"/subjects/{at(s)}/versions", {"schema": "{"})


@wants((422, 42201))
def a_body_without_schema_is_refused(api: Api, s: str) -> Seen:
    return api.code("POST", f"/subjects/{at(s)}/versions", {})


@wants((400, 400))
def a_broken_body_is_a_bad_request(api: Api, s: str) -> Seen:
    return api.code("POST", f"/subjects/{at(s)}/versions", b'{"schema": ')


@wants("city/é %2F ü-value")
def a_subject_may_need_percent_encoding(api: Api, s: str) -> Seen:
    odd = f"{s} city/é %2F ü-value"
    api.register(odd, record(s))
    found = api.json("GET", f"/subjects/{at(odd)}/versions/latest")["subject"]
    return found.removeprefix(f"{s} ") if odd in api.json("GET", "/subjects") else found


# looking up


@wants((["id", "schema", "subject", "version"], 1, True))
def a_lookup_tells_the_version_of_this_very_schema(api: Api, s: str) -> Seen:
    first, _ = two(api, s)
    found = api.json("POST", f"/subjects/{at(s)}", {"schema": record(s)})
    keys = sorted(found.keys() & {"id", "schema", "subject", "version"})
    return keys, found["version"], found["id"] == first


@wants((404, 40401))
def a_lookup_in_a_subject_that_isnt_there(api: Api, s: str) -> Seen:
    return api.code("POST", f"/subjects/{at(s)}", {"schema": record(s)})


@wants((404, 40403))
def a_lookup_of_a_schema_that_isnt_there(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.code("POST", f"/subjects/{at(s)}", {"schema": record(s, NOTE)})


@wants((422, 42201))
def a_lookup_of_what_is_no_schema(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.code("POST", f"/subjects/{at(s)}", {"schema": "{"})


@wants(True)
def an_id_tells_its_schema(api: Api, s: str) -> Seen:
    text = api.json("GET", f"/schemas/ids/{api.register(s, record(s))}")["schema"]
    return json.loads(text) == json.loads(record(s))


@wants(True)
def an_id_tells_its_schema_bare(api: Api, s: str) -> Seen:
    found = api.json("GET", f"/schemas/ids/{api.register(s, record(s))}/schema")
    return bool(found == json.loads(record(s)))


@wants((404, 40403))
def an_id_that_isnt_there(api: Api, _s: str) -> Seen:
    return api.code("GET", "/schemas/ids/98765432")


@wants((404, 404))
def an_id_that_is_no_number(api: Api, _s: str) -> Seen:
    return api.code("GET", "/schemas/ids/nine")


@wants(True)
def an_id_tells_its_subjects(api: Api, s: str) -> Seen:
    number = api.register(s, record(s))
    api.register(f"{s}-other", record(s))
    found = api.json("GET", f"/schemas/ids/{number}/subjects")
    return sorted(found) == sorted([s, f"{s}-other"])


@wants([{"subject": True, "version": 2}])
def an_id_tells_its_versions(api: Api, s: str) -> Seen:
    _, second = two(api, s)
    found = api.json("GET", f"/schemas/ids/{second}/versions")
    return [{"subject": one["subject"] == s, "version": one["version"]} for one in found]


@wants(True)
def avro_is_a_type(api: Api, _s: str) -> Seen:
    return "AVRO" in api.json("GET", "/schemas/types")


# subjects and versions


@wants(True)
def subjects_are_listed(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return s in api.json("GET", "/subjects")


@wants((True, False))
def subjects_are_listed_by_their_beginning(api: Api, s: str) -> Seen:
    other = f"z{s}"
    api.register(s, record(s))
    api.register(other, record(s))
    found = api.json("GET", f"/subjects?subjectPrefix={at(s)}")
    return s in found, other in found


@wants((404, 40401))
def versions_of_a_subject_that_isnt_there(api: Api, s: str) -> Seen:
    return api.code("GET", f"/subjects/{at(s)}/versions")


@wants((True, 1, True, True))
def a_version_tells_its_schema(api: Api, s: str) -> Seen:
    first, _ = two(api, s)
    found = api.json("GET", f"/subjects/{at(s)}/versions/1")
    same = json.loads(found["schema"]) == json.loads(record(s))
    return found["subject"] == s, found["version"], found["id"] == first, same


@wants(True)
def a_version_tells_its_schema_bare(api: Api, s: str) -> Seen:
    two(api, s)
    found = api.json("GET", f"/subjects/{at(s)}/versions/1/schema")
    return bool(found == json.loads(record(s)))


@wants((2, 2))
def latest_is_the_newest_version(api: Api, s: str) -> Seen:
    two(api, s)
    latest = api.json("GET", f"/subjects/{at(s)}/versions/latest")["version"]
    return latest, api.json("GET", f"/subjects/{at(s)}/versions/-1")["version"]


@wants((404, 40401))
def latest_of_a_subject_that_isnt_there(api: Api, s: str) -> Seen:
    return api.code("GET", f"/subjects/{at(s)}/versions/latest")


@wants((404, 40402))
def a_version_that_isnt_there(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.code("GET", f"/subjects/{at(s)}/versions/9")


@wants([(422, 42202)] * 3)
def a_version_that_is_no_version(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return [api.code("GET", f"/subjects/{at(s)}/versions/{one}") for one in ("0", "-7", "new")]


@wants([])
def nothing_refers_to_a_version(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.json("GET", f"/subjects/{at(s)}/versions/1/referencedby")


# deleting


@wants((2, [1], [1, 2], True))
def a_deleted_version_is_hidden_and_its_id_still_answers(api: Api, s: str) -> Seen:
    _, second = two(api, s)
    gone = api.json("DELETE", f"/subjects/{at(s)}/versions/2")
    left = api.json("GET", f"/subjects/{at(s)}/versions")
    every = api.json("GET", f"/subjects/{at(s)}/versions?deleted=true")
    return gone, left, every, api("GET", f"/schemas/ids/{second}").is_success


@wants(([1, 2], False, True, (404, 40401)))
def a_deleted_subject_is_hidden(api: Api, s: str) -> Seen:
    two(api, s)
    gone = api.json("DELETE", f"/subjects/{at(s)}")
    here, every = (api.json("GET", f"/subjects{ask}") for ask in ("", "?deleted=true"))
    return gone, s in here, s in every, api.code("GET", f"/subjects/{at(s)}/versions/latest")


@wants(((404, 40401), (404, 40401)))
def deleting_what_isnt_there(api: Api, s: str) -> Seen:
    return api.code("DELETE", f"/subjects/{at(s)}"), api.code(
        "DELETE", f"/subjects/{at(s)}/versions/1"
    )


@wants((404, 40402))
def deleting_a_version_that_isnt_there(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.code("DELETE", f"/subjects/{at(s)}/versions/9")


@wants((404, 40404))
def deleting_a_subject_twice(api: Api, s: str) -> Seen:
    two(api, s)
    api.json("DELETE", f"/subjects/{at(s)}")
    return api.code("DELETE", f"/subjects/{at(s)}")


@wants((404, 40406))
def deleting_a_version_twice(api: Api, s: str) -> Seen:
    two(api, s)
    api.json("DELETE", f"/subjects/{at(s)}/versions/2")
    return api.code("DELETE", f"/subjects/{at(s)}/versions/2")


@wants((404, 40405))
def deleting_a_subject_for_good_that_isnt_hidden(api: Api, s: str) -> Seen:
    two(api, s)
    return api.code("DELETE", f"/subjects/{at(s)}?permanent=true")


@wants((404, 40407))
def deleting_a_version_for_good_that_isnt_hidden(api: Api, s: str) -> Seen:
    two(api, s)
    return api.code("DELETE", f"/subjects/{at(s)}/versions/1?permanent=true")


@wants(((200, None), (404, 40401)))
def deleting_a_subject_for_good(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    api.json("DELETE", f"/subjects/{at(s)}")
    gone = api.code("DELETE", f"/subjects/{at(s)}?permanent=true")
    return gone, api.code("GET", f"/subjects/{at(s)}/versions?deleted=true")


@wants((True, 3))
def a_schema_registered_again_keeps_its_id_in_a_new_version(api: Api, s: str) -> Seen:
    _, second = two(api, s)
    api.json("DELETE", f"/subjects/{at(s)}")
    again = api.register(s, record(s, NOTE))
    return again == second, api.json("GET", f"/subjects/{at(s)}/versions/latest")["version"]


# configuration


@wants(("FULL", "FULL"))
def a_level_for_all_is_set(api: Api, _s: str) -> Seen:
    said = api.json("PUT", "/config", {"compatibility": "FULL"})
    found = api.json("GET", "/config")
    api.json("PUT", "/config", {"compatibility": "BACKWARD"})
    return said["compatibility"], found["compatibilityLevel"]


@wants(("NONE", "NONE"))
def a_level_for_a_subject_is_set(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    said = api.json("PUT", f"/config/{at(s)}", {"compatibility": "NONE"})
    found = api.json("GET", f"/config/{at(s)}")
    return said["compatibility"], found["compatibilityLevel"]


@wants((404, 40408))
def a_subject_without_a_level_of_its_own(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.code("GET", f"/config/{at(s)}")


@wants("BACKWARD")
def a_subject_without_a_level_has_that_for_all(api: Api, s: str) -> Seen:
    api.json("PUT", "/config", {"compatibility": "BACKWARD"})
    api.register(s, record(s))
    return api.json("GET", f"/config/{at(s)}?defaultToGlobal=true")["compatibilityLevel"]


@wants(((200, None), (404, 40408)))
def a_level_is_taken_back(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    api.json("PUT", f"/config/{at(s)}", {"compatibility": "NONE"})
    return api.code("DELETE", f"/config/{at(s)}"), api.code("GET", f"/config/{at(s)}")


@wants([(422, 42203)] * 2)
def a_level_that_there_isnt(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    wrong = {"compatibility": "SIDEWAYS"}
    return [api.code("PUT", path, wrong) for path in ("/config", f"/config/{at(s)}")]


# compatibility


def judged(api: Api, s: str, text: str, more: str = "/latest", ask: str = "") -> Any:
    path = f"/compatibility/subjects/{at(s)}/versions{more}{ask}"
    return api.json("POST", path, {"schema": text})


@wants((True, False))
def a_change_is_judged(api: Api, s: str) -> Seen:
    api.json("PUT", "/config", {"compatibility": "BACKWARD"})
    api.register(s, record(s))
    found = [judged(api, s, record(s, one))["is_compatible"] for one in (NOTE, BARE)]
    return tuple(found)


@wants((False, True))
def a_verdict_says_why_when_asked(api: Api, s: str) -> Seen:
    api.json("PUT", "/config", {"compatibility": "BACKWARD"})
    api.register(s, record(s))
    found = judged(api, s, record(s, BARE), ask="?verbose=true")
    return found["is_compatible"], "note" in str(found.get("messages"))


@wants((False, True))
def a_change_is_judged_after_all_versions(api: Api, s: str) -> Seen:
    api.json("PUT", f"/config/{at(s)}", {"compatibility": "NONE"})
    api.register(s, record(s, {"name": "x", "type": "int"}))
    api.register(s, record(s))
    api.json("PUT", f"/config/{at(s)}", {"compatibility": "BACKWARD_TRANSITIVE"})
    text = record(s, {"name": "x", "type": "string", "default": ""})
    return judged(api, s, text, more="")["is_compatible"], judged(api, s, text)["is_compatible"]


@wants((200, None))  # the reference says 404; their server and its tests say compatible
def a_change_of_a_subject_that_isnt_there_after_its_latest(api: Api, s: str) -> Seen:
    path = f"/compatibility/subjects/{at(s)}/versions/latest"
    return api.code("POST", path, {"schema": record(s)})


@wants((200, None))
def a_change_of_a_subject_that_isnt_there_after_all(api: Api, s: str) -> Seen:
    return api.code("POST", f"/compatibility/subjects/{at(s)}/versions", {"schema": record(s)})


@wants(((404, 40402), (422, 42202), (422, 42201)))
def a_change_that_cant_be_judged(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    path, body = f"/compatibility/subjects/{at(s)}/versions", {"schema": record(s)}
    return (api.code("POST", f"{path}/9", body), api.code("POST", f"{path}/new", body),
            api.code("POST", f"{path}/latest", {"schema": "{"}))  # fmt: skip


# the rest


@wants({"mode": "READWRITE"})
def the_mode_is_read_and_write(api: Api, _s: str) -> Seen:
    return api.json("GET", "/mode")


@wants((422, 42204))
def a_mode_that_there_isnt(api: Api, _s: str) -> Seen:
    return api.code("PUT", "/mode", {"mode": "SIDEWAYS"})


@wants((404, 40409))
def a_subject_without_a_mode_of_its_own(api: Api, s: str) -> Seen:
    api.register(s, record(s))
    return api.code("GET", f"/mode/{at(s)}")


@wants((404, 404))
def a_route_that_there_isnt(api: Api, _s: str) -> Seen:
    return api.code("GET", "/nonsense")


@wants((405, 405))
def a_method_that_there_isnt(api: Api, _s: str) -> Seen:
    return api.code("PUT", "/subjects")


@wants((415, 415))
def a_body_of_another_type(api: Api, s: str) -> Seen:
    answer = api.http.request("POST", f"/subjects/{at(s)}/versions", content=b"{}", headers={
        "Content-Type": "text/plain"})  # fmt: skip
    code = answer.json().get("error_code") if answer.content[:1] == b"{" else None
    return answer.status_code, code


@wants(TYPE)
def answers_are_of_the_registrys_type(api: Api, _s: str) -> Seen:
    return api("GET", "/subjects").headers["Content-Type"].partition(";")[0]
