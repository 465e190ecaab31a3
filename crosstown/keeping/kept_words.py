"""What people said, kept beside a backup: erasures, holds, links, notes, agreements' words, valid keys.

A backup knows nothing of what was said after it, and no source says these things again. So they are
kept in a small file of their own, as often as one likes and while everything runs. A restored home is
given the newest such file and says what it doesn't know, before any program starts: what was erased or
revoked meanwhile stays so. Source of the rules: docs/decisions/0039.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from crosstown.agreements.word_log import read, say
from crosstown.agreements.words import Word
from crosstown.avro.json_body import JsonBody
from crosstown.casebook.lookup import Lookup
from crosstown.contracts.checked import Checker
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Key
from crosstown.errors import Refused, Stop
from crosstown.gateway.keys import KeyFile
from crosstown.home import Endpoints, Home
from crosstown.private import write_private
from crosstown.publishing.ledger import Ledger
from crosstown.publishing.sending import Sending
from crosstown.source import Said

if TYPE_CHECKING:
    from crosstown.settings import Settings

_BY_TYPE: Final = {"record": "any/erasures", "link": "any/links", "note": "any/notes"}
"""The first word of an event's type, and the contract that people's words of it are said under."""
_MOST: Final = 1 << 30
"""Bytes of a file that are read at all."""


class Event(BaseModel):
    """One saying: its contract, the body as JSON, when it was known (microseconds UTC), and how."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    contract: Literal["any/erasures", "any/links", "any/notes"]
    body: dict[str, Any]
    known_at: int
    via: str


class Kept(BaseModel):
    """All of it; `erasure_key` is the fingerprint of the key under which erased records are named."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    form: Literal[1] = 1
    taken_at: str
    erasure_key: str
    events: list[Event]
    words: list[Word]
    keys: dict[str, list[str]]
    """By agency the SHA-256 of its keys to the gateway that were valid."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many orders, links and notes, and how many words on agreements were said."""

    events: int
    words: int


def keep(settings: Settings, where: Endpoints, to: Path) -> Kept:
    """Write all that people have said so far to `to`; a file that is there is replaced in one piece."""
    home, now = Home(settings.home), time.time_ns() // 1000
    lookup = Lookup(settings)
    try:
        rows = lookup.store.rows(
            "select type, body, known_at, via from raw_versions where body is not null and"
            " (type like 'record.%' or type like 'link.%' or type = 'note') order by known_at"
        )
        notes = JsonBody(Repository.of(settings).contracts["any/notes"].schema)
        events = [
            Event(contract=_BY_TYPE[row["type"].partition(".")[0]], body=body,  # type: ignore[arg-type]
                  known_at=row["known_at"], via=row["via"])
            for row in rows
            if _is_ours(row["type"], body := json.loads(row["body"]), notes)
        ]  # fmt: skip
    finally:
        lookup.close()
    kept = Kept(
        taken_at=datetime.now(UTC).isoformat(), events=events, words=read(settings, where),
        erasure_key=Key(home.erasure_key(settings)).fingerprint,
        keys={agency: [secret.sha256 for secret in key.still(now).secrets]
              for agency, key in KeyFile(home.keys).read().items()},
    )  # fmt: skip
    part = to.with_name(f"{to.name}.{os.getpid()}.part")
    try:
        write_private(part, kept.model_dump_json(indent=1))
        part.replace(to)
    except OSError as error:
        raise Stop(f"{to} can't be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return kept


def _is_ours(kind: str, body: dict[str, Any], notes: JsonBody) -> bool:
    """Whether people said it here: events of an agency's own may be of type `note`, too."""
    if kind != "note":
        return True
    try:
        notes.read(body)
    except Refused:
        return False
    return True


def read_kept(file: Path) -> Kept:
    """What a file holds; `Stop` where it can't be read, `Refused` where it isn't what was written."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST)
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror or error}") from None
    try:
        return Kept.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"])) or "the whole"
        raise Refused("words_damaged", f"{file}: {at}: {first['msg']}",
                      mend="name what `crosstown backup --words FILE` wrote") from None  # fmt: skip


def leave(settings: Settings, kept: Kept, home: Home) -> None:
    """Leave what was kept in a restored home: it's said when that is started next.

    Keys to the gateway that aren't valid any more end at once. Raises `Refused` where the home names
    erased records under another key: its orders would name nobody.
    """
    own = Key(home.erasure_key(settings)).fingerprint
    if any(one.contract == "any/erasures" for one in kept.events) and own != kept.erasure_key:
        raise Refused("other_erasure_key", f"the words name erased records under the key {kept.erasure_key},"
                      f" this home under {own}", mend="set CROSSTOWN_ERASURE_KEY to that of the lost home")  # fmt: skip
    KeyFile(home.keys).only({one for hashes in kept.keys.values() for one in hashes})
    write_private(home.kept_words, kept.model_dump_json())


def say_kept(settings: Settings, where: Endpoints) -> Count:
    """Say what was left in this home and isn't known.

    Safe to begin again: who knows an event or a word isn't told twice. `Stop` where one can't be said.
    """
    home = Home(settings.home)
    kept = read_kept(home.kept_words)
    known = {word.key for word in read(settings, where)}
    new = [word for word in kept.words if word.key not in known]
    for word in new:
        say(settings, where, word)
    said = _say_events(settings, where, home, kept.events)
    home.kept_words.unlink()
    return Count(said, len(new))


def _say_events(settings: Settings, where: Endpoints, home: Home, events: list[Event]) -> int:
    now = time.time_ns() // 1000
    checker = Checker(contracts := Repository.of(settings), now, now)
    readers = {name: JsonBody(contracts.contracts[name].schema) for name in {e.contract for e in events}}  # fmt: skip
    counted: list[bool] = []
    with Ledger(home.ledger) as ledger, Sending(settings, where, ledger) as sending:
        for number, one in enumerate(events):
            try:
                body = readers[one.contract].read(one.body)
                said = Said(one.contract, body["agency"], body, number, one.known_at, one.via)
                sending.send(checker.check(said), counted.append)
            except Refused as error:
                raise Stop(f"a word that was kept can't be said again, {one.contract}"
                           f" {one.body.get('record')}: {error}",
                           mend=f"put right what it names; it waits in {home.kept_words}") from None  # fmt: skip
        sending.finish()
        if sending.unacknowledged:
            raise Stop(f"Kafka hasn't taken {sending.unacknowledged} of the words that were kept",
                       mend="start it again: crosstown up")  # fmt: skip
    return sum(counted)


def counted(kept: Kept) -> dict[str, int]:
    """How many of each kind there are, by name."""
    kinds = [one.contract.removeprefix("any/") for one in kept.events]
    return {**{name: kinds.count(name) for name in ("erasures", "links", "notes")},
            "agreements": len(kept.words), "keys": len(kept.keys)}  # fmt: skip
