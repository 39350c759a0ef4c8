"""The table a step writes: as it is, made or widened when the step allows it, and how a stream maps onto it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from osiris_core import DriftError, RunError, StepContext, Table, did_you_mean
from osiris_core.data import created_primary_key, refuse_unknown_types, warn_keyless
from osiris_mysql.connect import is_mariadb
from osiris_mysql.ddl import add_columns, create_table, unkept_comments
from osiris_mysql.discovery import describe_table
from osiris_mysql.fitting import KNOWN_TYPES, Fit
from osiris_mysql.typemap import MySQLType, parse

_REFERRING = """
SELECT constraint_schema, table_name FROM information_schema.referential_constraints
WHERE unique_constraint_schema = %s AND referenced_table_name = %s"""
#: What servers answer to a primary key of columns too long, too large or of a type without order.
_NO_KEY = frozenset({1071, 1167, 1170, 3152})


@dataclass(frozen=True, slots=True)
class Placement:
    """One column of the stream and its place in the target."""

    index: int
    field: pa.Field
    name: str
    type: MySQLType
    fit: Fit


@dataclass(frozen=True, slots=True)
class Target:
    """The target as it is now, and where each column of the stream goes.

    Attributes:
        keys: the columns by which staged rows find theirs; empty when rows go straight into the target.
        delete_missing: delete the target's rows whose key is not staged.
    """

    database: str
    name: str
    placements: tuple[Placement, ...]
    keys: tuple[str, ...] = ()
    delete_missing: bool = False

    @property
    def columns(self) -> list[str]:
        """Names of the columns that are written, as the target spells them."""
        return [placement.name for placement in self.placements]


def prepare(session: Any, database: str, config: Mapping[str, Any], schema: pa.Schema, context: StepContext) -> Target:
    """Look at the target, create or widen it when the step allows that, and map the stream's columns.

    Every statement that changes a definition commits, so this comes before the transaction. Raises DriftError
    when the target lacks a table or column, RunError when it cannot take the stream unaltered.
    """
    refuse_unknown_types(schema, KNOWN_TYPES, "MySQL")
    _refuse_twins(schema)
    name = config["table"]
    table = describe_table(session, database, name)
    if table is None:
        table = _create(session, database, config, schema, context)
    if table.kind == "view":
        raise RunError(f"{name} is a view", code="OSI-R122", hint="name the table below the view")
    table = _widened(session, database, config, schema, table, context)
    if config.get("require") != "at_least_once":
        _refuse_without_transactions(session, database, name)
    placements = _placements(table, schema)
    _refuse_missing(table, placements)
    keys = tuple(_actual(table, key) for key in config.get("merge_keys", ()))
    _refuse_keys(table, keys, placements)
    replaced_by_key = config["write_mode"] == "replace" and bool(others := _referring(session, database, name))
    if replaced_by_key:
        keys = _replace_key(table, placements, others)
    return Target(database, name, placements, keys, replaced_by_key or bool(config.get("delete_missing")))


def _create(session: Any, database: str, config: Mapping[str, Any], schema: pa.Schema, context: StepContext) -> Table:
    name = config["table"]
    if config.get("create", "never") != "if_missing":
        raise DriftError(
            f"there is no table {name} in {database}", hint="create it, or set create: if_missing in the step"
        )
    import pymysql

    keys = created_primary_key(schema, config, context, ignore_case=True)
    mariadb = is_mariadb(session)
    with session.cursor() as cursor:
        try:
            cursor.execute(create_table(database, name, schema, keys, mariadb=mariadb))
        except pymysql.MySQLError as error:
            asked = "primary_key" in config or "merge_keys" in config
            if asked or not keys or error.args[0] not in _NO_KEY:
                raise
            warn_keyless(context, keys, str(error.args[1]))
            cursor.execute(create_table(database, name, schema, (), mariadb=mariadb))
    _warn_comments(unkept_comments(schema, schema), context)
    return _described(session, database, name)


def _warn_comments(unkept: Sequence[str], context: StepContext) -> None:
    if unkept:
        context.warn(
            "OSI-R128",
            f"the comments of {', '.join(unkept)} are left out: MySQL keeps 1,024 characters of a column's, 2,048 of a "
            "table's, no emoji (nothing beyond U+FFFF) and no NUL",
        )


def _widened(
    session: Any,
    database: str,
    config: Mapping[str, Any],
    schema: pa.Schema,
    table: Table,
    context: StepContext,
) -> Table:
    new = [field for field in schema if _find(table, field.name) is None]
    if not new:
        return table
    names = ", ".join(field.name for field in new)
    policy = config.get("on_drift", "fail")
    if policy == "fail":
        raise DriftError(
            f"{table.name} has no column {names}",
            hint=did_you_mean(new[0].name, [column.name for column in table.columns])
            or "set on_drift: add_columns or ignore_new, or choose columns in the read step",
        )
    if policy == "ignore_new":
        return table
    with session.cursor() as cursor:
        cursor.execute(add_columns(database, table.name, new, mariadb=is_mariadb(session)))
    _warn_comments(unkept_comments(new), context)
    return _described(session, database, table.name)


def _described(session: Any, database: str, name: str) -> Table:
    table = describe_table(session, database, name)
    if table is None:
        raise DriftError(f"the table {name} vanished while it was prepared")
    return table


def _placements(table: Table, schema: pa.Schema) -> tuple[Placement, ...]:
    placed = []
    for index, field in enumerate(schema):
        column = _find(table, field.name)
        if column is None or column.generated:  # the server computes it
            continue
        kind = parse(column.type, json=column.osiris_type == "json")
        placed.append(
            Placement(index, field, column.name, kind, Fit(field, kind, column.name, nullable=column.nullable))
        )
    if not placed:
        raise DriftError(f"{table.name} has none of the stream's columns", hint="check table and columns")
    return tuple(placed)


def _find(table: Table, name: str) -> Any:
    """The column of that name; MySQL's column names ignore case."""
    folded = name.lower()
    return table.column(name) or next((c for c in table.columns if c.name.lower() == folded), None)


