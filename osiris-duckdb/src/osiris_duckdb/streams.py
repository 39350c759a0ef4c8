"""A SELECT as an ``ArrowStream``: lazy, bounded in bytes, one snapshot, and open to being fused into another SELECT."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_core.data import BatchStream, rebatch
from osiris_core.data import field as arrow_field
from osiris_duckdb.errors import own_error
from osiris_duckdb.instances import interrupter, quote
from osiris_duckdb.reading_types import read_type

_VECTOR = 2048
_MOST_ROWS = 60 * _VECTOR
#: What a value of variable length is taken to need when the size of the first batch is guessed.
_GUESSED_TEXT_BYTES = 24


@dataclass(frozen=True)
class Column:
    """A column of a SELECT as DuckDB describes it."""

    name: str
    type: str
    nullable: bool = True
    computed: bool = False


def describe(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> list[Column]:
    """Names and types of a SELECT's result; nothing is read. Raises duckdb.Error."""
    rows = connection.execute(f"DESCRIBE {sql}", parameters or None).fetchall()
    return [Column(row[0], row[1], computed=True) for row in rows]


def select_list(columns: Sequence[Column]) -> list[str]:
    """The expressions that turn ``columns`` into what Arrow can say faithfully. Raises RunError where none does."""
    for column in columns:
        if not read_type(column.type).arrow:
            raise RunError(
                f'the column "{column.name}" ({column.type}) cannot be carried',
                code="OSI-R101",
                hint="convert it in the SQL",
            )
    return [_expression(column) for column in columns]


def _expression(column: Column) -> str:
    name = quote(column.name)
    sql = read_type(column.type, computed=column.computed).sql
    return name if sql == "{}" else f"{sql.format(name)} AS {name}"


def arrow_schema(columns: Sequence[Column], storage: pa.Schema) -> pa.Schema:
    """The schema of a stream over ``columns``: storage types as DuckDB hands them out, with our metadata."""
    return pa.schema(
        arrow_field(
            column.name,
            item.type,
            column.nullable,
            osiris=read_type(column.type, computed=column.computed).osiris,
            source=f"duckdb:{column.type}",
        )
        for column, item in zip(columns, storage, strict=True)
    )


def open_batches(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any, rows: int) -> pa.RecordBatchReader:
    """Run ``sql`` and stream its result; nothing is materialised. Raises duckdb.Error."""
    relation = connection.sql(sql, params=parameters or None)
    reader: pa.RecordBatchReader = relation.to_arrow_reader(rows)
    return reader


def rows_per_batch(schema: pa.Schema, batch_bytes: int) -> int:
    """How many rows are about ``batch_bytes``, in whole vectors of DuckDB."""
    width = sum(_width(item.type) for item in schema) or 1
    vectors = max(1, batch_bytes // width // _VECTOR)
    return min(int(vectors) * _VECTOR, _MOST_ROWS)


def _width(kind: pa.DataType) -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return _GUESSED_TEXT_BYTES


@dataclass
class Source:
    """What a stream of ours would read, for a consumer that can read it itself.

    Attributes:
        sql: a SELECT with the stream's columns in DuckDB's own types.
        parameters: by name.
        columns: of that SELECT.
        database: the DuckDB file it must run in, None when it only reads ``files``.
        files: absolute paths of the files it reads.
        started: rows have been handed out, or a consumer has taken the read over.
        infinite_dates: the consumer knows DuckDB's ``infinity``; others would see a date.
    """

    sql: str
    parameters: Mapping[str, Any]
    columns: Sequence[Column]
    database: Path | None = None
    files: tuple[Path, ...] = ()
    started: bool = False
    infinite_dates: bool = False


class QueryStream(BatchStream):
    """Rows of one SELECT. ``source`` says what it is as long as nothing was read."""

    def __init__(
        self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], source: Source | None, **options: Any
    ) -> None:
        super().__init__(schema, batches, **options)
        self.source = source


@dataclass
class Run:
    """How to run a SELECT when the first batch is asked for.

    ``connect`` opens a connection and returns it with what gives it back.
    """

    connect: Callable[[], tuple[duckdb.DuckDBPyConnection, Callable[[], None]]]
    sql: str
    parameters: Mapping[str, Any]
    schema: pa.Schema
    batch_bytes: int
    source: Source | None = None
    on_cancel: Callable[[Callable[[], None]], None] = lambda interrupt: None
    #: Called on the connection, inside the read's transaction, before the first batch.
    prepare: Callable[[duckdb.DuckDBPyConnection], None] = field(default=lambda connection: None)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in one read transaction that ends with the generator."""
        if self.source is not None:
            self.source.started = True
        connection, give_back = self.connect()
        self.on_cancel(interrupter(connection))
        infinite = _Infinite(self.schema, self.source)
        reader = None
        try:
            connection.execute("BEGIN TRANSACTION")
            self.prepare(connection)
            rows = rows_per_batch(self.schema, self.batch_bytes)
            reader = open_batches(connection, self.sql, self.parameters, rows)
            for batch in rebatch(reader, self.batch_bytes):
                infinite.refuse(batch)
                yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)
        except OSError as error:
            raise own_error(error) from error
        finally:
            if reader is not None:
                reader.close()
            try:
                connection.execute("ROLLBACK")
            except duckdb.Error:  # the statement failed and took its transaction along
                pass
            give_back()


class _Infinite:
    """DuckDB's infinite dates look like the year 294247 to everyone else: refused unless the consumer knows them."""

    _SPECIAL: Mapping[str, tuple[int, ...]] = {
        "date32[day]": (2**31 - 1, -(2**31 - 1)),
        "timestamp": (2**63 - 1, -(2**63 - 1)),
    }

    def __init__(self, schema: pa.Schema, source: Source | None) -> None:
        self._source = source
        self._columns = [
            (index, values)
            for index, item in enumerate(schema)
            if (values := self._SPECIAL.get(re.sub(r"\[(s|ms|us|ns).*", "", str(item.type))))
        ]

    def refuse(self, batch: pa.RecordBatch) -> None:
        if self._source is not None and self._source.infinite_dates:
            return
        for index, (highest, lowest) in self._columns:
            column = batch.column(index)
            numbers = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
            ends = pc.min_max(numbers)
            if ends["max"].as_py() == highest or ends["min"].as_py() == lowest:
                raise RunError(
                    f'column "{batch.schema.field(index).name}" holds an infinite date, which Arrow cannot say',
                    code="OSI-R102",
                    hint="leave such rows out with where, or use a query that casts the column to text",
                )
