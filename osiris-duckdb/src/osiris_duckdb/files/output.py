"""Rows into a file of one format: text by DuckDB, Parquet by pyarrow. Nothing is rounded on the way.

CSV: UTF-8, NULL is the unquoted ``null_text``, an empty text is ``""``. JSON Lines: decimals keep every digit, JSON
columns their text, NaN and infinity are an error. Bytes are written as hexadecimal digits in both. Parquet keeps the
Arrow types and their ``osiris.type``; a calendar interval is kept as DuckDB's text.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from osiris_core import DriftError, RunError, StepContext, did_you_mean
from osiris_core.data import as_reader, osiris_type, private_opener, refuse_unknown_types, source_type
from osiris_core.data import field as arrow_field
from osiris_duckdb.files.csv_files import column_names, count_rows
from osiris_duckdb.files.relation import Options
from osiris_duckdb.instances import interrupter, literal, locked_down, one, quote
from osiris_duckdb.intake import Intake, stored
from osiris_duckdb.streams import open_batches
from osiris_duckdb.writing_types import KNOWN_OSIRIS_TYPES, scanned_types

_VIEW = "_osiris_rows"
_ROW_GROUP_ROWS = 122_880
_COPY_BYTES = 4 * 1024 * 1024
_BATCH_ROWS = 40_960
#: The rights of a file in the making; those of the file come with its name.
_OWNER_ONLY = 0o600
_JSON_NUMBER = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?"


class Output(Protocol):
    """A file in the making."""

    def add(self, stream: Any) -> int:
        """Write all rows of ``stream``; how many."""

    def finish(self) -> None:
        """Close the file; it is complete, not yet on disk for certain."""

    def count(self) -> int:
        """How many rows were added, as a reader finds them (0 when that was not asked for)."""

    def close(self) -> None:
        """Release everything. Idempotent, never raises."""


def open_output(
    path: Path, old: Path | None, config: Mapping[str, Any], options: Options, context: StepContext
) -> Output:
    """An output at ``path`` that begins with the rows of ``old``, if that is given."""
    if options.format == "parquet":
        return ParquetOutput(path, old, config.get("compression", "snappy"))
    return TextOutput(path, old, options, context, verify=config.get("verify", "count") == "count")


class TextOutput:
    """CSV or JSON Lines: the old file's bytes, then one part for each stream."""

    def __init__(self, path: Path, old: Path | None, options: Options, context: StepContext, *, verify: bool) -> None:
        self._part = path.with_name(path.name + ".part")
        self._options = options
        self._names: list[str] | None = None
        self._found = 0
        self._verify = verify
        self._is_json = options.format == "jsonl"
        self._duck = locked_down(None, temp_dir=context.work_dir / f"{context.step}.spill", readable=(self._part, path))
        context.on_cancel(interrupter(self._duck))
        self._file = os.fdopen(private_opener(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")
        if old is not None:
            self._copy(old)

    def _copy(self, old: Path) -> None:
        if old.stat().st_size == 0:
            return
        if not self._is_json:
            self._names = column_names([old], self._options)
        with old.open("rb") as source:
            shutil.copyfileobj(source, self._file, _COPY_BYTES)
            source.seek(-1, 2)
            if source.read(1) not in b"\r\n":
                self._file.write(b"\n")

    def add(self, stream: Any) -> int:
        intake = Intake(self._duck, _VIEW, stream)
        refuse_unknown_types(intake.schema, KNOWN_OSIRIS_TYPES, "file.table")
        scanned = dict(zip(intake.schema.names, scanned_types(self._duck, intake.schema), strict=True))
        with intake:
            if self._is_json:
                self._write_lines(intake.schema, scanned)
            else:
                self._write_csv(intake.schema, scanned)
        return intake.rows

    def _write_csv(self, schema: pa.Schema, scanned: Mapping[str, str]) -> None:
        is_new = self._names is None
        if self._names is None:
            self._names = list(schema.names)
        elif sorted(self._names) != sorted(schema.names):
            _refuse_other_columns(schema.names, self._names)
        items = ", ".join(f"{_csv_value(schema.field(name), scanned[name])} AS {quote(name)}" for name in self._names)
        header = "true" if self._options.header and is_new else "false"
        self._part.touch(_OWNER_ONLY)  # DuckDB writes into what is there, and would make a file that anybody reads
        one(
            self._duck,
            f"COPY (SELECT {items} FROM {_VIEW}) TO {literal(str(self._part))} (FORMAT csv, HEADER {header}, "
            f"DELIMITER {literal(self._options.delimiter)}, NULLSTR {literal(self._options.null_text)}, "
            "USE_TMP_FILE false)",
        )
        if self._verify:
            self._found += count_rows(
                self._duck, self._part, replace(self._options, header=header == "true", encoding="utf-8"), self._names
            )
        self._append_part()
        self._part.unlink()

    def _append_part(self) -> None:
        if self._options.encoding == "utf-8":
            with self._part.open("rb") as part:
                shutil.copyfileobj(part, self._file, _COPY_BYTES)
            return
        with self._part.open(encoding="utf-8", newline="") as text:
            try:
                for block in iter(lambda: text.read(_COPY_BYTES), ""):
                    self._file.write(block.encode(self._options.encoding))
            except UnicodeEncodeError as error:
                sign = error.object[error.start]
                raise RunError(
                    f'a value holds "{sign}", which {self._options.encoding} cannot say',
                    code="OSI-R102",
                    hint="write the file in utf-8",
                ) from error

    def _write_lines(self, schema: pa.Schema, scanned: Mapping[str, str]) -> None:
        members = [
            f"{literal(_json_key(item.name))} || coalesce({_json_value(item, scanned[item.name])}, 'null')"
            for item in schema
        ]
        line = "'{' || " + " || ',' || ".join(members) + " || '}' || chr(10)"
        for batch in open_batches(self._duck, f"SELECT {line} AS line FROM {_VIEW}", None, _BATCH_ROWS):
            text = _text_bytes(batch.column(0))
            self._file.write(text)
            self._found += bytes(text).count(b"\n") if self._verify else 0

    def finish(self) -> None:
        self._file.close()

    def count(self) -> int:
        return self._found

    def close(self) -> None:
        with suppress(OSError):  # on a full disk what is still in the buffer cannot be written; ``finish`` would say so
            self._file.close()
        self._duck.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)


class ParquetOutput:
    """Parquet: the old file's rows, then those of each stream, in row groups."""

    def __init__(self, path: Path, old: Path | None, compression: str) -> None:
        self._path = path
        self._old = old
        self._compression = compression
        self._writer: pq.ParquetWriter | None = None
        self._old_rows = 0

    def add(self, stream: Any) -> int:
        reader = as_reader(stream)
        refuse_unknown_types(reader.schema, KNOWN_OSIRIS_TYPES, "file.table")
        writer = self._writer or self._open(_parquet_schema(reader.schema))
        rows = 0
        for batch in reader:
            writer.write_batch(_in_schema(_parquet_batch(batch), writer.schema), row_group_size=_ROW_GROUP_ROWS)
            rows += batch.num_rows
        return rows

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        self._path.touch(_OWNER_ONLY, exist_ok=False)
        if self._old is None:
            self._writer = pq.ParquetWriter(self._path, schema, compression=self._compression)
            return self._writer
        with pq.ParquetFile(self._old) as old:
            self._old_rows = old.metadata.num_rows
            if sorted(old.schema_arrow.names) != sorted(schema.names):
                _refuse_other_columns(schema.names, old.schema_arrow.names)
            self._writer = pq.ParquetWriter(self._path, old.schema_arrow, compression=self._compression)
            for batch in old.iter_batches(_ROW_GROUP_ROWS):
                self._writer.write_batch(batch, row_group_size=_ROW_GROUP_ROWS)
        return self._writer

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def count(self) -> int:
        return int(pq.read_metadata(self._path).num_rows) - self._old_rows

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and writer.is_open:
            with suppress(OSError):  # as in TextOutput: it writes the footer of a file that nobody will read
                writer.close()


def _csv_value(item: pa.Field, scanned: str) -> str:
    name = quote(item.name)
    if scanned == "BLOB":
        return f"lower(hex({name}))"
    return f"CAST(to_json({name}) AS VARCHAR)" if _is_nested(scanned) else name


def _json_key(name: str) -> str:
    import json

    return json.dumps(name, ensure_ascii=False) + ":"


def _json_value(item: pa.Field, scanned: str) -> str:
    """An expression for the JSON text of a column; NULL for NULL."""
    name, osiris = quote(item.name), osiris_type(item)
    text = f"CAST({name} AS VARCHAR)"
    as_json_text = f"CAST(to_json({text}) AS VARCHAR)"
    if osiris == "json":
        broken = literal(f'osiris: column "{item.name}" holds text that is not JSON')
        one_line = f"translate({text}, chr(10) || chr(13), '  ')"
        return f"CASE WHEN json_valid({text}) THEN {one_line} WHEN {name} IS NOT NULL THEN error({broken}) END"
    if osiris == "decimal":
        is_number = f"regexp_full_match({text}, {literal(_JSON_NUMBER)})"
        return f"CASE WHEN {is_number} THEN {text} ELSE {as_json_text} END"
    if scanned in ("FLOAT", "DOUBLE"):
        broken = literal(f'osiris: column "{item.name}" holds NaN or infinity, which JSON cannot say')
        return f"CASE WHEN isfinite({name}) THEN {text} WHEN {name} IS NOT NULL THEN error({broken}) END"
    if scanned == "BOOLEAN" or scanned.startswith("DECIMAL(") or scanned.endswith(("INT", "INTEGER")):
        return text
    if _is_nested(scanned):
        return f"CAST(to_json({name}) AS VARCHAR)"
    return f"CAST(to_json(lower(hex({name}))) AS VARCHAR)" if scanned == "BLOB" else as_json_text


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT(", "MAP("))


def _text_bytes(lines: pa.Array) -> Any:
    """The bytes of an array of texts, one after the other: Arrow keeps them like that already."""
    if len(lines) == 0:
        return b""
    lines = lines.cast(pa.large_string())
    _, offsets, data = lines.buffers()
    places = memoryview(offsets).cast("q")
    return memoryview(data)[places[lines.offset] : places[lines.offset + len(lines)]]


def _parquet_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([_parquet_field(item) for item in schema])


def _parquet_field(item: pa.Field) -> pa.Field:
    """Without the source's type where Arrow says it all; an interval as text, which Parquet lacks."""
    if pa.types.is_interval(item.type):
        return arrow_field(item.name, pa.string(), item.nullable, osiris="text_form", source="duckdb:INTERVAL")
    if osiris_type(item):
        return arrow_field(item.name, item.type, item.nullable, osiris=osiris_type(item), source=source_type(item))
    return pa.field(item.name, item.type, item.nullable)


def _parquet_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    schema = _parquet_schema(batch.schema)
    columns = [_interval_texts(column) if pa.types.is_interval(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _interval_texts(column: pa.Array) -> pa.Array:
    texts: list[str | None] = []
    for value in column.to_pylist():
        if value is None:
            texts.append(None)
            continue
        micros, rest = divmod(value.nanoseconds, 1000)
        if rest:
            raise RunError("an interval has nanoseconds, which DuckDB's text cannot say", code="OSI-R102")
        texts.append(f"{value.months} months {value.days} days {micros} microseconds")
    return pa.array(texts, pa.string())


def _in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """``batch`` with the columns in the order and the types of ``schema``; what would be cut is an error."""
    if batch.schema.equals(schema):
        return batch
    columns = [batch.column(name) for name in schema.names]
    return stored(pa.RecordBatch.from_arrays(columns, names=schema.names), schema)


def _refuse_other_columns(names: list[str], known: list[str]) -> None:
    strange = [name for name in names if name not in known]
    if strange:
        raise DriftError(f'the file has no column "{strange[0]}"', hint=did_you_mean(strange[0], known))
    missing = [name for name in known if name not in names]
    raise DriftError(f'the file has a column "{missing[0]}", which the source does not have')
