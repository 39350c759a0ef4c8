"""Reading a DuckDB table or query: from the step's config to one lazy SELECT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import ConnectError, Connection, DriftError, RunError, StepContext, did_you_mean
from osiris_core.data import build_select, with_source_table
from osiris_core.sql import bind
from osiris_duckdb.catalog import Description, described
from osiris_duckdb.conditions import exact, exact_conditions
from osiris_duckdb.instances import INSTANCES, Lease, database_path, one, quote
from osiris_duckdb.reading_types import read_type
from osiris_duckdb.sql_guard import check_condition, check_select, one_statement
from osiris_duckdb.streams import Column, QueryStream, Run, Source, arrow_schema, describe, open_batches, select_list

_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII
)
_UNITS = ("YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")


def qualified(name: str) -> str:
    """A table's name in a pipeline as SQL: ``sales.orders`` is schema and table, unless a quoted name has the dot."""
    return ".".join(quote(part) for part in name.split(".", 1))


def open_table(connection: Connection, config: Mapping[str, Any], context: StepContext) -> QueryStream:
    """The stream of a read step. Names and types are looked up now; the rows are read when they are asked for.

    Raises ConnectError, DriftError (a table or column is gone), InvalidInputError (SQL that is not allowed).
    """
    path = database_path(connection, context.project_dir)
    if not path.is_file():
        raise ConnectError(f"there is no DuckDB file {path}", hint="check the connection's path")
    settings = {name: connection.fields.get(name) for name in ("memory_limit", "threads")}

    def borrow() -> Lease:
        return INSTANCES.borrow(path, temp_dir=context.work_dir, settings=settings, cancelled=context.cancelled)

    lease = borrow()
    try:
        plan = _plan(lease.connection, config, context.state)
        raw = describe(lease.connection, plan.sql, plan.parameters)
        raw = _representable(raw, config, context)
        columns = [Column(c.name, c.type, plan.nullable.get(c.name, True), plan.computed) for c in raw]
        text = f"SELECT {', '.join(select_list(columns))} FROM ({plan.sql})"
        schema = with_source_table(
            arrow_schema(columns, _storage(lease.connection, text, plan.parameters)),
            primary_key=plan.table.primary_key,
            comment=plan.table.comment,
            comments=plan.table.comments,
        )
    finally:
        lease.close()

    def connect() -> tuple[duckdb.DuckDBPyConnection, Any]:
        lease = borrow()
        return lease.connection, lease.close

    # An incremental read looks up its state in the transaction of its rows: nobody else can take it over.
    source = Source(plan.sql, plan.parameters, columns, database=path) if plan.incremental is None else None
    state = _State(plan, context.state)
    run = Run(
        connect,
        text,
        plan.parameters,
        schema,
        context.batch_bytes,
        source,
        on_cancel=context.on_cancel,
        prepare=state.look_up,
    )
    return QueryStream(schema, run.batches(), source, state=state.value)


def _representable(columns: list[Column], config: Mapping[str, Any], context: StepContext) -> list[Column]:
    """Without the columns that no Arrow type can carry; asking for one of them by name is an error."""
    lost = [column for column in columns if not read_type(column.type).arrow]
    if not lost:
        return columns
    names = ", ".join(f'"{column.name}" ({column.type})' for column in lost)
    if "table" not in config or "columns" in config:
        raise RunError(f"these columns cannot be carried: {names}", code="OSI-R101", hint="convert them in a query")
    context.warn("OSI-V218", f"these columns cannot be carried and are left out: {names}")
    return [column for column in columns if column not in lost]


def _storage(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any) -> pa.Schema:
    reader = open_batches(connection, f"{sql} LIMIT 0", parameters, 1)
    schema = reader.schema
    reader.close()
    return schema


@dataclass
class _Plan:
    """A SELECT in DuckDB's own types."""

    sql: str
    parameters: dict[str, Any]
    nullable: Mapping[str, bool]
    computed: bool
    #: Key and comments of the table; a query has none.
    table: Description = field(default_factory=Description)
    incremental: Mapping[str, Any] | None = None
    cursor_type: str = ""
    #: The highest cursor value of the same rows.
    highest_sql: str = ""


