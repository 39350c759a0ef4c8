"""Rows on their way into DuckDB: any Arrow stream as a view that one statement may scan once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_core.data import as_reader, osiris_type
from osiris_core.data import field as arrow_field
from osiris_duckdb.streams import Source


class Intake:
    """A stream registered on ``connection`` as the view ``name``.

    DuckDB passes on only the text of what a producer raises, so the error itself is kept: use it as a context
    manager around the statement, and the producer's own error comes out.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, stream: Any) -> None:
        self.rows = 0
        self._connection = connection
        self._name = name
        self.error: BaseException | None = None
        if (source := own_source(stream)) is not None:
            source.infinite_dates = True
        self._reader = as_reader(stream)
        self.schema = storage_schema(self._reader.schema)

    def __enter__(self) -> Intake:
        self.register()
        return self

    def register(self) -> None:
        """Make the view; without the context manager ``error`` is for the caller to look at."""
        rows = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        self._connection.register(self._name, rows)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self._connection.unregister(self._name)
        except duckdb.Error:  # the statement failed and took its transaction along; the view goes with it
            if error is None:
                raise
        if self.error is not None:
            raise self.error from error

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._reader:
                self.rows += batch.num_rows
                yield stored(batch, self.schema)
        except GeneratorExit:  # the statement itself failed and wants no more
            raise
        except BaseException as error:
            self.error = error
            raise


def own_source(stream: Any) -> Source | None:
    """What a stream of ours would read, as long as nothing of it was read; wrappers say ``origin``."""
    seen = 0
    while stream is not None and seen < 8:
        source = getattr(stream, "source", None)
        if isinstance(source, Source):
            return None if source.started else source
        stream = getattr(stream, "origin", None)
        seen += 1
    return None


def storage_schema(schema: pa.Schema) -> pa.Schema:
    """``schema`` with every type that DuckDB cannot scan, or would cut, replaced by one that holds the same."""
    return pa.schema([_storage_field(item) for item in schema], schema.metadata)


def stored(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """``batch`` in its ``storage_schema``. Raises RunError (OSI-R102) for a value that would be cut."""
    columns = []
    for column, item in zip(batch.columns, schema, strict=True):
        if column.type.equals(item.type):
            columns.append(column)
            continue
        try:
            columns.append(pc.cast(column, item.type, safe=True))
        except pa.ArrowInvalid as error:
            raise RunError(
                f'column "{item.name}" ({column.type}) holds a value that {item.type} would cut', code="OSI-R102"
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _storage_field(item: pa.Field) -> pa.Field:
    storage, osiris = _storage(item.type)
    if osiris and not osiris_type(item):
        marked = arrow_field(item.name, storage, item.nullable, osiris=osiris)
        return marked.with_metadata({**(item.metadata or {}), **marked.metadata})
    return item.with_type(storage)


def _storage(kind: pa.DataType) -> tuple[pa.DataType, str]:
    """The type to hand to DuckDB, and the osiris.type that it then needs."""
    if pa.types.is_decimal(kind):
        if kind.precision <= 38 and kind.scale >= 0:
            return (pa.decimal128(kind.precision, kind.scale), "") if pa.types.is_decimal256(kind) else (kind, "")
        return pa.string(), "decimal"
    if pa.types.is_float16(kind):
        return pa.float32(), ""
    if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit != "us":
        return pa.timestamp("us", kind.tz), ""
    if pa.types.is_duration(kind) and kind.unit != "us":
        return pa.duration("us"), ""
    return kind, ""
