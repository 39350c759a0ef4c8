"""The ledger of a DuckDB file: ``_osiris_commits``, written in the transaction of the rows it tells about."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from osiris_core import CommitResult, LedgerEntry, StepContext
from osiris_core.data import LEDGER_TABLE, ledger_entry, result_from_json, result_to_json
from osiris_duckdb.instances import one, quote

_TABLE = f"main.{quote(LEDGER_TABLE)}"
MICROSECONDS_OF_A_DAY = 86_400_000_000
_DDL = f"""
    CREATE TABLE IF NOT EXISTS {_TABLE} (
        run_key VARCHAR NOT NULL, pipeline VARCHAR NOT NULL, step VARCHAR NOT NULL, table_name VARCHAR NOT NULL,
        result VARCHAR NOT NULL, state VARCHAR, committed_at TIMESTAMP NOT NULL,
        PRIMARY KEY (run_key, pipeline, step))"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the ledger in a transaction of its own: two steps that both made it would conflict."""
    connection.execute(_DDL)


def committed(connection: duckdb.DuckDBPyConnection, context: StepContext) -> CommitResult | None:
    """What this run key and step committed before, or None."""
    row = one(
        connection,
        f"SELECT result FROM {_TABLE} WHERE run_key = ? AND pipeline = ? AND step = ?",
        [context.run_key, context.pipeline, context.step],
    )
    return result_from_json(row[0]) if row else None


def state(connection: duckdb.DuckDBPyConnection, context: StepContext, table: str) -> Any:
    """The state of the step's last commit to this table, or None."""
    row = one(
        connection,
        f"SELECT state FROM {_TABLE} WHERE pipeline = ? AND step = ? AND table_name = ? AND state IS NOT NULL "
        "ORDER BY committed_at DESC, rowid DESC LIMIT 1",
        [context.pipeline, context.step, table],
    )
    return json.loads(row[0]) if row else None


def record(
    connection: duckdb.DuckDBPyConnection, context: StepContext, table: str, result: CommitResult, new_state: Any
) -> None:
    """Add the commit to the ledger, inside the open transaction."""
    text = None if new_state is None else json.dumps(new_state, sort_keys=True, separators=(",", ":"))
    connection.execute(
        f"INSERT INTO {_TABLE} VALUES (?, ?, ?, ?, ?, ?, CAST(now() AS TIMESTAMP))",
        [context.run_key, context.pipeline, context.step, table, result_to_json(result), text],
    )


def exists(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has a ledger."""
    row = one(
        connection, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = ?", [LEDGER_TABLE]
    )
    return bool(row and row[0])


def entries(connection: duckdb.DuckDBPyConnection, limit: int | None) -> list[LedgerEntry]:
    """The newest commits; none where there is no ledger."""
    if not exists(connection):
        return []
    rows = connection.execute(
        "SELECT pipeline, step, table_name, run_key, committed_at, result, state IS NOT NULL "
        f"FROM {_TABLE} ORDER BY committed_at DESC, rowid DESC {'' if limit is None else f'LIMIT {limit:d}'}"
    ).fetchall()
    return [ledger_entry(row) for row in rows]


def prune(connection: duckdb.DuckDBPyConnection, older_than_days: float, *, dry_run: bool) -> int:
    """Remove commits of longer ago, except for the newest state of each step and table. Returns how many."""
    if not exists(connection):
        return 0
    row = one(
        connection,
        f"""
        {"SELECT count(*)" if dry_run else "DELETE"} FROM {_TABLE}
        WHERE committed_at < CAST(now() AS TIMESTAMP) - to_microseconds(CAST(? AS BIGINT))
        AND rowid NOT IN (
            SELECT arg_max(rowid, (committed_at, rowid)) FROM {_TABLE} WHERE state IS NOT NULL
            GROUP BY pipeline, step, table_name
        )
        """,
        [round(older_than_days * MICROSECONDS_OF_A_DAY)],
    )
    return int(row[0]) if row else 0
