"""The ledger of a DuckDB file: ``_osiris_commits``, written in the transaction of the rows it tells about."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from osiris_core import CommitResult, StepContext
from osiris_core.data import LEDGER_TABLE, result_from_json, result_to_json
from osiris_duckdb.instances import one, quote

_TABLE = f"main.{quote(LEDGER_TABLE)}"
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


def state(connection: duckdb.DuckDBPyConnection, context: StepContext) -> Any:
    """The state of the step's last commit, or None."""
    row = one(
        connection,
        f"SELECT state FROM {_TABLE} WHERE pipeline = ? AND step = ? AND state IS NOT NULL "
        "ORDER BY committed_at DESC, rowid DESC LIMIT 1",
        [context.pipeline, context.step],
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
