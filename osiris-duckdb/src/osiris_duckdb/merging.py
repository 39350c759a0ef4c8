"""Merging a staged table into its target, by key, touching only rows that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from osiris_core import ReconciliationError, RunError
from osiris_duckdb.catalog import case_insensitive_columns
from osiris_duckdb.instances import one, quote
from osiris_duckdb.target import Target, match

STAGE = 'temp.main."_osiris_stage"'
_DEDUPED = 'temp.main."_osiris_deduped"'


@dataclass
class Merged:
    """Counts of a merge."""

    rows: int
    deduplicated: int
    unchanged: int
    deleted: int


def merge(connection: duckdb.DuckDBPyConnection, target: Target, config: Mapping[str, Any], staged: int) -> Merged:
    """Merge ``STAGE`` into ``target``, inside the open transaction.

    Raises RunError (OSI-R108 a NULL key, OSI-R109 a key that comes twice), ReconciliationError when the table does
    not have the rows it should have afterwards.
    """
    keys = [_key(name, target) for name in config["merge_keys"]]
    _refuse_null_keys(connection, keys)
    source, rows = _deduplicated(connection, target, config, keys, staged)
    before = _count(connection, target.sql)
    on = " AND ".join(f"target.{quote(key)} = source.{quote(key)}" for key in keys)
    deleted = 0
    if config.get("delete_missing", False):
        deleted = _changed(
            connection, f"DELETE FROM {target.sql} AS target WHERE NOT EXISTS (FROM {source} AS source WHERE {on})"
        )
    matched = _count(connection, f"{source} AS source WHERE EXISTS (FROM {target.sql} AS target WHERE {on})")
    changed = _changed(connection, _merge_sql(target, source, on, keys))
    if config.get("verify", "count") != "none":
        after, expected = _count(connection, target.sql), before - deleted + rows - matched
        if after != expected:
            raise ReconciliationError(f'"{config["table"]}" has {after} rows after the merge, not {expected}')
    if config.get("verify") == "checksum":
        _refuse_differences(connection, target, source, on, keys, config["table"])
    return Merged(rows, staged - rows, rows - changed, deleted)


def _key(name: str, target: Target) -> str:
    column = match(name, target.columns)
    if column is None or column.generated:
        raise RunError(f'"{name}" cannot be a merge key: the table does not have it, or computes it', code="OSI-R104")
    return column.name


def _refuse_null_keys(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> None:
    nulls = _count(connection, f"{STAGE} WHERE {' OR '.join(f'{quote(key)} IS NULL' for key in keys)}")
    if nulls:
        raise RunError(
            f"the merge key ({', '.join(keys)}) is NULL in {nulls} rows of the source",
            code="OSI-R108",
            hint="leave such rows out with where, or merge by other keys",
        )


def _deduplicated(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    config: Mapping[str, Any],
    keys: Sequence[str],
    staged: int,
) -> tuple[str, int]:
    """The table to merge from, and its number of rows: one for each key."""
    folded = case_insensitive_columns(target.ddl)
    compared = ", ".join(f"lower({quote(key)})" if key in folded else quote(key) for key in keys)
    distinct = _count(connection, f"(SELECT DISTINCT {compared} FROM {STAGE})")
    if distinct == staged:
        return STAGE, staged
    if "dedupe" not in config:
        row = one(
            connection,
            f"SELECT {', '.join(quote(key) for key in keys)} FROM {STAGE} "
            f"GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1",
        )
        raise RunError(
            f"the merge key ({', '.join(keys)}) comes twice in the source, for example {_shown(row)}",
            code="OSI-R109",
            hint="keep one row of each key with dedupe, or merge by more keys",
        )
    order = _dedupe_order(config["dedupe"])
    connection.execute(
        f"CREATE TEMP TABLE {_DEDUPED} AS SELECT * FROM {STAGE} "
        f"QUALIFY row_number() OVER (PARTITION BY {compared} ORDER BY {order}) = 1"
    )
    return _DEDUPED, distinct


def _dedupe_order(dedupe: Mapping[str, Any]) -> str:
    """The window's order: the row to keep comes first. NULL is the lowest; of equals the later row is the last."""
    keep_last = dedupe["keep"] == "last"
    parts = []
    for item in dedupe["order_by"]:
        descending = item.get("descending", False) != keep_last
        parts.append(f"{quote(item['column'])} {'DESC NULLS LAST' if descending else 'ASC NULLS FIRST'}")
    return ", ".join([*parts, "rowid DESC" if keep_last else "rowid ASC"])


def _merge_sql(target: Target, source: str, on: str, keys: Sequence[str]) -> str:
    others = [quote(name) for name in target.names if name not in keys]
    names = [quote(name) for name in target.names]
    update = ""
    if others:
        now, new = ", ".join(f"target.{name}" for name in others), ", ".join(f"source.{name}" for name in others)
        update = (
            f"WHEN MATCHED AND ({now}) IS DISTINCT FROM ({new}) "
            f"THEN UPDATE SET {', '.join(f'{name} = source.{name}' for name in others)} "
        )
    return (
        f"MERGE INTO {target.sql} AS target USING {source} AS source ON ({on}) {update}"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f'source.{name}' for name in names)})"
    )


def _refuse_differences(
    connection: duckdb.DuckDBPyConnection, target: Target, source: str, on: str, keys: Sequence[str], table: str
) -> None:
    names = [quote(name) for name in target.names]
    same = (
        f"{on} AND ({', '.join(f'target.{n}' for n in names)}) IS NOT DISTINCT FROM "
        f"({', '.join(f'source.{n}' for n in names)})"
    )
    rows = connection.execute(
        f"SELECT {', '.join(f'source.{quote(key)}' for key in keys)} FROM {source} AS source "
        f"WHERE NOT EXISTS (FROM {target.sql} AS target WHERE {same}) ORDER BY ALL LIMIT 5"
    ).fetchall()
    if rows:
        raise ReconciliationError(
            f'"{table}" differs from the source at the keys {", ".join(_shown(row) for row in rows)}'
        )


def _shown(row: Any) -> str:
    values = [str(value) for value in row or ()]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    row = one(connection, f"SELECT count(*) FROM {source}")
    return int(row[0]) if row else 0


def _changed(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Run ``sql``; how many rows it changed."""
    row = one(connection, sql)
    return int(row[0]) if row else 0
