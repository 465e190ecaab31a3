"""A batch: what a feed says behind a number, as one file and its manifest in a folder.

Each file appears in one piece, the data before the manifest, so a run that is killed leaves at most a
hidden `.part` that the next run removes; run again it goes on behind the last manifest. The access is
written down before a byte lies where the receiver can read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, cast

from crosstown.agreements.agreement import Agreement
from crosstown.errors import Refused
from crosstown.outward.feed_log import Said
from crosstown.outward.files import Format, Writer, writer
from crosstown.outward.manifest import ENDING, Manifest, Range, stem
from crosstown.outward.shelf import PART, Shelf
from crosstown.reading.opened import Row


class Asked(NamedTuple):
    """One batch: an agreement's numbers behind `after` up to `last`, onto `shelf`."""

    agreement: Agreement
    shelf: Shelf
    format: Format
    after: int
    last: int
    form: Any
    """The schema of its messages today, as JSON."""


@dataclass(slots=True)
class Counted:
    """What became of the numbers of one batch."""

    after: int
    count: int = 0
    first: int = 0
    last: int = 0
    missing: list[Range] = field(default_factory=list)
    left_out: list[Range] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last = self.after

    def skip(self, up_to: int) -> None:
        """Numbers before `up_to` that haven't come are missing."""
        if up_to > self.last + 1:
            self.missing.append(Range(first=self.last + 1, last=up_to - 1))
        self.last = max(self.last, up_to - 1)

    def take(self, number: int, *, written: bool) -> None:
        """A number was written, or left out."""
        self.skip(number)
        self.last = number
        if written:
            self.count += 1
            self.first = self.first or number
        elif self.left_out and self.left_out[-1].last == number - 1:
            self.left_out[-1] = Range(first=self.left_out[-1].first, last=number)
        else:
            self.left_out.append(Range(first=number, last=number))


def write_batch(
    asked: Asked, messages: Iterable[Said], opened: Callable[[bytes | None], Row], made_at: str
) -> Manifest:
    """Write the messages' file and its manifest; `opened` gives a value's fields in today's form."""
    counted = Counted(asked.after)
    name = f"{stem(asked.agreement.id, asked.after + 1, asked.last)}.{asked.format}"
    with asked.shelf.appearing(asked.agreement.id, name) as stream:
        _write(writer(asked.format, stream, asked.form), messages, opened, counted)
        counted.skip(asked.last + 1)
        sha256, size = _sum(stream)
    said = Manifest(
        agreement=asked.agreement.id, terms=asked.agreement.terms, purpose=asked.agreement.purpose,
        receiver=asked.agreement.receiver, format=asked.format, file=name, bytes=size,
        sha256=sha256, count=counted.count, after=asked.after, first=counted.first,
        last=counted.last, missing=tuple(counted.missing), left_out=tuple(counted.left_out),
        made_at=made_at, form=asked.form,
    )  # fmt: skip
    about = f"{stem(asked.agreement.id, asked.after + 1, asked.last)}{ENDING}"
    with asked.shelf.appearing(asked.agreement.id, about) as stream:
        stream.write(said.model_dump_json(indent=1).encode() + b"\n")
    return said


def remove_parts(shelf: Shelf, agreement: str) -> None:
    """Remove what runs that were killed have left; nobody else may be writing there."""
    for name in shelf.names():
        if name.startswith(f".{agreement}.") and name.endswith(PART):
            shelf.remove(name)


def _write(
    to: Writer, messages: Iterable[Said], opened: Callable[[bytes | None], Row], counted: Counted
) -> None:
    for said in messages:
        try:
            row = opened(said.value)
        except Refused:
            counted.take(said.number, written=False)
        else:
            to.write(row)
            counted.take(said.number, written=True)
    to.close()


def _sum(stream: BinaryIO) -> tuple[str, int]:
    """SHA-256 and size of what was written."""
    stream.flush()
    stream.seek(0)
    digest = hashlib.file_digest(cast("Any", stream), "sha256")
    return digest.hexdigest(), stream.tell()
