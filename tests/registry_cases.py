"""The finer cases of what clients ask a registry: one call whose answer counts, and what it is.

Source: Confluent's Schema Registry API reference, and where that is silent their server's resources,
tests and error codes (version 8). `KNOWN` has where a registry answers otherwise. `{s}` is a subject of the case's own, `$A` a schema of its
own; in answers they stand as `S` and `$A`, and the ids met as `#1`, `#2` in order of registration.
An expected object may have more keys in the answer: clients leave unknown ones alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

APICURIO = "Apicurio 3.3.3"
OURS = "ours"

TYPE = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; a body that isn't bytes is sent as JSON."""

    method: str
    path: str
    body: Any = None
    content_type: str | None = TYPE


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that must succeed, then one whose answer counts: status, and error code or value.

    A value of None: no body, or none that counts; of `...`: any.
    """

    ask: Ask
    status: int
    says: Any
    before: Sequence[Ask] = ()
    after: Sequence[Ask] = ()


FIELDS: dict[str, list[dict[str, Any]]] = {
    "A": [{"name": "number", "type": "string"}],
    "B": [{"name": "number", "type": "string"}, {"name": "note", "type": "string", "default": ""}],
    "C": [{"name": "number", "type": "string"}, {"name": "note", "type": "string"}],
    "D": [{"name": "number", "type": "int"}],
    "E": [{"name": "number", "type": "string"}, {"name": "more", "type": "int", "default": 0}],
}
"""B may follow A; C may not (no default); D may follow none; E may follow B."""


def get(path: str) -> Ask:
    return Ask("GET", path)


def delete(path: str) -> Ask:
    return Ask("DELETE", path)


def post(path: str, schema: str = "$A", **more: Any) -> Ask:
    return Ask("POST", path, {"schema": schema, **more})


def put(path: str, **body: Any) -> Ask:
    return Ask("PUT", path, body)


def raw(body: bytes, content_type: str | None = TYPE, path: str = "/subjects/{s}/versions") -> Ask:
    return Ask("POST", path, body, content_type)


S = "/subjects/{s}"
V = "/subjects/{s}/versions"
TEST = "/compatibility/subjects/{s}/versions"
CONFIG = "/config/{s}"
A = post(V)
B = post(V, "$B")
ANSWERS_A1 = {"subject": "S", "version": 1, "id": "#1", "schema": "$A"}
ANSWERS_B2 = {"subject": "S", "version": 2, "id": "#2", "schema": "$B"}
RECURSIVE = '{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}'

REGISTER = {
    "the same with keys in another order": Case(post(V, "$A sorted"), 200, {"id": "#1"}, [A]),
    "the same with its full name in one": Case(post(V, "$A full"), 200, {"id": "#1"}, [A]),
    "the same, normalised": Case(
        post(V + "?normalize=true", "$A spaced"), 200, {"id": "#1"}, [post(V + "?normalize=true")]),
    "an earlier version again": Case(A, 200, {"id": "#1"}, [A, B]),
    "after being hidden is a new version": Case(get(V), 200, [2], [A, delete(S), A]),
    "schemaType AVRO": Case(post(V, schemaType="AVRO"), 200, {"id": "#1"}),
    "a type by its bare name": Case(post(V, '"string"'), 200, {}),
    "an unknown schemaType": Case(post(V, schemaType="XML"), 422, 42201),
    "a record without fields": Case(post(V, '{"type":"record","name":"R"}'), 422, 42201),
    "a type that isn't there": Case(
        post(V, '{"type":"record","name":"R","fields":[{"name":"a","type":"Q"}]}'), 422, 42201),
    "a default of another type": Case(
        post(V, '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}'),
        422, 42201),
    "a type that contains itself": Case(post(V, RECURSIVE), 200, {}),
    "an id of one's own": Case(post(V, id=77), 422, 42205),
    "plain text that says json": Case(
        raw(b'{"schema":"\\"int\\""}', "text/plain; charset=json"), 415, 415),
    "application/json": Case(raw(b'{"schema":"\\"int\\""}', "application/json"), 200, {}),
    "the content type without version": Case(
        raw(b'{"schema":"\\"int\\""}', "application/vnd.schemaregistry+json"), 200, {}),
    "octets": Case(raw(b'{"schema":"\\"int\\""}', "application/octet-stream"), 200, {}),
    "no content type": Case(raw(b'{"schema":"\\"int\\""}', None), 200, {}),
    "a body of 20 MB": Case(raw(b" " * 20_000_000), 413, 413),
    "a subject with control characters": Case(post("/subjects/a%00b/versions"), 422, 42208),
    "a reference": Case(
        post(V, '{"type":"record","name":"R","fields":[{"name":"a","type":"x.A"}]}',
             references=[{"name": "x.A", "subject": "{s}-2", "version": 1}]),
        200, {}, [post("/subjects/{s}-2/versions", '{"type":"record","name":"A","namespace":"x","fields":[]}')]),
    "a reference to nothing": Case(
        post(V, references=[{"name": "x", "subject": "{s}-nowhere", "version": 1}]), 422, 42201),
}  # fmt: skip

LOOKUP = {
    "with other white space": Case(post(S, "$A spaced"), 200, ANSWERS_A1, [A]),
    "an earlier version": Case(post(S), 200, ANSWERS_A1, [A, B]),
    "a hidden schema": Case(post(S), 404, 40403, [A, B, delete(V + "/1")]),
    "a hidden schema, asked for": Case(
        post(S + "?deleted=true"), 200, ANSWERS_A1, [A, B, delete(V + "/1")]),
    "a hidden subject": Case(post(S), 404, 40401, [A, delete(S)]),
}  # fmt: skip

READ = {
    "the text of an id with a subject": Case(
        get("/schemas/ids/#1?subject={s}"), 200, {"schema": "$A"}, [A]),
    "the text of a hidden id": Case(get("/schemas/ids/#1"), 200, {"schema": "$A"}, [A, delete(S)]),
    "an unknown id, bare": Case(get("/schemas/ids/99999999/schema"), 404, 40403),
    "subjects of an unknown id": Case(get("/schemas/ids/99999999/subjects"), 404, 40403),
    "versions of an unknown id": Case(get("/schemas/ids/99999999/versions"), 404, 40403),
    "subjects of no such prefix": Case(get("/subjects?subjectPrefix={s}zzz"), 200, [], [A]),
    "hidden subjects": Case(get("/subjects?subjectPrefix={s}"), 200, [], [A, delete(S)]),
    "hidden subjects, asked for": Case(
        get("/subjects?subjectPrefix={s}&deleted=true"), 200, ["S"], [A, delete(S)]),
    "only hidden subjects": Case(
        get("/subjects?subjectPrefix={s}&deletedOnly=true"), 200, ["S-2"],
        [A, post("/subjects/{s}-2/versions"), delete("/subjects/{s}-2")]),
    "a page of subjects": Case(
        get("/subjects?subjectPrefix={s}&offset=1&limit=1"), 200, ["S-2"],
        [A, post("/subjects/{s}-2/versions"), post("/subjects/{s}-3/versions")]),
    "a page of versions": Case(get(V + "?offset=1&limit=1"), 200, [2], [A, B, post(V, "$E")]),
    "versions without the hidden": Case(get(V), 200, [2], [A, B, delete(V + "/1")]),
    "versions with the hidden": Case(get(V + "?deleted=true"), 200, [1, 2], [A, B, delete(V + "/1")]),
    "only hidden versions": Case(get(V + "?deletedOnly=true"), 200, [1], [A, B, delete(V + "/1")]),
    "versions of a hidden subject": Case(get(V), 404, 40401, [A, delete(S)]),
    "the latest as -1": Case(get(V + "/-1"), 200, ANSWERS_B2, [A, B]),
    "the latest that isn't hidden": Case(get(V + "/latest"), 200, ANSWERS_A1, [A, B, delete(V + "/2")]),
    "a version of no such subject": Case(get(V + "/1"), 404, 40401),
    "a hidden version": Case(get(V + "/1"), 404, 40402, [A, B, delete(V + "/1")]),
    "a hidden version, asked for": Case(
        get(V + "/1?deleted=true"), 200, ANSWERS_A1, [A, B, delete(V + "/1")]),
    "version -2": Case(get(V + "/-2"), 422, 42202, [A]),
    "version 2^31": Case(get(V + "/2147483648"), 422, 42202, [A]),
    "version 12345678901": Case(get(V + "/12345678901"), 422, 42202, [A]),
    "a subject with odd characters": Case(
        get("/subjects/{s}%20%C3%A9%2Fx/versions"), 200, [1], [post("/subjects/{s}%20%C3%A9%2Fx/versions")]),
    "all schemas of a prefix": Case(get("/schemas?subjectPrefix={s}"), 200, [ANSWERS_A1, ANSWERS_B2], [A, B]),
    "the latest schemas of a prefix": Case(
        get("/schemas?subjectPrefix={s}&latestOnly=true"), 200, [ANSWERS_B2], [A, B]),
    "contexts": Case(get("/contexts"), 200, ["."]),
    "a subject of the default context": Case(get("/subjects/:.:{s}/versions"), 200, [1], [A]),
}  # fmt: skip

DELETE = {
    "a version": Case(delete(V + "/1"), 200, 1, [A, B]),
    "the latest version": Case(delete(V + "/latest"), 200, 2, [A, B]),
    "a subject": Case(delete(S), 200, [1, 2], [A, B]),
    "a subject with a hidden version": Case(delete(S), 200, [2], [A, B, delete(V + "/1")]),
    "a version of no such subject": Case(delete(V + "/1"), 404, 40401),
    "version none": Case(delete(V + "/none"), 422, 42202, [A]),
    "no such subject for good": Case(delete(S + "?permanent=true"), 404, 40401),
    "a version for good": Case(
        delete(V + "/1?permanent=true"), 200, 1, [A, B, delete(V + "/1")]),
    "the level outlives hiding": Case(
        get(CONFIG), 200, {"compatibilityLevel": "FULL"},
        [A, put(CONFIG, compatibility="FULL"), delete(S)]),
}  # fmt: skip

LEVELS = {
    "global, set": Case(
        put("/config", compatibility="FULL"), 200, {"compatibility": "FULL"},
        after=[put("/config", compatibility="BACKWARD")]),
    "global, unknown word": Case(put("/config", compatibility="SIDEWAYS"), 422, 42203),
    "a subject's own, set": Case(put(CONFIG, compatibility="NONE"), 200, {"compatibility": "NONE"}),
    "a subject's own, set and asked": Case(
        get(CONFIG), 200, {"compatibilityLevel": "FORWARD_TRANSITIVE"},
        [put(CONFIG, compatibility="FORWARD_TRANSITIVE")]),
    "in small letters": Case(put(CONFIG, compatibility="full"), 200, {}),
    "a subject's own, no word": Case(put(CONFIG, compatibility=5), 422, 42203),
    "a subject's own that isn't there, taken away": Case(delete(CONFIG), 404, 40401),
    "NONE lets a break in": Case(
        post(V, "$D"), 200, {"id": "#2"}, [A, put(CONFIG, compatibility="NONE")]),
    "FORWARD holds at registration": Case(
        post(V, "$C"), 200, {"id": "#2"}, [A, put(CONFIG, compatibility="FORWARD")]),
    "FORWARD refuses at registration": Case(
        A, 409, 409, [put(CONFIG, compatibility="FORWARD"), post(V, "$C")]),
}  # fmt: skip

COMPATIBLE = {
    "with a version": Case(post(TEST + "/1", "$C"), 200, {"is_compatible": False}, [A, B]),
    "not with all": Case(post(TEST, "$C"), 200, {"is_compatible": False}, [A]),
    "all means the last where the level isn't transitive": Case(
        post(TEST, "$C"), 200, {"is_compatible": True}, [A, B]),
    "all means all where the level is transitive": Case(
        post(TEST, "$C"), 200, {"is_compatible": False},
        [A, B, put(CONFIG, compatibility="BACKWARD_TRANSITIVE")]),
    "why not is kept back": Case(post(TEST + "/latest", "$C"), 200, "no messages", [A]),
    "no reason": Case(
        post(TEST + "/latest?verbose=true", "$B"), 200, {"is_compatible": True, "messages": []}, [A]),
    "no such subject": Case(post(TEST + "/latest"), 200, {"is_compatible": True}),
    "no such subject, all": Case(post(TEST), 200, {"is_compatible": True}),
    "what was hidden doesn't count": Case(
        post(TEST + "/latest", "$D"), 200, {"is_compatible": True}, [A, delete(S)]),
}  # fmt: skip

MODES = {
    "a subject's own, else the global": Case(
        get("/mode/{s}?defaultToGlobal=true"), 200, {"mode": "READWRITE"}),
    "global, set": Case(put("/mode", mode="READWRITE"), 200, {"mode": "READWRITE"}),
    "a subject's own, set": Case(put("/mode/{s}", mode="READWRITE"), 200, {"mode": "READWRITE"}),
    "a subject's own, set and asked": Case(
        get("/mode/{s}"), 200, {"mode": "READWRITE"}, [put("/mode/{s}", mode="READWRITE")]),
    "a subject made read-only": Case(put("/mode/{s}", mode="READONLY"), 200, {"mode": "READONLY"}),
    "a subject's own that isn't there, taken away": Case(delete("/mode/{s}"), 404, 40401),
}  # fmt: skip

WEB = {
    "the root": Case(get("/"), 200, {}),
    "an unknown route below a known one": Case(get(V + "/1/nothing"), 404, 404, [A]),
    "PATCH": Case(Ask("PATCH", "/subjects"), 405, 405),
    "HEAD": Case(Ask("HEAD", "/subjects"), 200, None),
    "HEAD of what isn't there": Case(Ask("HEAD", "/schemas/ids/99999999"), 404, None),
    "OPTIONS": Case(Ask("OPTIONS", "/subjects"), 200, None),
    "a slash at the end": Case(get(V + "/"), 200, [1], [A]),
    "a query that isn't known": Case(get(V + "?colour=red"), 200, [1], [A]),
}  # fmt: skip

CASES: dict[str, Case] = {
    f"{group}: {name}": case
    for group, cases in {
        "register": REGISTER, "lookup": LOOKUP, "read": READ, "delete": DELETE, "level": LEVELS,
        "compatible": COMPATIBLE, "mode": MODES, "web": WEB,
    }.items()
    for name, case in cases.items()
}  # fmt: skip

_PREFIX = "it doesn't know `subjectPrefix`"
_OTHERS = "it doesn't know this parameter"
_NO_VERSION = "it doesn't tell a version that can't be one from one that isn't there"
_TYPES = "it takes the two names of JSON only"
_WEB = "its web server answers, not its API: the status is right, the body is none of Confluent's"

KNOWN: dict[tuple[str, str], tuple[int, Any, str]] = {
    (OURS, "register: a type that contains itself"): (
        422, 42201, "such a body can nest without end, and the decoder would end the process"),
    (OURS, "register: no content type"): (415, 415, "what a web page may send unasked isn't taken"),
    (OURS, "register: a reference"): (
        422, 42201, "a schema stands alone, so that whoever has its id can read with it"),
    (OURS, "delete: a version for good"): (
        422, 42205, "events written with it could no longer be read: it is hidden, never removed"),
    (OURS, "mode: a subject's own, set and asked"): (
        404, 40409, "there is one mode, and it holds for every subject"),
    (OURS, "mode: a subject made read-only"): (422, 42205, "there is one mode, READWRITE"),
    (OURS, "web: OPTIONS"): (405, 405, "a web page that asks for leave gets none"),
    (APICURIO, "register: an id of one's own"): (200, {"id": "#1"}, "the id is left out in silence"),
    (APICURIO, "register: plain text that says json"): (415, None, _WEB),
    (APICURIO, "register: octets"): (415, None, _TYPES),
    (APICURIO, "register: no content type"): (415, None, _TYPES),
    (APICURIO, "register: a body of 20 MB"): (422, 42201, "it takes as much, and reads it whole"),
    (APICURIO, "register: a subject with control characters"): (200, {}, "it takes any name"),
    (APICURIO, "lookup: a hidden subject"): (404, 40403, "it says that the schema isn't there"),
    (APICURIO, "read: subjects of no such prefix"): (200, ..., _PREFIX),
    (APICURIO, "read: hidden subjects"): (200, ..., _PREFIX),
    (APICURIO, "read: hidden subjects, asked for"): (200, ..., _PREFIX),
    (APICURIO, "read: only hidden subjects"): (200, ..., _PREFIX),
    (APICURIO, "read: a page of subjects"): (200, ..., _PREFIX),
    (APICURIO, "read: version -2"): (404, 40401, _NO_VERSION),
    (APICURIO, "read: version 2^31"): (404, 40402, _NO_VERSION),
    (APICURIO, "read: version 12345678901"): (404, 40402, _NO_VERSION),
    (APICURIO, "read: all schemas of a prefix"): (
        200, [{"schema": "$A"}, {"schema": "$B"}], "it doesn't say whose they are"),
    (APICURIO, "read: the latest schemas of a prefix"): (
        200, [{"schema": "$A"}, {"schema": "$B"}], _OTHERS),
    (APICURIO, "read: contexts"): (200, [":.:"], "it writes the default context otherwise"),
    (APICURIO, "read: a subject of the default context"): (
        404, 40401, "it doesn't know the default context by its name"),
    (APICURIO, "delete: a subject with a hidden version"): (
        200, [1, 2], "it counts what was hidden before"),
    (APICURIO, "delete: version none"): (404, 40402, _NO_VERSION),
    (APICURIO, "level: in small letters"): (422, 42203, "it wants capitals"),
    (APICURIO, "compatible: all means the last where the level isn't transitive"): (
        200, {"is_compatible": False}, "all is all, whatever the level"),
    (APICURIO, "compatible: no reason"): (200, {"is_compatible": True}, "`verbose` changes nothing"),
    (APICURIO, "compatible: no such subject, all"): (
        404, 40401, "here, unlike with the latest, a subject must be there"),
    (APICURIO, "mode: a subject's own that isn't there, taken away"): (
        200, {"mode": "READWRITE"}, "it tells the mode that holds for all"),
    (APICURIO, "web: the root"): (200, "no JSON", "a page for people stands there"),
    (APICURIO, "web: an unknown route below a known one"): (404, None, _WEB),
    (APICURIO, "web: PATCH"): (405, None, _WEB),
    (APICURIO, "web: OPTIONS"): (200, "no JSON", "it names the methods as plain text"),
}  # fmt: skip
"""Status, what is said, and why."""


def finer() -> str:
    """The known differences for docs/registry.md."""
    rows = ["| case | Confluent | otherwise | why |", "|---|---|---|---|"]
    for (name, title), (status, says, why) in KNOWN.items():
        case = CASES[title]
        rows.append(
            f"| {title} | {_said(case.status, case.says)} | {name}: {_said(status, says)} | {why} |"
        )
    return "\n".join(rows)


def _said(status: int, says: Any) -> str:
    if says is None or says is ... or says == {}:
        return str(status)
    return f"{status} {says if isinstance(says, int | str) else json.dumps(says)}"
