"""Parallel reads: ranges of a numeric or date column that together are the whole table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from osiris_core import Connection, Partition, RunError, StepContext
from osiris_mysql.names import quote_pyformat
from osiris_mysql.typemap import TEMPORAL, MySQLType

#: ``count: auto`` makes a range for each this many rows, by the server's estimate, up to AUTO_MOST.
AUTO_ROWS = 500_000
AUTO_MOST = 4


def plan(connection: Connection, config: Mapping[str, Any], context: StepContext) -> list[Partition]:
    """The ranges; one when none are asked for or there is nothing to divide. Each has its own snapshot."""
    from osiris_mysql.connect import open_session
    from osiris_mysql.faults import running
    from osiris_mysql.incremental import Cursor
    from osiris_mysql.reader import SNAPSHOT, discard
    from osiris_mysql.selection import kind_of, select, source_of

    given = config.get("partition")
    if given is None:
        return [Partition(0, 1)]
    session = open_session(connection)
    try:
        with running(f"dividing @{connection.alias}.{config.get('table', 'query')}"), session.cursor() as cursor:
            cursor.execute(SNAPSHOT)
            kind = kind_of(source_of(session, connection.text("database"), config), given["column"])
            whole = {name: value for name, value in config.items() if name not in ("order_by", "columns")}
            rows = select(
                session,
                connection.text("database"),
                whole | {"columns": [given["column"]]},
                None,
                Cursor.of(config, context.state),
            )
            column = quote_pyformat(given["column"])
            cursor.execute(f"SELECT MIN({column}), MAX({column}), COUNT(*) FROM ({rows.sql}) AS r", rows.values)
            low, high, number = cursor.fetchone()
    finally:
        discard(session)
    count = given.get("count", "auto")
    wanted = min(AUTO_MOST, 1 + number // AUTO_ROWS) if count == "auto" else int(count)
    parts = ranges(given["column"], kind, low, high, wanted)
    if len(parts) > 1:
        context.warn("OSI-R126", f"each of the {len(parts)} ranges is read from a snapshot of its own")
    return parts


def ranges(column: str, kind: MySQLType, low: Any, high: Any, wanted: int) -> list[Partition]:
    """At most ``wanted`` ranges between the least and the greatest value; the outer ones have no outer bound."""
    cuts = _cuts(kind, low, high, wanted)
    count = len(cuts) + 1
    edges = [None, *cuts, None]
    return [
        Partition(
            i, count, {"column": column, "low": edges[i], "high": edges[i + 1], "temporal": kind.kind in TEMPORAL}
        )
        for i in range(count)
    ]


def condition(partition: Partition) -> str:
    """SQL for the rows of one range; NULL belongs to the first. Literals are checked here, `%` is doubled."""
    bounds = partition.bounds
    column = quote_pyformat(bounds["column"])
    low, high = (_literal(bounds[name], bounds["temporal"]) for name in ("low", "high"))
    if low is None:
        return f"{column} < {high} OR {column} IS NULL"
    return f"{column} >= {low}" if high is None else f"{column} >= {low} AND {column} < {high}"


def _cuts(kind: MySQLType, low: Any, high: Any, wanted: int) -> list[str]:
    if low is None or (kind.kind in TEMPORAL and isinstance(low, str)):  # no rows, or a least date that does not exist
        return []
    if isinstance(low, date):
        start, stop = (_datetime(value) for value in (low, high))
        step = (stop - start) / wanted
        cuts = [start + step * i for i in range(1, wanted)]
        texts = [
            (c.date() if kind.kind == "date" else c).isoformat(*([] if kind.kind == "date" else [" "])) for c in cuts
        ]
    elif isinstance(low, int | Decimal | float):
        first, span = Decimal(low), Decimal(high) - Decimal(low)
        texts = [str(int(first + span * i / wanted)) for i in range(1, wanted)]
    else:
        raise RunError(
            f"a read cannot be divided by a {kind.source} column", code="OSI-R111", hint="use a numeric or date column"
        )
    return [text for text in dict.fromkeys(texts) if _inside(text, low, high)]


def _inside(text: str, low: Any, high: Any) -> bool:
    """A cut at or below the least value would make an empty range."""
    if isinstance(low, datetime):
        return bool(low < datetime.fromisoformat(text) <= high)
    if isinstance(low, date):
        return bool(low < date.fromisoformat(text) <= high)
    return bool(low < Decimal(text) <= high)


def _datetime(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def _literal(bound: str | None, temporal: bool) -> str | None:
    if bound is None:
        return None
    if not temporal:
        return str(int(bound))
    exact = datetime.fromisoformat(bound) if " " in bound else date.fromisoformat(bound)
    return f"'{exact}'"
