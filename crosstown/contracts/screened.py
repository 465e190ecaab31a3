"""What a contract has screened in its bodies, and what becomes of what is found.

Pure. `Rules.look` is called for each message; whoever finds something goes the slow way. Source of the
rules: docs/decisions/0017.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from crosstown.avro.resolution import Placed, branches, kind, same_name, twin, whole
from crosstown.contracts.mapping import EnvelopeMap, Expression
from crosstown.errors import Refused
from crosstown.screen.personal_names import name_words
from crosstown.screen.screening import kinds, masked, screen
from crosstown.screen.telltale import Finding

Action = Literal["mask", "flag", "refuse", "none"]
IN_WORDS: Final = {
    "card": "a card number", "ssn": "a social security number", "phone": "a telephone number",
    "email": "an e-mail address", "name": "a person's name",
}  # fmt: skip


class Screening(BaseModel):
    """What a contract says of its texts; `names` are fields whose values are people's names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: dict[str, Action] = {}
    names: tuple[str, ...] = ()
    known_names: tuple[str, ...] = ()


class Hit(NamedTuple):
    """A kind that was found in a field, and what the contract does then."""

    field: str
    kind: str
    action: Action


@dataclass(frozen=True, slots=True)
class Rules:
    """A contract's `Screening`, ready for use; `fields` are those in which something is looked for."""

    fields: tuple[tuple[str, Action], ...] = ()
    names: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    @classmethod
    def of(cls, said: Screening) -> Rules:
        """The rules that a contract states."""
        looked = tuple((name, action) for name, action in said.fields.items() if action != "none")
        known = tuple(word for name in said.known_names for word in name_words(name))
        return cls(looked, said.names, known)

    def with_unknown(self, schema: Mapping[str, Any], known: Mapping[str, Any]) -> Rules:
        """The same for bodies of another schema: of what the contract doesn't know text is masked.

        A field in which a part isn't known is masked as a whole.
        """
        ours = {name: [declared] for name, declared in _fields(known)}
        closed = {name for name, action in self.fields if action in ("mask", "refuse")}
        more: list[tuple[str, Action]] = [
            (name, "mask")
            for name, declared in _fields(schema)
            if name not in closed and _unknown_text(declared, ours.get(name, []))
        ]
        return Rules((*self.fields, *more), self.names, self.known)

    @property
    def closes(self) -> bool:
        """Whether what is found may be too much for a dead letter: something is masked or refused."""
        return any(action in ("mask", "refuse") for _, action in self.fields)

    def look(self, body: Mapping[str, Any]) -> tuple[Hit, ...]:
        """What is found in a body; mostly nothing. Names aren't looked for in their own field."""
        words = self._words(body) if self.names else self.known
        hits: tuple[Hit, ...] = ()
        for name, action in self.fields:
            value = body.get(name)
            if not value:
                continue
            own = () if name in self.names else words
            if type(value) is str and value[0] not in "{[":
                if found := screen(value, own):
                    hits += tuple(Hit(name, kind, action) for kind in kinds(found))
            else:
                _, seen = _walked(value, own)
                hits += tuple(Hit(name, kind, action) for kind in kinds(seen))
        return hits

    def masked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with what is found masked where the contract says so."""
        words = self._words(body) if self.names else self.known
        made = dict(body)
        for name, action in self.fields:
            if action == "mask" and made.get(name):
                made[name], _ = _walked(made[name], () if name in self.names else words)
        return made

    def _words(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        words = self.known
        for name in self.names:
            value = body.get(name)
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if one and isinstance(one, str):
                    words += name_words(one[:200])
        return words


def settle(hits: Sequence[Hit]) -> tuple[bool, tuple[str, ...]]:
    """Whether something is to be masked, and the flags; raises `Refused` where the contract says so."""
    for hit in hits:
        if hit.action == "refuse":
            raise Refused("screened", f"{hit.field} holds {IN_WORDS[hit.kind]}", field=hit.field,
                          mend="take it out and publish it again; or let the contract mask it",
                          closed=True)  # fmt: skip
    flags = [f"screened_{hit.kind}" for hit in hits if hit.action == "flag"]
    return any(hit.action == "mask" for hit in hits), tuple(dict.fromkeys(flags))


def _walked(value: Any, words: Sequence[str]) -> tuple[Any, tuple[Finding, ...]]:
    """A value of a body with its texts masked, and what was found; bytes aren't looked into."""
    match value:
        case str():
            return _text(value, words)
        case list():
            pairs = [_walked(one, words) for one in value]
            return [one for one, _ in pairs], _sum(found for _, found in pairs)
        case (str() as branch, inner):  # a branch of a union, as the codec names it
            made, found = _walked(inner, words)
            return (branch, made), found
        case dict():
            keys = _sum(screen(key, words) for key in value)
            both = {key: _walked(one, words) for key, one in value.items()}
            made = _keyed(((key, one) for key, (one, _) in both.items()), words)
            return made, keys + _sum(found for _, found in both.values())
        case _:
            return value, ()


