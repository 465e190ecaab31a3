"""The records that were asked for: one by one, or all as a table of the analyst's library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, Final, Self

from crosstown.errors import Refused, Stop
from crosstown.reading.columns import EVIDENCE, Columns
from crosstown.reading.extract import Extract
from crosstown.reading.opened import FRAME, Opener, Row, as_json

BATCH: Final = 10_000


class Records(Iterator[Row]):
    """An iterator of rows, once through; or a table, which is read when it is first asked for.

    Memory: a row when iterating; the table when there is one.
    """

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._rows: Iterator[Row] | None = None
        self._table: Any = None

    @property
    def unreadable(self) -> Mapping[str, int]:
        """How many messages, or payloads, couldn't be opened so far, by reason."""
        return dict(self._extract.problems)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Row:
        if self._table is not None:
            raise Stop("these records are a table already", mend="use it, or call read again")
        if self._rows is None:
            self._rows = self._extract.rows(payloads=True)
        try:
            return next(self._rows)
        except StopIteration:
            self._extract.warn()
            raise

    def arrow(self) -> Any:
        """A `pyarrow.Table`."""
        _library("pyarrow")
        if self._table is None:
            if self._rows is not None:
                raise Stop("some of these records were read one by one", mend="call read again")
            self._table = self._read()
        return self._table

    def pandas(self) -> Any:
        """A `pandas.DataFrame` on Arrow's types: whole numbers stay whole where some are absent."""
        pandas = _library("pandas", "pyarrow")
        return self.arrow().to_pandas(types_mapper=pandas.ArrowDtype)

    def polars(self) -> Any:
        """A `polars.DataFrame`."""
        return _library("polars", "pyarrow").from_arrow(self.arrow())

    def duckdb(self, connection: Any = None) -> Any:
        """A DuckDB relation, of the default connection unless one is given."""
        duckdb = _library("duckdb", "pyarrow")
        return (connection or duckdb).from_arrow(self.arrow())

    def _read(self) -> Any:
        import pyarrow as pa

        columns: Columns | None = None
        batches: list[Any] = []
        rows = self._extract.rows(payloads=False)
        while chunk := list(islice(rows, BATCH)):
            columns = columns or Columns(self._extract.form, EVIDENCE)
            batches.append(columns.batch(chunk))
        columns = columns or Columns(self._extract.form, EVIDENCE)
        table = pa.Table.from_batches(batches, columns.schema)
        if self._extract.payloads:
            table = self._opened(table, self._extract.payloads)
        self._extract.warn()
        return table

    def _opened(self, table: Any, payloads: Opener) -> Any:
        """The payloads as structs where one schema opens them all, else as JSON text."""
        import pyarrow as pa

        column = table.column("payload")
        form = _only(column.chunks, payloads)
        columns = Columns(form) if form else None
        chunks = []
        for chunk in column.chunks:
            rows = [self._payload(one, payloads) for one in chunk.to_pylist()]
            chunks.append(columns.structs(rows) if columns else pa.array(_texts(rows), pa.string()))
        kind = chunks[0].type if chunks else pa.string()
        return table.set_column(
            table.column_names.index("payload"), "payload", pa.chunked_array(chunks, kind)
        )

    def _payload(self, value: bytes, payloads: Opener) -> Row | None:
        try:
            return payloads.row(value)
        except Refused as error:
            self._extract.problem(None, error)
            return None


def _only(chunks: Sequence[Any], payloads: Opener) -> Any:
    """The one schema that all these messages were written with; None where there are several."""
    heads = {one[:FRAME] for chunk in chunks for one in chunk.to_pylist()}
    try:
        return payloads.writer(heads.pop()) if len(heads) == 1 else None
    except Refused:
        return None


def _texts(rows: Sequence[Row | None]) -> list[str | None]:
    return [None if row is None else as_json(row) for row in rows]


def _library(*names: str) -> Any:
    """The first of these libraries; `Stop` with the line that installs them where one is missing."""
    try:
        found = [import_module(name) for name in names]
    except ImportError:
        raise Stop(f"{names[0]} isn't here (or not {' and '.join(names[1:]) or 'whole'})",
                   mend=f"pip install {' '.join(names)}") from None  # fmt: skip
    return found[0]
