"""The tables that a soak moves: how a source changes at random, and whether a target is its copy."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from osiris_core.testing.servers import Database, MySQLDatabase, PostgresDatabase

#: Write mode and its table. An append is incremental, so that its target stays a copy of the source.
TABLES = {"append": "appended", "merge": "merged", "replace": "replaced"}
MOST_ROWS = 6_000
_COLUMNS = "id, amount, ratio, name, note, at, raw"
_CREATE = """
CREATE TABLE {table} (
  id BIGINT PRIMARY KEY, amount DECIMAL(30,6) NOT NULL, ratio DOUBLE, name VARCHAR(80) NOT NULL, note TEXT,
  at DATETIME(6), raw VARBINARY(40)
) CHARACTER SET utf8mb4
"""
_NOTES = (None, "", "\\N", "line\n\ttab", 'back\\slash "q"', "🐎 № " * 20, "x" * 2000)


def create(source: MySQLDatabase) -> None:
    """The empty tables of a source."""
    for table in TABLES.values():
        source.execute(_CREATE.format(table=table))


def step_configs(mode: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What to read, and how to write it."""
    read: dict[str, Any] = {"table": TABLES[mode]}
    write: dict[str, Any] = {"table": TABLES[mode], "write_mode": mode, "create": "if_missing"}
    if mode == "append":
        read["incremental"] = {"cursor": "id"}
    if mode == "merge":
        write |= {"merge_keys": ["id"], "delete_missing": True}
    return read, write


def change(mode: str, source: MySQLDatabase, target: PostgresDatabase, chance: random.Random) -> None:
    """Change a source at random, while nothing runs; neither side grows without end."""
    table = TABLES[mode]
    [(count, last)] = source.query(f"SELECT COUNT(*), COALESCE(MAX(id), 0) FROM {table}")
    if mode == "append" and count > MOST_ROWS:  # as a retention would, on both sides
        for database in (source, target):
            database.execute(f"DELETE FROM {table} WHERE id <= {last - MOST_ROWS // 2}")
    if mode == "merge":
        source.execute(f"DELETE FROM {table} WHERE id % {2 if count > MOST_ROWS else 23} = {chance.randrange(2)}")
        source.execute(
            f"UPDATE {table} SET amount = amount + 0.000001, note = 'changed', at = NULL "
            f"WHERE id % 11 = {chance.randrange(11)}"
        )
    if mode == "replace":
        source.execute(f"DELETE FROM {table}")
    ids = range(last + 1, last + 1 + chance.choice((0, 1, 500, MOST_ROWS // 3)))
    source.insert(table, [_row(number, chance) for number in ids])


def _row(number: int, chance: random.Random) -> tuple[Any, ...]:
    return (
        number,
        Decimal(chance.randrange(-(10**29), 10**29)).scaleb(-6),
        chance.choice((None, 0.1, -1e300, chance.random())),
        f"Žofie № {number}",
        chance.choice(_NOTES),
        datetime(1990, 1, 1) + timedelta(microseconds=chance.randrange(10**15)),
        chance.choice((None, b"", chance.randbytes(40))),
    )


def compare(mode: str, source: Database, target: Database) -> tuple[int, list[str]]:
    """How many rows were compared, value by value, and where the target is no copy of the source: its first rows."""
    query = f"SELECT {_COLUMNS} FROM {TABLES[mode]} ORDER BY id"
    wanted, found = source.query(query), target.query(query)
    lost, more = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if not lost and not more:
        return len(wanted), []
    counts = f"{mode}: of {len(wanted):,} rows {lost.total():,} are lost, {more.total():,} were not in the source"
    odd = [f"{what}: {row}" for what, rows in (("lost", lost), ("more", more)) for row in list(rows)[:2]]
    return len(wanted), [counts, *odd]
