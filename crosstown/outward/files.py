"""A batch's rows as a file: a JSON object a line, CSV, or Parquet; one row at a time, or by thousands.

NDJSON is the message as it is. CSV and Parquet are flat (crosstown/outward/flat.py): in CSV moments are
ISO 8601 with Z, lists JSON, absent is empty, and a text that a spreadsheet would take for a formula has
an apostrophe before it.
"""

from __future__ import annotations

import csv
import datetime as dt
from io import TextIOWrapper
from typing import Any, BinaryIO, Final, Literal, Protocol

from crosstown.errors import Stop
from crosstown.feeds.json_line import json_line
from crosstown.outward.flat import flat_form, flat_row
from crosstown.reading.columns import Columns
from crosstown.reading.opened import Row, as_json
from crosstown.registry.read_back import plain_text

Format = Literal["ndjson", "csv", "parquet"]
GROUP: Final = 10_000
"""Rows of a Parquet row group, and so the most that are in memory."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Writer(Protocol):
    """Writes a batch's rows; nothing is whole before `close`."""

    def write(self, row: Row) -> None:
        """One message's fields."""

    def close(self) -> None:
        """Write what is left; the stream stays open."""


def writer(kind: Format, stream: BinaryIO, form: Any) -> Writer:
    """The writer of a format; `form` is the schema of the messages, as JSON.

    Raises `Stop` where the library for Parquet isn't here.
    """
    match kind:
        case "ndjson":
            return Lines(stream)
        case "csv":
            return Csv(stream, form)
        case "parquet":
            return Parquet(stream, form)


class Lines:
    """A JSON object a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, row: Row) -> None:
        """One line."""
        self._stream.write(json_line(row) + b"\n")

    def close(self) -> None:
        """Every line was written at once."""


class Csv:
    """A head and a line a message, UTF-8, lines end with CR LF (RFC 4180)."""

    def __init__(self, stream: BinaryIO, form: Any) -> None:
        self._form = flat_form(form)
        self._text = TextIOWrapper(stream, "utf-8", newline="", write_through=True)
        self._csv = csv.writer(self._text)
        self._csv.writerow(one["name"] for one in self._form["fields"])

    def write(self, row: Row) -> None:
        """One line."""
        self._csv.writerow(_cell(value) for value in flat_row(row, self._form).values())

    def close(self) -> None:
        """Let go of the stream."""
        self._text.detach()


class Parquet:
    """Columns of Arrow's types, as `crosstown.Client` has them; zstd."""

    def __init__(self, stream: BinaryIO, form: Any) -> None:
        try:
            import pyarrow.parquet as pq
        except ImportError:
            raise Stop("pyarrow isn't here, and Parquet needs it",
                       mend="pip install pyarrow, or take --format ndjson") from None  # fmt: skip
        self._form = flat_form(form)
        self._columns = Columns(self._form)
        self._rows: list[Row] = []
        self._file = pq.ParquetWriter(stream, self._columns.schema, compression="zstd")

    def write(self, row: Row) -> None:
        """One row; they're written by the row group."""
        self._rows.append(flat_row(row, self._form))
        if len(self._rows) >= GROUP:
            self._group()

    def close(self) -> None:
        """Write the last group and the footer."""
        if self._rows:
            self._group()
        self._file.close()

    def _group(self) -> None:
        self._file.write_batch(self._columns.batch(self._rows))
        self._rows.clear()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case bool() | list() | dict():
            return as_json(value)
        case dt.datetime() | bytes():
            return str(plain_text(value))
        case _:
            return str(value)