def _actual(table: Table, key: str) -> str:
    column = _find(table, key)
    if column is None:
        raise DriftError(f"{table.name} has no column {key} to merge by", hint="check merge_keys")
    return str(column.name)


def _refuse_twins(schema: pa.Schema) -> None:
    seen: dict[str, str] = {}
    for name in schema.names:
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise RunError(
                f"the columns {other} and {name} are one name for MySQL",
                code="OSI-R105",
                hint="rename one of them in a query or transform",
            )


def _refuse_without_transactions(session: Any, database: str, name: str) -> None:
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT t.engine, e.transactions FROM information_schema.tables AS t "
            "LEFT JOIN information_schema.engines AS e ON e.engine = t.engine "
            "WHERE t.table_schema = %s AND t.table_name = %s",
            (database, name),
        )
        engine, transactions = cursor.fetchone() or (None, None)
    if transactions != "YES":
        raise RunError(
            f"{name} has the engine {engine}, which cannot roll back",
            code="OSI-R028",
            hint=f"ALTER TABLE {name} ENGINE=InnoDB, or set require: at_least_once",
        )


def _referring(session: Any, database: str, name: str) -> list[str]:
    """Tables whose foreign keys point here: then rows cannot simply be deleted and put back."""
    with session.cursor() as cursor:
        cursor.execute(_REFERRING, (database, name))
        return sorted({f"{schema}.{table}" for schema, table in cursor.fetchall()})


def _replace_key(table: Table, placements: Sequence[Placement], others: Sequence[str]) -> tuple[str, ...]:
    """The key by which a table that others refer to is replaced row by row. Raises RunError without one."""
    written = {placement.name for placement in placements}
    for key in (table.primary_key, *table.unique_keys):
        columns = [table.column(name) for name in key]
        if key and all(column is not None and not column.nullable and column.name in written for column in columns):
            return key
    raise RunError(
        f"{', '.join(others)} refers to {table.name}, and the source lacks the key to replace it row by row",
        code="OSI-R123",
        hint="read the columns of its primary key too",
    )


def _refuse_keys(table: Table, keys: Sequence[str], placements: Sequence[Placement]) -> None:
    written = {placement.name for placement in placements}
    for key in keys:
        if key not in written:
            column = table.column(key)
            why = "is generated" if column is not None and column.generated else "does not come from the source"
            raise DriftError(f"the merge key {key} {why}", hint="choose other merge_keys, or read the column")


def _refuse_missing(table: Table, placements: Sequence[Placement]) -> None:
    written = {placement.name for placement in placements}
    missing = [
        column.name
        for column in table.columns
        if column.name not in written and not (column.nullable or column.generated or column.has_default)
    ]
    if missing:
        raise DriftError(
            f"{table.name} wants a value for {', '.join(missing)}, which the source does not have",
            hint="read the column, give it a default, or allow NULL",
        )
