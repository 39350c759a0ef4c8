"""The table a step writes: found or made, and the columns of the source fitted to its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import DriftError, RunError, StepContext, did_you_mean
from osiris_core.data import created_primary_key, refuse_unknown_types, source_comment
from osiris_duckdb.instances import literal, one, quote
from osiris_duckdb.writing_types import KNOWN_OSIRIS_TYPES, columns_sql, created_type, fitted, scanned_types

_COLUMNS = """
    SELECT column_name, data_type, is_nullable, is_generated, column_default IS NOT NULL
    FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = $schema AND table_name = $table
    ORDER BY column_index"""
_FIND = """
    SELECT schema_name, table_name, 'table' AS kind, sql FROM duckdb_tables()
    WHERE database_name = current_database() AND NOT temporary AND NOT internal
      AND ((schema_name = 'main' AND table_name = $name) OR schema_name || '.' || table_name = $name)
    UNION ALL
    SELECT schema_name, view_name, 'view', NULL FROM duckdb_views()
    WHERE database_name = current_database() AND NOT temporary AND NOT internal
      AND ((schema_name = 'main' AND view_name = $name) OR schema_name || '.' || view_name = $name)
    ORDER BY schema_name = 'main' DESC, kind LIMIT 1"""
#: Types that DuckDB takes in no key.
_UNORDERED = re.compile(r"^(INTERVAL$|STRUCT|MAP|UNION|VARIANT)|\]$")


@dataclass(frozen=True)
class TargetColumn:
    """A column as the table declares it."""

    name: str
    type: str
    nullable: bool
    generated: bool
    has_default: bool


@dataclass
class Target:
    """The table, and how to fill it.

    Attributes:
        sql: its quoted name.  ddl: how DuckDB would create it.
        columns: all of them, by name.
        names: those that get a value from the source, and ``values``: the expressions that give it.
    """

    sql: str
    ddl: str
    columns: Mapping[str, TargetColumn]
    names: Sequence[str] = ()
    values: Sequence[str] = ()

    def select(self, source: str) -> str:
        """A SELECT of the values, named as the table's columns, from ``source``."""
        items = (f"{value} AS {quote(name)}" for name, value in zip(self.names, self.values, strict=True))
        return f"SELECT {', '.join(items)} FROM {source}"

    def columns_sql(self) -> str:
        """The written columns, quoted, with commas."""
        return columns_sql(self.names)


@dataclass(frozen=True)
class Found:
    """A table or view of the database; ``ddl`` is how DuckDB would create it."""

    schema: str
    table: str
    kind: str
    ddl: str

    @property
    def sql(self) -> str:
        """Its quoted name."""
        return f"{quote(self.schema)}.{quote(self.table)}"


def find(connection: duckdb.DuckDBPyConnection, name: str) -> Found | None:
    """What a pipeline calls ``name``: a table of ``main``, or ``schema.table``. None when there is none."""
    row = one(connection, _FIND, {"name": name})
    return Found(row[0], row[1], row[2], row[3] or "") if row else None


def prepare(
    connection: duckdb.DuckDBPyConnection,
    config: Mapping[str, Any],
    schema: pa.Schema,
    context: StepContext,
    scanned: Sequence[str] | None = None,
) -> Target:
    """Find or make the table of a write step and map ``schema`` to it, inside the open transaction.

    ``scanned``: the columns' DuckDB types, where they do not come through Arrow.

    Raises DriftError (the table or a column is missing, a required one gets no value) and RunError.
    """
    refuse_unknown_types(schema, KNOWN_OSIRIS_TYPES, "a DuckDB table")
    _refuse_twins(schema)
    scanned = scanned or scanned_types(connection, schema)
    found = find(connection, config["table"]) or _create(connection, config, schema, scanned, context)
    if found.kind == "view":
        raise RunError(f'"{config["table"]}" is a view, which cannot be written', code="OSI-R026")
    target = Target(found.sql, found.ddl, _columns(connection, found))
    missing = [item for item in schema if match(item.name, target.columns) is None]
    if missing and config.get("on_drift", "fail") == "add_columns":
        for item in missing:
            kind = created_type(connection, item, scanned[schema.get_field_index(item.name)])
            connection.execute(f"ALTER TABLE {found.sql} ADD COLUMN {quote(item.name)} {kind}")
        _comment_columns(connection, found, missing)
        target.columns = _columns(connection, found)
    elif missing:
        _tell_drift(config, missing, target, context)
    _map(target, schema, scanned)
    _refuse_gaps(target, config)
    return target


