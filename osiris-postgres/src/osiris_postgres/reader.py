"""Reading: one read-only snapshot, streamed as binary COPY."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import DriftError, Partition, RunError, StepContext
from osiris_core.data import BatchStream, build_select, with_source_table
from osiris_core.sql import bind
from osiris_postgres.connect import Place, begin_snapshot, connect
from osiris_postgres.cursor import Cursor
from osiris_postgres.decode import Decoder, chunks
from osiris_postgres.names import quote_pyformat
from osiris_postgres.partitions import condition, plan
from osiris_postgres.proof import one_statement
from osiris_postgres.relations import PgColumn, Relation, load_relations, result_columns
from osiris_postgres.types import read_column

if TYPE_CHECKING:
    import psycopg

    from osiris_postgres.verify_source import SourceChecksum


def open_reader(
    place: Place, config: Mapping[str, Any], context: StepContext, partition: Partition | None = None
) -> BatchStream:
    """Open the read a config describes; rows come from one REPEATABLE READ snapshot.

    Raises DriftError when the table or a column is missing.
    """
    connection = connect(place)
    try:
        return _Reading(connection, place, config, context, partition).stream()
    except BaseException:
        connection.close()
        raise


@dataclass(frozen=True)
class _Source:
    """What is read: ``sql`` is a quoted table or a query in parentheses, with ``values`` for its parameters.

    ``unfit``: why its rows may be others when they are asked for again. ``key``: columns of the table's primary key.
    ``conditions``: what narrows the read beside the config's ``where``.
    """

    columns: list[PgColumn]
    schema: pa.Schema
    sql: str
    values: Mapping[str, Any]
    unfit: str = ""
    key: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


class _Reading:
    def __init__(
        self,
        connection: psycopg.Connection[Any],
        place: Place,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None,
    ) -> None:
        self._connection = connection
        self._place = place
        self._config = config
        self._context = context
        self._partition = partition
        self._cursor = Cursor.of(config, context.state)

    def stream(self) -> BatchStream:
        """The stream over the COPY that is about to run."""
        connection = self._connection
        self._context.on_cancel(lambda: connection.cancel_safe(timeout=5))
        begin_snapshot(connection, self._place)
        source = self._narrowed(self._query() if "query" in self._config else self._table())
        batches = self._batches(source, self._checksum(source))
        return BatchStream(source.schema, batches, on_close=self._close, state=self._cursor.state)

    # -- what is read ----------------------------------------------------------------------------------
    def _table(self) -> _Source:
        relation = load_table(self._connection, self._place, self._config["table"])
        columns = relation.chosen(self._config.get("columns"))
        schema = with_source_table(
            pa.schema([read_column(column).field for column in columns]),
            primary_key=relation.primary_key,
            comment=relation.comment,
            comments={column.name: column.comment for column in columns},
        )
        # Another plan may add floats in another order, and choose other rows where LIMIT has no ORDER BY.
        unfit = "a view" if relation.kind == "v" else ""
        return _Source(columns, schema, quoted_table(self._place, relation), {}, unfit, relation.primary_key)

    def _query(self) -> _Source:
        text, values = self._bound(self._config["query"])
        # The closing parenthesis stands on its own line: the query may end with a comment.
        sql = f"({text.strip().rstrip(';')}\n) AS query"
        columns = result_columns(self._connection, sql, values)
        names = [column.name for column in columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise RunError(f'the query has two columns called "{twice[0]}"', code="OSI-R105", hint="rename one with AS")
        return _Source(columns, pa.schema([read_column(column).field for column in columns]), sql, values)

    def _bound(self, text: str) -> tuple[str, dict[str, Any]]:
        """The user's SQL with his parameters under names that ``build_select`` does not use."""
        sql, values = bind(text, self._config.get("sql_params", {}), "pyformat")
        renamed = re.sub(r"%%|%\((\w+)\)s", lambda m: f"%(param_{m[1]})s" if m[1] else m[0], sql)
        return renamed, {f"param_{name}": value for name, value in dict(values).items()}

    def _narrowed(self, source: _Source) -> _Source:
        conditions, values = self._cursor.bind(source.columns)
        if "where_sql" in self._config:
            text, given = self._bound(self._config["where_sql"])
            conditions.append(text + "\n")
            values.update(given)
        if self._partition is not None and self._partition.bounds:
            conditions.append(condition(self._partition.bounds))
        return replace(source, conditions=tuple(conditions), values={**source.values, **values})

    def _statement(
        self, config: Mapping[str, Any], source: _Source, select_list: Sequence[str], more: Sequence[str] = ()
    ) -> str:
        """A SELECT over the rows of the read, its values quoted in by the client library: COPY takes none bound."""
        sql, bound = build_select(
            config,
            select_list=select_list,
            source=source.sql,
            quote=quote_pyformat,
            style="pyformat",
            extra_where=[*source.conditions, *more],
        )
        return one_statement(self._connection, sql, {**source.values, **bound})

    # -- the rows --------------------------------------------------------------------------------------
    def _batches(self, source: _Source, checksum: SourceChecksum | None) -> Iterator[pa.RecordBatch]:
        columns = [read_column(column) for column in source.columns]
        # Output columns have names of ours: ORDER BY would else mean the text form of a column, not the column.
        selected = [f"{column.expression} AS _osiris_{i}" for i, column in enumerate(columns)]
        sql = self._statement(self._config, source, selected)
        decoder = Decoder(columns, source.schema)
        with self._connection.cursor() as cursor, cursor.copy(f"COPY ({sql}\n) TO STDOUT (FORMAT binary)") as copy:
            for rows in chunks(copy, self._context.batch_bytes):
                batch = decoder.decode(rows)
                self._cursor.see(batch)
                if checksum is not None:
                    checksum.add(batch)
                yield batch
        if checksum is not None:
            checksum.check()
        self._connection.rollback()

    def _checksum(self, source: _Source) -> SourceChecksum | None:
        """What compares the rows with the server's, when the write wants it and the server can be asked twice."""
        if not self._context.checksum:
            return None
        unfit = next((f"a read with {name}" for name in ("query", "limit") if name in self._config), source.unfit)
        if unfit:
            title = self._config.get("table", "query")
            if self._partition is None or self._partition.index == 0:  # once for all ranges
                self._context.warn("OSI-R115", f"{title}: {unfit} is not compared with its source")
            return None
        from osiris_postgres.verify_source import SourceChecksum

        over = partial(self._statement, {"where": self._config.get("where", ())}, source)  # in no order
        return SourceChecksum(self._connection, self._config["table"], source.columns, source.key, over)

    def _close(self) -> None:
        with suppress(Exception):
            self._connection.close()


def load_table(connection: psycopg.Connection[Any], place: Place, table: str) -> Relation:
    """The relation ``table`` of the place's schema. Raises DriftError (OSI-R002) when it is not there."""
    found = load_relations(connection, place.schema, [table])
    if not found:
        raise DriftError(
            f'table "{place.schema}"."{table}" does not exist, or this user may not read it', code="OSI-R002"
        )
    return found[0]


def quoted_table(place: Place, relation: Relation) -> str:
    """A relation's qualified name for SQL with psycopg's parameters."""
    return f"{quote_pyformat(place.schema)}.{quote_pyformat(relation.name)}"


def plan_partitions(place: Place, config: Mapping[str, Any]) -> list[Partition]:
    """The ranges of a read with ``partition``; one partition when there is nothing to divide."""
    wanted = config.get("partition")
    if not wanted:
        return [Partition(0, 1)]
    with connect(place) as connection:
        begin_snapshot(connection, place)
        if "query" in config:
            raise RunError("a query is not read in ranges; name a table", code="OSI-R111")
        relation = load_table(connection, place, config["table"])
        column = relation.chosen([wanted["column"]])[0]
        source = quoted_table(place, relation)
        return plan(connection, source, column, wanted.get("count", "auto"), relation.rows)