def _text(text: str, words: Sequence[str]) -> tuple[str, tuple[Finding, ...]]:
    """A text, masked; one that is JSON stays JSON, whatever its numbers and escapes hide."""
    found = screen(text, words)
    if text[:1] in ("{", "[") and (found or "\\" in text):
        inside: list[Finding] = []
        try:
            made = _json(json.loads(text), words, inside)
        except (ValueError, RecursionError):
            return masked(text, found), found
        if inside:
            text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
            left = screen(text, words)
            return masked(text, left), (*inside, *left)
    return masked(text, found), found


def _json(value: Any, words: Sequence[str], inside: list[Finding]) -> Any:
    match value:
        case dict():
            inside += _sum(screen(key, words) for key in value)
            return _keyed(((key, _json(one, words, inside)) for key, one in value.items()), words)
        case list():
            return [_json(one, words, inside) for one in value]
        case bool() | None:
            return value
        case _:
            text = value if isinstance(value, str) else repr(value)
            if not (found := screen(text, words)):
                return value
            inside += found
            return masked(text, found)


def _keyed(items: Iterator[tuple[str, Any]], words: Sequence[str]) -> dict[str, Any]:
    """A map whose keys are masked; those that then are alike are numbered, so that none is lost."""
    made: dict[str, Any] = {}
    for key, value in items:
        plain = masked(key, screen(key, words))
        made[plain if plain not in made else f"{plain} {len(made)}"] = value
    return made


def _sum(several: Iterator[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    return tuple(one for found in several for one in found)


def text_fields(schema: Mapping[str, Any]) -> dict[str, bool]:
    """The fields of an Avro record that can hold text; true for those that are text or a list of it."""
    there = {name for name, declared in _fields(schema) if _unknown_text(declared, [])}
    return {one["name"]: _is_text(one["type"]) for one in schema["fields"] if one["name"] in there}


def _fields(schema: Mapping[str, Any]) -> list[tuple[str, Placed]]:
    record = whole(schema)
    return [(one["name"], record.inner(one["type"])) for one in schema["fields"]]


def _unknown_text(written: Placed, known: list[Placed]) -> bool:
    """Whether a writer's type can hold text where none of the contract's types in its place can."""
    a = written.type
    if isinstance(a, list):
        return any(_unknown_text(branch, known) for branch in branches(written))
    alike = [y for one in known for y in branches(one)
             if kind(y.type) == kind(a) and same_name(y.type, a)]  # fmt: skip
    match kind(a):
        case "string":
            return not alike
        case "map":
            inside = [y.inner(y.type["values"]) for y in alike]
            return not alike or _unknown_text(written.inner(a["values"]), inside)
        case "array":
            return _unknown_text(
                written.inner(a["items"]), [y.inner(y.type["items"]) for y in alike]
            )
        case "record":
            read = [(twin(one, a), y.inner(one["type"])) for y in alike for one in y.type["fields"]]
            return any(
                _unknown_text(written.inner(one["type"]), [y for other, y in read if other is one])
                for one in a["fields"]
            )
        case _:
            return False


def _is_text(declared: Any) -> bool:
    match declared:
        case list():
            return all(_is_text(one) for one in declared if one != "null")
        case {"type": "array", "items": inner}:
            return bool(inner == "string")
        case {"type": inner}:
            return _is_text(inner)
        case _:
            return bool(declared == "string")


def problem(
    said: Screening, schema: Mapping[str, Any], envelope: EnvelopeMap, identity: Sequence[str]
) -> tuple[tuple[str | int, ...], str] | None:
    """What in it can't be, as where under `screening` and why; None: it can.

    A masked field may be in the headline and nowhere else in the envelope: what joins records, or tells
    happenings apart, would join strangers.
    """
    there = {field["name"] for field in schema["fields"]}
    texts = text_fields(schema)
    used = _used(envelope, identity)
    for name, action in said.fields.items():
        at = ("fields", name)
        if name not in there:
            return at, f"the schema has no field {name}"
        if name not in texts and action != "none":
            return at, f"{name} can't hold text"
        if action == "mask" and name in used:
            return at, f"{name} can't be masked: it goes into {used[name]}"
    for number, name in enumerate(said.names):
        if name not in there:
            return ("names", number), f"the schema has no field {name}"
        if not texts.get(name):
            return ("names", number), f"{name} is neither text nor a list of texts"
    return None


def _used(envelope: EnvelopeMap, identity: Sequence[str]) -> dict[str, str]:
    """What each body field goes into, the headline left out."""
    used = dict.fromkeys(identity, "identity")
    for part in type(envelope).model_fields:
        said = getattr(envelope, part)
        for one in said if isinstance(said, tuple) else (said,):
            if isinstance(one, Expression) and part != "headline":
                used |= dict.fromkeys(one.fields, part)
    return used