def match(name: str, columns: Mapping[str, TargetColumn]) -> TargetColumn | None:
    """The column called ``name``; DuckDB's names ignore case."""
    if name in columns:
        return columns[name]
    return next((column for column in columns.values() if column.name.lower() == name.lower()), None)


def _columns(connection: duckdb.DuckDBPyConnection, found: Found) -> dict[str, TargetColumn]:
    rows = connection.execute(_COLUMNS, {"schema": found.schema, "table": found.table}).fetchall()
    return {row[0]: TargetColumn(*row) for row in rows}


def _refuse_twins(schema: pa.Schema) -> None:
    seen: dict[str, str] = {}
    for name in schema.names:
        if name.lower() in seen:
            raise RunError(
                f'the columns "{seen[name.lower()]}" and "{name}" are one column to DuckDB, which ignores case',
                code="OSI-R105",
                hint="rename or leave out one of them",
            )
        seen[name.lower()] = name


def _create(
    connection: duckdb.DuckDBPyConnection,
    config: Mapping[str, Any],
    schema: pa.Schema,
    scanned: Sequence[str],
    context: StepContext,
) -> Found:
    name = config["table"]
    if config.get("create", "never") != "if_missing":
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        raise DriftError(
            f'there is no table "{name}" to write',
            hint="; ".join(filter(None, (did_you_mean(name, tables), "or make it with create: if_missing"))),
        )
    types = [created_type(connection, item, kind) for item, kind in zip(schema, scanned, strict=True)]
    columns = [
        f"{quote(item.name)} {kind}{'' if item.nullable else ' NOT NULL'}"
        for item, kind in zip(schema, types, strict=True)
    ]
    unfit = [item.name for item, kind in zip(schema, types, strict=True) if _UNORDERED.search(kind)]
    keys = created_primary_key(schema, config, context, unfit=unfit, ignore_case=True)
    if keys:
        columns.append(f"PRIMARY KEY ({columns_sql(keys)})")
    namespace, _, table = name.rpartition(".")
    namespace = namespace or "main"
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(namespace)}")
    connection.execute(f"CREATE TABLE {quote(namespace)}.{quote(table)} ({', '.join(columns)})")
    found = find(connection, name)
    assert found is not None, "the table that was just made"
    if comment := source_comment(schema):
        connection.execute(f"COMMENT ON TABLE {found.sql} IS {literal(comment)}")
    _comment_columns(connection, found, schema)
    return found


def _comment_columns(connection: duckdb.DuckDBPyConnection, found: Found, items: Iterable[pa.Field]) -> None:
    for item in items:
        if comment := source_comment(item):
            connection.execute(f"COMMENT ON COLUMN {found.sql}.{quote(item.name)} IS {literal(comment)}")


def _tell_drift(config: Mapping[str, Any], missing: Sequence[pa.Field], target: Target, context: StepContext) -> None:
    names = ", ".join(f'"{item.name}"' for item in missing)
    if config.get("on_drift", "fail") == "fail":
        hint = did_you_mean(missing[0].name, target.columns)
        raise DriftError(
            f'the table "{config["table"]}" has no column {names}',
            hint="; ".join(filter(None, (hint, "or choose on_drift: add_columns or ignore_new"))),
        )
    context.warn("OSI-V209", f'"{config["table"]}" has no column {names}: left out, as on_drift: ignore_new says')


def _map(target: Target, schema: pa.Schema, scanned: Sequence[str]) -> None:
    names, values = [], []
    for item, kind in zip(schema, scanned, strict=True):
        column = match(item.name, target.columns)
        if column is None or column.generated:  # what the server computes is left out
            continue
        names.append(column.name)
        values.append(fitted(quote(item.name), item.name, item, kind, column.type))
    target.names, target.values = names, values


def _refuse_gaps(target: Target, config: Mapping[str, Any]) -> None:
    _refuse_missing_keys(config.get("merge_keys", ()), target.names)
    required = [
        column.name
        for column in target.columns.values()
        if not column.nullable and not column.has_default and not column.generated and column.name not in target.names
    ]
    if required:
        raise DriftError(
            f'the table "{config["table"]}" requires "{required[0]}", which the source does not have',
            code="OSI-R002",
            hint="add the column to the source, or give it a default in the target",
        )
    if not target.names:
        raise DriftError(f'no column of the source is in the table "{config["table"]}"')


def _refuse_missing_keys(keys: Sequence[str], names: Sequence[str]) -> None:
    lower = {name.lower() for name in names}
    for key in keys:
        if key.lower() not in lower:
            raise RunError(f'the merge key "{key}" gets no value from the source', hint=did_you_mean(key, names))
