"""Reading files: a locked-down DuckDB that may open just these files, and one SELECT over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import Connection, DriftError, StepContext, did_you_mean
from osiris_core.data import build_select
from osiris_duckdb.conditions import exact_conditions
from osiris_duckdb.files.csv_files import open_csv
from osiris_duckdb.files.jsonl_files import open_jsonl
from osiris_duckdb.files.parquet_files import open_parquet
from osiris_duckdb.files.paths import existing, root_of
from osiris_duckdb.files.relation import ROWS, Options, Relation
from osiris_duckdb.instances import locked_down, quote
from osiris_duckdb.streams import QueryStream, Run, Source, arrow_schema, open_batches, select_list


def open_files(connection: Connection, config: Mapping[str, Any], context: StepContext) -> QueryStream:
    """The stream of a read step; columns and types are looked up now, the rows are read when they are asked for.

    Raises ConnectError, DriftError (a file or column is gone), InvalidInputError (a path or type that is not allowed).
    """
    paths = existing(root_of(connection, context.project_dir), config["table"])
    duck = locked_down(None, temp_dir=context.work_dir / f"{context.step}.spill", readable=paths)
    try:
        return _stream(duck, paths, Options.of(connection, config["table"]), config, context)
    except BaseException:
        duck.close()
        raise


def relation(duck: duckdb.DuckDBPyConnection, paths: Sequence[Path], options: Options) -> Relation:
    """The files as a relation of ``duck``, which may read them."""
    if options.format == "csv":
        return open_csv(duck, paths, options)
    if options.format == "jsonl":
        return open_jsonl(duck, paths, options)
    return open_parquet(duck, paths)


def _stream(
    duck: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    options: Options,
    config: Mapping[str, Any],
    context: StepContext,
) -> QueryStream:
    rows = relation(duck, paths, options)
    known = {column.name: column for column in rows.columns}
    names = list(config.get("columns", known))
    _refuse_unknown(config, names, list(known))
    columns = [known[name] for name in names]
    sql, parameters = build_select(
        {**config, "where": exact_conditions(config)},
        select_list=[quote(name) for name in names],
        source=f"({rows.select()})",
        quote=quote,
        style="dollar",
        prefix=f"osiris_{context.step}_",
    )
    text = f"SELECT {', '.join(select_list(columns))} FROM ({sql})"
    if rows.schema is not None:
        duck.register(ROWS, rows.schema.empty_table())
    reader = open_batches(duck, f"{text} LIMIT 0", parameters, 1)
    schema = arrow_schema(columns, reader.schema)
    reader.close()
    source = Source(sql, parameters, columns, files=rows.files) if rows.files else None
    run = Run(
        lambda: (duck, duck.close),
        text,
        parameters,
        schema,
        context.batch_bytes,
        source,
        on_cancel=context.on_cancel,
        prepare=lambda connection: _register(connection, rows),
    )
    return QueryStream(schema, run.batches(), source, on_close=duck.close)


def _register(duck: duckdb.DuckDBPyConnection, rows: Relation) -> None:
    """Put the real rows in the place of the empty table."""
    if rows.schema is None or rows.batches is None:
        return
    duck.unregister(ROWS)
    duck.register(ROWS, pa.RecordBatchReader.from_batches(rows.schema, rows.batches()))


def _refuse_unknown(config: Mapping[str, Any], names: Sequence[str], known: Sequence[str]) -> None:
    asked = [*names, *(item["column"] for key in ("where", "order_by") for item in config.get(key, ()))]
    for name in asked:
        if name not in known:
            raise DriftError(f'"{config["table"]}" has no column "{name}"', hint=did_you_mean(name, known))
