"""What a schema registry knows: subjects, their versions, ids, compatibility; a fold of its topic.

Keys and values are Confluent's (`keytype` SCHEMA, CONFIG, DELETE_SUBJECT, NOOP), so that a registry
of theirs can take over the topic. Codes and meanings: Confluent's Schema Registry API reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from crosstown.avro.compatibility import MODES, Break, breaks_any
from crosstown.avro.guards import PRIMITIVES, guard
from crosstown.errors import Refused

Record = tuple[bytes, bytes]
"""Key and value of one message to write to the registry's topic."""
DEFAULT: Final = "BACKWARD"


class Declined(Refused):
    """A request that the registry declines, with Confluent's HTTP status and error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of one subject; a deleted one still answers to its id."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False

    def as_json(self) -> dict[str, Any]:
        """What a client is told of it."""
        return {
            "subject": self.subject,
            "version": self.version,
            "id": self.id,
            "schema": self.schema,
        }


@dataclass(slots=True)
class Subjects:
    """All that the registry's topic says so far; `fold` a message, ask, get records to write."""

    texts: dict[int, str] = field(default_factory=dict)
    _ids: dict[str, list[int]] = field(default_factory=dict)
    """The ids of one schema; more than one where they were given by another registry."""
    _last_id: int = 0
    _versions: dict[str, dict[int, Registered]] = field(default_factory=dict)
    _levels: dict[str | None, str] = field(default_factory=dict)

    def fold(self, key: bytes, value: bytes | None) -> None:
        """Take in one message of the topic; raises `ValueError`, `KeyError` on a foreign one."""
        about = json.loads(key)
        said = json.loads(value) if value else None
        match about["keytype"]:
            case "SCHEMA" if said is not None:
                self._fold_schema(said)
            case "SCHEMA":  # deleted for good by another registry
                self._versions.get(about["subject"], {}).pop(about["version"], None)
            case "DELETE_SUBJECT" if said is not None:
                for one in list(self._versions.get(said["subject"], {}).values()):
                    if one.version <= said["version"]:
                        self._versions[one.subject][one.version] = replace(one, deleted=True)
            case "CONFIG" if said is not None:
                self._levels[about.get("subject")] = str(said["compatibilityLevel"])
            case "CONFIG":
                self._levels.pop(about.get("subject"), None)
            case _:  # NOOP, and what only others' registries know
                return

    def _fold_schema(self, said: dict[str, Any]) -> None:
        self._last_id = max(self._last_id, said["id"])
        if said.get("schemaType", "AVRO") != "AVRO":
            return
        one = Registered(
            said["subject"], said["version"], said["id"], said["schema"], bool(said.get("deleted"))
        )
        self._versions.setdefault(one.subject, {})[one.version] = one
        self.texts.setdefault(one.id, one.schema)
        ids = self._ids.setdefault(canonical(json.loads(one.schema)), [])
        if one.id not in ids:
            ids.append(one.id)

    # what is asked

    def subjects(self, *, deleted: bool = False, only: bool = False) -> list[str]:
        """Names of all subjects that have a version; `only`: a deleted one."""
        return sorted(
            name
            for name in tuple(self._versions)
            if any(one.deleted or not only for one in self._list(name, deleted=deleted))
        )

    def versions(self, subject: str, *, deleted: bool = False) -> list[Registered]:
        """A subject's versions, oldest first."""
        found = self._list(subject, deleted=deleted)
        if not found:
            raise Declined(404, 40401, f"Subject '{subject}' not found.")
        return found

    def version(self, subject: str, which: str, *, deleted: bool = False) -> Registered:
        """One version: a number, or `latest`."""
        found = self.versions(subject, deleted=deleted)
        if is_latest(which):
            return found[-1]
        if not re.fullmatch("[0-9]{1,10}", which) or not 0 < int(which) < 2**31:
            raise Declined(422, 42202, f"'{which}' is no version: a number from 1, or latest.")
        for one in found:
            if one.version == int(which):
                return one
        raise Declined(404, 40402, f"Version {which} not found.")

    def text(self, schema_id: int) -> str:
        """A schema by its id."""
        if schema_id not in self.texts:
            raise Declined(404, 40403, f"Schema {schema_id} not found")
        return self.texts[schema_id]

    def uses(self, schema_id: int, *, deleted: bool = False) -> list[Registered]:
        """Where an id is used."""
        self.text(schema_id)
        every = (
            one for name in sorted(self._versions) for one in self._list(name, deleted=deleted)
        )
        return [one for one in every if one.id == schema_id]

    def all_of(self, subject: str, *, deleted: bool = False) -> list[Registered]:
        """A subject's versions, oldest first; none where there is no such subject."""
        return self._list(subject, deleted=deleted)

    def registered(self, subject: str, schema: Any) -> Registered | None:
        """The version that is this very schema, if there is one."""
        ids = self._ids.get(canonical(schema), ())
        return next((one for one in self._list(subject) if one.id in ids), None)

    def hidden(self, subject: str, which: str | None) -> None:
        """Pass if a subject, or one version of it, is deleted already; else Confluent's refusal."""
        if which is None and any(not one.deleted for one in self.versions(subject, deleted=True)):
            raise Declined(
                404,
                40405,
                f"Subject '{subject}' was not deleted first before being permanently deleted",
            )
        if which is not None and not self.version(subject, which, deleted=True).deleted:
            raise Declined(404, 40407, f"Subject '{subject}' Version {which} was not deleted first before being "
                           "permanently deleted")  # fmt: skip

    def lookup(self, subject: str, schema: Any, *, deleted: bool = False) -> Registered:
        """The version of a subject that is this very schema."""
        ids = self._ids.get(canonical(schema), ())
        for one in self.versions(subject, deleted=deleted):
            if one.id in ids:
                return one
        raise Declined(404, 40403, "Schema not found")

    def level(self, subject: str | None, *, fall_back: bool = True) -> str:
        """The compatibility level that holds for a subject, or for all (None)."""
        found = self._levels.get(subject)
        if found is None and subject is not None and not fall_back:
            message = f"Subject '{subject}' does not have subject-level compatibility configured"
            raise Declined(404, 40408, message)
        return found or self._levels.get(None, DEFAULT)

    def has_level(self, subject: str) -> bool:
        """Whether a subject has a compatibility level of its own."""
        return subject in self._levels

    def breaks(self, subject: str, schema: Any, against: Iterable[Registered]) -> list[Break]:
        """What a schema would break after these versions, by the subject's level."""
        return breaks_any([guard(one.schema) for one in against], schema, self.level(subject))

    # what is to be written

    def register(self, subject: str, schema: Any) -> tuple[Registered, list[Record]]:
        """The version under which a guarded schema stands, and what to write first, if it's new."""
        there = self.registered(subject, schema)
        if there is not None:
            return there, []
        found = self.breaks(subject, schema, self._list(subject))
        if found:
            raise Declined(409, 409, "Schema being registered is incompatible with an earlier "
                           f"schema for subject '{subject}' (level {self.level(subject)}): "
                           + "; ".join(map(say, found)))  # fmt: skip
        schema_id = next(iter(self._ids.get(canonical(schema), ())), None)
        version = max(self._versions.get(subject, {}), default=0) + 1
        text = self.texts[schema_id] if schema_id else compact(schema)
        one = Registered(subject, version, schema_id or self._last_id + 1, text)
        return one, [_schema_record(one)]

    def delete_version(self, subject: str, which: str) -> tuple[int, list[Record]]:
        """Hide one version."""
        one = self.version(subject, which, deleted=which.isdigit())
        if one.deleted:
            raise Declined(
                404,
                40406,
                f"Subject '{subject}' Version {which} was soft deleted. Set permanent=true to delete permanently",
            )
        return one.version, [_schema_record(replace(one, deleted=True))]

    def delete_subject(self, subject: str) -> tuple[list[int], list[Record]]:
        """Hide all versions."""
        found = [one.version for one in self.versions(subject, deleted=True) if not one.deleted]
        if not found:
            raise Declined(
                404,
                40404,
                f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently",
            )
        key = {"keytype": "DELETE_SUBJECT", "subject": subject, "magic": 0}
        return found, [_record(key, {"subject": subject, "version": found[-1]})]

    def set_level(self, subject: str | None, level: str | None) -> list[Record]:
        """Change a compatibility level; None: back to what holds for all."""
        if level is not None and level not in MODES:
            raise Declined(422, 42203, f"'{level}' is no level: one of {', '.join(MODES)}.")
        key = {"keytype": "CONFIG", "subject": subject, "magic": 0}
        if level is None:
            return [(compact(key).encode(), b"")]
        return [_record(key, {"subject": subject, "compatibilityLevel": level})]

    def _list(self, subject: str, *, deleted: bool = False) -> list[Registered]:
        every = self._versions.get(subject, {})
        return [every[n] for n in sorted(every) if deleted or not every[n].deleted]


