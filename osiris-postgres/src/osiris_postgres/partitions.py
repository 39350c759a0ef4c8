"""Reading one table in ranges of a column, side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from osiris_core import Partition, RunError
from osiris_postgres.names import quote_pyformat

if TYPE_CHECKING:
    import psycopg

    from osiris_postgres.relations import PgColumn

#: With ``count: auto``: about so many rows in each range, by the server's estimate.
ROWS_PER_PARTITION = 500_000
MOST_PARTITIONS = 16

# The value at i/n of the way from lo to hi, in the column's own type.
_STEPS = {
    "int2": "floor(lo + (hi::numeric - lo) * i / n)::int8",
    "int4": "floor(lo + (hi::numeric - lo) * i / n)::int8",
    "int8": "floor(lo + (hi::numeric - lo) * i / n)::int8",
    "numeric": "lo + (hi - lo) * i / n",
    "date": "lo + ((hi - lo)::int8 * i / n)::int4",
    "timestamp": "lo + (hi - lo) * (i::float8 / n)",
    "timestamptz": "lo + (hi - lo) * (i::float8 / n)",
}
_FINITE = {"numeric": "lo NOT IN ('NaN') AND hi NOT IN ('NaN')", "date": "isfinite(lo) AND isfinite(hi)"}
_FINITE["timestamp"] = _FINITE["timestamptz"] = _FINITE["date"]
PARTITION_TYPES = frozenset(_STEPS)
_BOUND = re.compile(r"[-+:. 0-9A-Z]+")


def plan(
    connection: psycopg.Connection[Any], source: str, column: PgColumn, wanted: int | str, rows: int | None
) -> list[Partition]:
    """Ranges of ``column`` that together are all rows of ``source``, NULL in the first. One query.

    Raises RunError (OSI-R111) for a column that has no ranges.
    """
    if column.base not in _STEPS:
        raise RunError(
            f'partition.column "{column.name}" is {column.type}; it must be a number, a date or a timestamp',
            code="OSI-R111",
        )
    count = wanted if isinstance(wanted, int) else min(MOST_PARTITIONS, (rows or 0) // ROWS_PER_PARTITION + 1)
    name = quote_pyformat(column.name)
    finite = _FINITE.get(column.base, "true")
    sql = f"""
        WITH ends AS (SELECT min({name}) AS lo, max({name}) AS hi FROM {source})
        SELECT DISTINCT ({_STEPS[column.base]})::{column.base} AS cut
        FROM ends, generate_series(1, %(last)s) AS i, (SELECT %(count)s::int4 AS n) parts
        WHERE lo < hi AND {finite} ORDER BY cut
    """
    found = connection.execute(f"SELECT cut::text FROM ({sql}) cuts", {"last": count - 1, "count": count}).fetchall()
    cuts = [row[0] for row in found]
    edges = [None, *cuts, None]
    return [
        Partition(index, len(cuts) + 1, {"column": column.name, "type": column.base, "from": low, "to": high})
        for index, (low, high) in enumerate(pairwise(edges))
    ]


def condition(bounds: Mapping[str, Any]) -> str:
    """The rows of one range, for SQL that goes through psycopg's parameters."""
    name = quote_pyformat(bounds["column"])
    low, high = _bound(bounds, "from"), _bound(bounds, "to")
    if low is None and high is None:
        return "true"
    if low is None:
        return f"{name} < {high} OR {name} IS NULL"
    return f"{name} >= {low}" + (f" AND {name} < {high}" if high is not None else "")


def _bound(bounds: Mapping[str, Any], side: str) -> str | None:
    text = bounds[side]
    if text is None:
        return None
    if bounds["type"] not in _STEPS or not _BOUND.fullmatch(text):
        raise RunError("a partition's bounds are not ones this component made", code="OSI-X001")
    return f"'{text}'::{bounds['type']}"
