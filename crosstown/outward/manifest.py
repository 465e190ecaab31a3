"""A batch's manifest: what a file holds, so that its receiver can tell whether all of it has come.

`<agreement>.<first>-<last>.manifest.json` beside the data file, written last: what no manifest names
isn't there yet. Numbers in names have twelve digits, so that names sort as the numbers do.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crosstown.errors import Stop
from crosstown.outward.shelf import Shelf

ENDING: Final = ".manifest.json"


class Range(BaseModel):
    """Numbers from `first` to `last`, both included."""

    model_config = ConfigDict(frozen=True)

    first: int = Field(ge=1)
    last: int = Field(ge=1)


class Manifest(BaseModel):
    """What one batch holds: the messages of a feed after the number `after`, up to `last`."""

    model_config = ConfigDict(frozen=True)

    agreement: str
    terms: str
    """SHA-256 of the agreement's terms under which this went out."""
    purpose: str
    receiver: str
    format: Literal["ndjson", "csv", "parquet"]
    file: str
    bytes: int
    sha256: str
    """Of the file, 64 hex digits."""
    count: int
    """Messages in the file: rows, without CSV's head."""
    after: int = Field(ge=0)
    first: int = Field(ge=0)
    """The first number in it; 0 where it has none."""
    last: int = Field(ge=1)
    """With which number the next batch goes on: behind this one."""
    missing: tuple[Range, ...] = ()
    """Numbers that Kafka doesn't hold any more: they were due before the feed's time was over."""
    left_out: tuple[Range, ...] = ()
    """Numbers that were said under other terms and can't be read in today's form."""
    made_at: str
    form: Any = None
    """The Avro schema of the messages."""


def stem(agreement: str, first: int, last: int) -> str:
    """The beginning of both files' names."""
    return f"{agreement}.{first:012d}-{last:012d}"


def newest(shelf: Shelf, agreement: str) -> int:
    """Behind which number an agreement's next batch goes on; 0 where no manifest is there.

    Raises `Stop` where the manifest that the name says is the last can't be read, or is another's.
    """
    pattern = re.compile(rf"{re.escape(agreement)}\.\d{{12}}-(\d{{12}}){re.escape(ENDING)}")
    found = [(int(match[1]), one) for one in shelf.names() if (match := pattern.fullmatch(one))]
    if not found:
        return 0
    number, name = max(found)
    try:
        said = Manifest.model_validate_json(shelf.read(name))
    except ValidationError as error:
        raise _unfit(name, f"can't be read: {error.errors()[0]['msg']}") from None
    if (said.agreement, said.last) != (agreement, number):
        raise _unfit(name, f"speaks of {said.agreement[:80]} up to {said.last}")
    return number


def _unfit(name: str, why: str) -> Stop:
    return Stop(
        f"{name} {why}", mend="put it back as it was, or say where to go on: --since NUMBER"
    )