def say(one: Break) -> str:
    """A break in one line, with how to mend it."""
    return f"{one.path}: {one.detail}" + (f" -> {one.mend}" if one.mend else "")


def compact(value: Any) -> str:
    """JSON without spaces, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_latest(which: str) -> bool:
    """Whether a version in a path means the newest."""
    return which.strip().lower() in ("latest", "-1")


def canonical(schema: Any) -> str:
    """What makes two texts one schema: all but how it is written.

    White space, the order of keys, {"type": "int"}, and a full name in one or in two make no other.
    """
    return json.dumps(
        _simple(schema, ""), ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )


def _simple(schema: Any, space: str) -> Any:
    made = schema
    match schema:
        case str(word):
            made = word if word in PRIMITIVES else _full(word, space)
        case list():
            made = [_simple(branch, space) for branch in schema]
        case {"type": "record" | "error" | "enum" | "fixed", "name": str(name)}:
            full = _full(name, schema.get("namespace", space))
            made = {key: one for key, one in schema.items() if key != "namespace"} | {"name": full}
            if schema["type"] in ("record", "error"):
                inside = full.rpartition(".")[0]
                made["fields"] = [
                    {**one, "type": _simple(one["type"], inside)} for one in schema["fields"]
                ]
        case {"type": "array", "items": items}:
            made = {**schema, "items": _simple(items, space)}
        case {"type": "map", "values": values}:
            made = {**schema, "values": _simple(values, space)}
        case {"type": str(word)} if len(schema) == 1:
            made = _simple(word, space)
        case _:
            pass
    return made


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _schema_record(one: Registered) -> Record:
    key = {"keytype": "SCHEMA", "subject": one.subject, "version": one.version, "magic": 1}
    return _record(key, {**one.as_json(), "deleted": one.deleted})


def _record(key: dict[str, Any], value: dict[str, Any]) -> Record:
    return compact(key).encode(), compact(value).encode()
