"""The DuckDB a ``duckdb.sql`` step runs in: in memory, its inputs as views, no files, no network, no settings.

Inputs that ``file.table`` would read are read here, by the same statement: they become its WITH, and the connection may
open just their files. Of the others, one that the statement scans once is streamed through; one that it may scan more
often is first put into a temporary table, which DuckDB spills to the run's scratch directory when memory runs out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import StepContext
from osiris_core.data import refuse_unknown_types
from osiris_core.sql import bind
from osiris_duckdb.instances import interrupter, locked_down, quote
from osiris_duckdb.intake import Intake, own_source, storage_schema
from osiris_duckdb.sql_guard import check_select, one_statement, scans
from osiris_duckdb.streams import Column, QueryStream, Run, Source, arrow_schema, describe, open_batches, select_list
from osiris_duckdb.writing_types import KNOWN_OSIRIS_TYPES, created_type, fitted, scanned_types


def open_transform(config: Mapping[str, Any], inputs: Mapping[str, Any], context: StepContext) -> QueryStream:
    """The stream of ``config["sql"]`` over ``inputs``. Its schema is known now; nothing is read before it is asked for.

    Raises InvalidInputError for SQL that is not one SELECT over the inputs, duckdb.Error for names it cannot find.
    """
    sandbox = _Sandbox(config, inputs, context)
    try:
        return sandbox.stream()
    except BaseException:
        sandbox.close()
        raise


class _Sandbox:
    """One statement, its connection and its inputs."""

    def __init__(self, config: Mapping[str, Any], inputs: Mapping[str, Any], context: StepContext) -> None:
        self._inputs = dict(inputs)
        self._context = context
        self._sql, parameters = bind(one_statement(config["sql"]), config.get("sql_params", {}), "dollar")
        self._parameters = dict(parameters) if isinstance(parameters, dict) else {}
        self._temp_dir = _scratch(context)
        settings = {name: config.get(name) for name in ("memory_limit", "threads")}
        self._fused = self._take_over(inputs)
        self._has_settings = any(value is not None for value in settings.values())
        self._files = tuple(path for source in self._fused.values() for path in source.files)
        self._connection = locked_down(None, temp_dir=self._temp_dir, settings=settings, readable=self._files)
        context.on_cancel(interrupter(self._connection))
        self._intakes: list[Intake] = []

    def stream(self) -> QueryStream:
        """Check the statement and find out what it gives, on empty inputs."""
        connection = self._connection
        check_select(connection, self._sql, tables=self._inputs)
        for name, stream in self._inputs.items():
            if name not in self._fused:
                self._make_view(name, storage_schema(_schema(stream)))
        statement = self._statement()
        columns = describe(connection, statement, self._parameters)
        text = f"SELECT {', '.join(select_list(columns))} FROM ({statement})"
        reader = open_batches(connection, f"{text} LIMIT 0", self._parameters, 1)
        schema = arrow_schema(columns, reader.schema)
        reader.close()
        run = Run(
            lambda: (connection, self.close),
            text,
            self._parameters,
            schema,
            self._context.batch_bytes,
            prepare=self._open_inputs,
        )
        source = self._as_source(statement, columns)
        return QueryStream(schema, self._own_errors(run.batches()), source, on_close=self.close)

    def _as_source(self, statement: str, columns: Sequence[Column]) -> Source | None:
        """The whole statement for a consumer that can run it; None when it takes rows from others or has settings."""
        if self._has_settings or self._fused.keys() != self._inputs.keys():
            return None
        return Source(statement, self._parameters, columns, files=self._files)

    def _take_over(self, inputs: Mapping[str, Any]) -> dict[str, Source]:
        """Inputs that this connection can read from their files itself, within its one statement."""
        fused = {}
        for name, stream in inputs.items():
            source = own_source(stream)
            if source is None or not source.files:
                continue
            known = self._parameters
            if any(key in known and known[key] != value for key, value in source.parameters.items()):
                continue
            fused[name] = source
            known.update(source.parameters)
        return fused

    def _statement(self) -> str:
        """The user's SELECT, with what was taken over as its WITH."""
        if not self._fused:
            return f"{self._sql}\n"
        parts = [f"{quote(name)} AS ({source.sql})" for name, source in self._fused.items()]
        return f"WITH {', '.join(parts)} SELECT * FROM ({self._sql}\n)"

    def close(self) -> None:
        """Close the connection. Idempotent, never raises."""
        try:
            self._connection.close()
        except duckdb.Error:  # closing twice
            pass

    def _make_view(self, name: str, schema: pa.Schema) -> None:
        """The input as the statement sees it: in DuckDB's own types, over a stream that is still to come."""
        refuse_unknown_types(schema, KNOWN_OSIRIS_TYPES, "duckdb.sql")
        connection = self._connection
        scanned = scanned_types(connection, schema)
        columns = [
            f"{fitted(quote(item.name), item.name, item, kind, created_type(connection, item, kind))} "
            f"AS {quote(item.name)}"
            for item, kind in zip(schema, scanned, strict=True)
        ]
        connection.register(_stream_name(name), schema.empty_table())
        connection.execute(f"CREATE TEMP VIEW {quote(name)} AS SELECT {', '.join(columns)} FROM {_stream_name(name)}")

    def _open_inputs(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Put the real streams in the place of the empty ones."""
        often = scans(connection, self._sql)
        for source in self._fused.values():
            source.started = True
        for name, stream in self._inputs.items():
            if name in self._fused:
                continue
            connection.unregister(_stream_name(name))
            intake = Intake(connection, _stream_name(name), stream)
            self._intakes.append(intake)
            intake.register()
            if often.get(name.lower(), 0) > 1:
                connection.execute(f"CREATE TEMP TABLE {_table_name(name)} AS SELECT * FROM {quote(name)}")
                connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote(name)} AS FROM {_table_name(name)}")

    def _own_errors(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; what an input raised comes out as it was raised, not as DuckDB tells it."""
        try:
            yield from batches
        except Exception as error:
            for intake in self._intakes:
                if intake.error is not None:
                    raise intake.error from error
            raise


def _schema(stream: Any) -> pa.Schema:
    return stream.schema if isinstance(stream.schema, pa.Schema) else pa.schema(stream.schema)


def _scratch(context: StepContext) -> Path:
    return context.work_dir / f"{context.step}.spill"


def _stream_name(name: str) -> str:
    return f"_osiris_in_{name}"


def _table_name(name: str) -> str:
    return quote(f"_osiris_table_{name}")
