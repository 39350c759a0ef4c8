"""Parquet: read by DuckDB where its types say the same as Arrow's, else by pyarrow, which keeps them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from osiris_core import DriftError
from osiris_core.data import osiris_type, refuse_unknown_types
from osiris_duckdb.files.relation import ROWS, Relation
from osiris_duckdb.instances import literal, quote
from osiris_duckdb.intake import storage_schema, stored
from osiris_duckdb.streams import Column
from osiris_duckdb.writing_types import KNOWN_OSIRIS_TYPES, created_type, fitted, scanned_types

_BATCH_ROWS = 65_536


def open_parquet(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Relation:
    """Parquet files of one schema as a relation. Raises DriftError when they differ or are no Parquet."""
    schema, rows = _schema(paths)
    if all(_same_in_duckdb(item) for item in schema):
        files = ", ".join(literal(str(path)) for path in paths)
        source = f"read_parquet([{files}], hive_partitioning = false)"
        types = [row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        columns = [Column(item.name, kind, item.nullable) for item, kind in zip(schema, types, strict=True)]
        return Relation(columns, [quote(item.name) for item in schema], source, tuple(paths), rows=rows)
    storage = storage_schema(schema)
    refuse_unknown_types(storage, KNOWN_OSIRIS_TYPES, "file.table")
    scanned = scanned_types(connection, storage)
    kinds = [created_type(connection, item, kind) for item, kind in zip(storage, scanned, strict=True)]
    values = [
        fitted(quote(item.name), item.name, item, before, after)
        for item, before, after in zip(storage, scanned, kinds, strict=True)
    ]
    columns = [Column(item.name, kind, item.nullable) for item, kind in zip(storage, kinds, strict=True)]

    def batches() -> Iterator[pa.RecordBatch]:
        for path in paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_BATCH_ROWS):
                    yield stored(batch, storage)

    return Relation(columns, values, ROWS, schema=storage, batches=batches, rows=rows)


def _schema(paths: Sequence[Path]) -> tuple[pa.Schema, int]:
    rows = 0
    first: pa.Schema | None = None
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow.remove_metadata()
                rows += file.metadata.num_rows
        except pa.ArrowInvalid as error:
            raise DriftError(f"{path.name} is not a Parquet file") from error
        if first is not None and not schema.equals(first):
            raise DriftError(f"{path.name} does not have the columns of {paths[0].name}")
        first = schema
    assert first is not None, "existing() gives at least one file"
    return first, rows


def _same_in_duckdb(item: pa.Field) -> bool:
    """Whether DuckDB's own Parquet reader gives the very values and type that Arrow would."""
    kind = item.type
    if osiris_type(item):
        return False
    types = pa.types
    if types.is_timestamp(kind):
        return bool(kind.unit == "us")
    if types.is_time(kind):
        return bool(kind.unit == "us")
    return bool(
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_decimal128(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_date32(kind)
    )
