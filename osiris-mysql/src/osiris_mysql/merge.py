"""Merging staged rows into a table: plain SQL that both MySQL and MariaDB run, inside one transaction.

``UPDATE .. JOIN`` then ``INSERT .. LEFT JOIN`` instead of ``ON DUPLICATE KEY UPDATE``, which would also
overwrite rows that conflict on any *other* unique key. The server itself skips rows whose stored bytes would
not change. A temporary table can be named once in a statement, so there is no self-join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from osiris_core import RunError
from osiris_mysql.names import quote, quote_table
from osiris_mysql.target import Target

#: Names inside the session only; temporary tables vanish with it, however it ends.
STAGING = "_osiris_staging"
LOSERS = "_osiris_losers"
ROW = "_osiris_row"
#: Characters of a long key column that go into the staging table's index.
KEY_PREFIX = 191


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did; ``matched`` target rows had a staged key afterwards."""

    deduplicated: int
    inserted: int
    changed: int
    deleted: int
    matched: int


def create_staging(session: Any, target: Target) -> None:
    """Make the temporary tables; this is DDL that does not commit, done before the transaction all the same.

    Each is made with its primary key in one statement, since servers may refuse tables without one.
    """
    columns = ", ".join(quote(name) for name in target.columns)
    keys = ", ".join(_key_part(target, key) for key in target.keys)
    with session.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE {STAGING} ({ROW} BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, INDEX ({keys})) "
            f"ENGINE=InnoDB AS SELECT {columns} FROM {_table(target)} LIMIT 0"
        )
        cursor.execute(f"CREATE TEMPORARY TABLE {LOSERS} ({ROW} BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB")


def _key_part(target: Target, key: str) -> str:
    """A key column in an index; of long text and bytes only the beginning, which is all that an index can hold."""
    kind = next(placement.type for placement in target.placements if placement.name == key)
    is_long = kind.base.endswith(("text", "blob")) or (kind.kind in ("text", "binary") and kind.size > KEY_PREFIX)
    return f"{quote(key)}({KEY_PREFIX})" if is_long else quote(key)


def merge(session: Any, target: Target, config: Mapping[str, Any]) -> Merged:
    """Merge what is staged into ``target``. Raises RunError for NULL or repeated merge keys."""
    with session.cursor() as cursor:
        _refuse_null_keys(cursor, target)
        deduplicated = _dedupe(cursor, target, config["dedupe"]) if "dedupe" in config else 0
        _refuse_twice(cursor, target)
        changed = _update(cursor, target)
        inserted = _insert(cursor, target)
        deleted = _delete_missing(cursor, target) if target.delete_missing else 0
        cursor.execute(f"SELECT COUNT(*) FROM {_table(target)} AS t JOIN {STAGING} AS s ON {_on(target.keys)}")
        return Merged(deduplicated, inserted, changed, deleted, int(cursor.fetchone()[0]))


def _refuse_null_keys(cursor: Any, target: Target) -> None:
    nulls = " OR ".join(f"{quote(key)} IS NULL" for key in target.keys)
    cursor.execute(f"SELECT COUNT(*) FROM {STAGING} WHERE {nulls}")
    count = cursor.fetchone()[0]
    if count:
        raise RunError(
            f"{count} rows have NULL in the merge key ({', '.join(target.keys)}) of {target.name}",
            code="OSI-R108",
            hint="filter them in the read step, or choose other merge_keys",
        )


def _dedupe(cursor: Any, target: Target, dedupe: Mapping[str, Any]) -> int:
    """Keep one row of each key by the order asked for; of equals the one that came last (or first)."""
    last = dedupe["keep"] == "last"
    order = [
        f"{quote(item['column'])} {'DESC' if last != bool(item.get('descending')) else 'ASC'}"
        for item in dedupe["order_by"]
    ]
    order.append(f"{ROW} {'DESC' if last else 'ASC'}")
    keys = ", ".join(quote(key) for key in target.keys)
    cursor.execute(
        f"INSERT INTO {LOSERS} SELECT {ROW} FROM ("
        f"SELECT {ROW}, ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {', '.join(order)}) AS place FROM {STAGING}"
        ") AS ranked WHERE place > 1"
    )
    return int(cursor.execute(f"DELETE s FROM {STAGING} AS s JOIN {LOSERS} AS l ON l.{ROW} = s.{ROW}"))


def _refuse_twice(cursor: Any, target: Target) -> None:
    keys = ", ".join(quote(key) for key in target.keys)
    cursor.execute(
        f"SELECT {keys}, COUNT(*) FROM {STAGING} GROUP BY {keys} HAVING COUNT(*) > 1 ORDER BY {keys} LIMIT 1"
    )
    row = cursor.fetchone()
    if row is not None:
        named = ", ".join(f"{key} = {value}" for key, value in zip(target.keys, row[:-1], strict=True))
        raise RunError(
            f"{row[-1]} rows for {target.name} have the same merge key: {named}",
            code="OSI-R109",
            hint="make the source unique, or set dedupe: {keep: last, order_by: [...]}",
        )


def _update(cursor: Any, target: Target) -> int:
    values = [name for name in target.columns if name not in target.keys]
    if not values:
        return 0
    sets = ", ".join(f"t.{quote(name)} = s.{quote(name)}" for name in values)
    return int(cursor.execute(f"UPDATE {_table(target)} AS t JOIN {STAGING} AS s ON {_on(target.keys)} SET {sets}"))


def _insert(cursor: Any, target: Target) -> int:
    columns = ", ".join(quote(name) for name in target.columns)
    staged = ", ".join(f"s.{quote(name)}" for name in target.columns)
    missing = f"t.{quote(target.keys[0])} IS NULL"
    return int(
        cursor.execute(
            f"INSERT INTO {_table(target)} ({columns}) SELECT {staged} FROM {STAGING} AS s "
            f"LEFT JOIN {_table(target)} AS t ON {_on(target.keys)} WHERE {missing} ORDER BY s.{ROW}"
        )
    )


def _delete_missing(cursor: Any, target: Target) -> int:
    return int(
        cursor.execute(
            f"DELETE t FROM {_table(target)} AS t LEFT JOIN {STAGING} AS s ON {_on(target.keys)} WHERE s.{ROW} IS NULL"
        )
    )


def _table(target: Target) -> str:
    return quote_table(target.database, target.name)


def _on(keys: Sequence[str]) -> str:
    return " AND ".join(f"t.{quote(key)} = s.{quote(key)}" for key in keys)