def _plan(connection: duckdb.DuckDBPyConnection, config: Mapping[str, Any], state: Any) -> _Plan:
    given: Mapping[str, Any] = config.get("sql_params", {})
    parameters: dict[str, Any] = {}
    if "query" in config:
        query, used = bind(one_statement(config["query"]), given, "dollar")
        check_select(connection, query, what="query")
        parameters.update({name: exact(value) for name, value in dict(used).items()})
        source, nullable, table = f"({query}\n) AS source", {}, Description()
        known = [column.name for column in describe(connection, f"SELECT * FROM {source}", parameters)]
        names = known
    else:
        source = qualified(config["table"])
        nullable = _table_columns(connection, config["table"])
        known = list(nullable)
        table = described(connection, config["table"], known)
        names = list(config.get("columns", known))
    _refuse_unknown(config, names, known)
    conditions = []
    if "where_sql" in config:
        condition, used = bind(config["where_sql"], given, "dollar")
        check_condition(connection, condition)
        parameters.update({name: exact(value) for name, value in dict(used).items()})
        conditions.append(f"{condition}\n")
    plan = _Plan("", parameters, nullable, "query" in config, table, config.get("incremental"))
    if plan.incremental is not None:
        plan.cursor_type = _type_of(connection, source, plan.incremental["cursor"], parameters)
        conditions += _beyond(plan, state)
    selection = {**config, "where": exact_conditions(config)}
    plan.sql, values = _select(selection, [quote(name) for name in names], source, conditions)
    parameters.update(values)
    if plan.incremental is not None:
        highest = f"CAST(max({quote(plan.incremental['cursor'])}) AS VARCHAR)"
        plan.highest_sql, _ = _select({"where": selection["where"]}, [highest], source, conditions)
    return plan


def _select(config: Mapping[str, Any], select: list[str], source: str, conditions: list[str]) -> tuple[str, Any]:
    return build_select(config, select_list=select, source=source, quote=quote, style="dollar", extra_where=conditions)


def _table_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, bool]:
    """Column names of ``table`` and whether each may be NULL. Raises DriftError when there is no such table."""
    try:
        rows = connection.execute(f"DESCRIBE {qualified(table)}").fetchall()
    except duckdb.CatalogException as error:
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        raise DriftError(f'there is no table "{table}"', hint=did_you_mean(table, tables)) from error
    return {row[0]: row[2] == "YES" for row in rows}


def _refuse_unknown(config: Mapping[str, Any], names: list[str], known: list[str]) -> None:
    asked = [*names, *(item["column"] for key in ("where", "order_by") for item in config.get(key, ()))]
    if "incremental" in config:
        asked.append(config["incremental"]["cursor"])
    missing = [name for name in asked if name not in known]
    if missing:
        where = f'table "{config["table"]}"' if "table" in config else "the query"
        raise DriftError(f'{where} has no column "{missing[0]}"', hint=did_you_mean(missing[0], known))


def _type_of(connection: duckdb.DuckDBPyConnection, source: str, column: str, parameters: Any) -> str:
    return describe(connection, f"SELECT {quote(column)} FROM {source}", parameters)[0].type


def _beyond(plan: _Plan, state: Any) -> list[str]:
    """The condition that leaves out what the target's ledger remembers; none on the first run."""
    assert plan.incremental is not None
    if not state:
        return []
    cursor, kind = quote(plan.incremental["cursor"]), plan.cursor_type
    if state.get("type", kind) != kind:
        raise DriftError(
            f'the incremental cursor "{plan.incremental["cursor"]}" is {kind} now and was {state["type"]}',
            hint="run once with another step id, which starts from the beginning",
        )
    plan.parameters["cursor_state"] = state["value"]
    last = f"CAST($cursor_state AS {kind})"
    if "lag" not in plan.incremental:
        return [f"{cursor} > {last}"]
    return [f"{cursor} >= {last} - {_lag(plan.incremental['lag'])}"]


def _lag(lag: int | str) -> str:
    if isinstance(lag, int):
        return str(lag)
    match = _DURATION.fullmatch(lag)
    if match is None or not any(match.groups()):
        raise RunError(f'lag "{lag}" is not an ISO 8601 duration', hint="for example PT1H or P2D")
    parts = [f"INTERVAL '{n} {unit}'" for n, unit in zip(match.groups(), _UNITS, strict=True) if n]
    return f"({' + '.join(parts)})"


@dataclass
class _State:
    """The highest cursor value of exactly the rows that are read: asked in their own transaction."""

    plan: _Plan
    before: Any
    found: Any = None

    def look_up(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Called in the transaction of the read."""
        if self.plan.incremental is None:
            return
        row = one(connection, self.plan.highest_sql, self.plan.parameters or None)
        if row and row[0] is not None:
            self.found = {"value": row[0], "type": self.plan.cursor_type}

    def value(self) -> Any:
        """The state for the ledger: unchanged when nothing new was read."""
        return self.found or self.before
