"""``verify: checksum`` of an append or a replace: what the table gained is, by content, what was staged."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from osiris_core import ReconciliationError
from osiris_duckdb.instances import one, quote
from osiris_duckdb.target import Target


def move_staged(connection: duckdb.DuckDBPyConnection, target: Target, stage: str, table: str) -> None:
    """Insert ``stage`` into ``target`` and compare both by content. Raises ReconciliationError."""
    before = checksum(connection, target.sql, target.names)
    columns = target.columns_sql()
    one(connection, f"INSERT INTO {target.sql} ({columns}) SELECT {columns} FROM {stage}")
    gained = checksum(connection, target.sql, target.names) - before
    if gained != checksum(connection, stage, target.names):
        raise ReconciliationError(f'"{table}" does not hold what the source gave: the checksums differ')


def checksum(connection: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> int:
    """The sum of the hashes of all rows: independent of their order, and of a part the difference."""
    row = one(connection, f"SELECT sum(hash({', '.join(quote(name) for name in names)})) FROM {table}")
    return int(row[0] or 0)
