"""What a read step selects: the SELECT, its values, and the columns that come back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core import DriftError, Partition, RunError, did_you_mean
from osiris_core.data import build_select
from osiris_mysql.columns import ReadColumn, schema_of
from osiris_mysql.discovery import describe_table
from osiris_mysql.incremental import Cursor
from osiris_mysql.names import quote_pyformat
from osiris_mysql.partitions import condition
from osiris_mysql.typemap import TEMPORAL, MySQLType, from_result, parse

if TYPE_CHECKING:
    import pyarrow as pa

_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`""", re.DOTALL)
_PARENTHESES = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Source:
    """A table or a query, before anything is chosen from it.

    ``sql`` is what stands after FROM; ``direct`` is a query's own text, used when nothing needs to be wrapped
    around it. In both `%` is doubled. ``keys`` name a row in messages; ``primary_key`` and ``comment`` are the
    table's own, for whoever makes a table of the rows.
    """

    title: str
    sql: str
    columns: tuple[ReadColumn, ...]
    keys: tuple[str, ...] = ()
    direct: str = ""
    primary_key: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """One SELECT ready to run: ``%(name)s`` marks, ``values``, and the columns of its result.

    ``source`` stands after FROM, ``conditions`` are what the step's ``where`` does not say. ``schema`` is the Arrow
    schema of the rows.
    """

    title: str
    source: str
    conditions: tuple[str, ...]
    sql: str
    values: Mapping[str, Any]
    columns: list[ReadColumn]
    schema: pa.Schema
    keys: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...]


def select(
    session: Any, database: str, config: Mapping[str, Any], partition: Partition | None, cursor: Cursor | None
) -> Selection:
    """Look at the source and build the SELECT. Raises DriftError when a column or the table is gone."""
    source = source_of(session, database, config)
    columns = _chosen(source, config)
    conditions = [_bound(session, config["where_sql"], config)] if "where_sql" in config else []
    if cursor is not None:
        conditions += [text for text in (cursor.condition(kind_of(source, cursor.column)),) if text]
    if partition is not None and partition.count > 1:
        conditions.append(condition(partition))
    wrapped = bool(conditions) or any(name in config for name in ("where", "order_by", "limit", "columns"))
    casts = any(column.type.expression(column.name) != column.name for column in columns)
    sql, values = source.direct, dict[str, Any]()
    if not source.direct or wrapped or casts:
        sql, values = build_select(
            config,
            select_list=[column.selected(quote_pyformat(column.name)) for column in columns],
            source=source.sql,
            quote=quote_pyformat,
            style="pyformat",
            extra_where=conditions,
        )
    warnings = _warnings(source, columns, wrapped or casts)
    schema = schema_of(columns, source.primary_key, source.comment)
    return Selection(source.title, source.sql, tuple(conditions), sql, values, columns, schema, source.keys, warnings)


def over(
    config: Mapping[str, Any], selection: Selection, select_list: Sequence[str], extra_where: Sequence[str] = ()
) -> tuple[str, Any]:
    """``(sql, values)`` that select something else of the same rows, in no order; the step has no limit."""
    return build_select(
        {"where": config.get("where", ())},
        select_list=select_list,
        source=selection.source,
        quote=quote_pyformat,
        style="pyformat",
        extra_where=[*selection.conditions, *extra_where],
    )


def source_of(session: Any, database: str, config: Mapping[str, Any]) -> Source:
    """The table or query of a read config, with all its columns."""
    if "query" in config:
        return _query_source(session, config)
    table = describe_table(session, database, config["table"])
    if table is None:
        raise DriftError(
            f"there is no table {config['table']} in {database}",
            hint="run: osiris discover --refresh, then compile again",
        )
    kinds = [parse(column.type, json=column.osiris_type == "json") for column in table.columns]
    columns = tuple(
        ReadColumn(column.name, kind, _nullable(column.nullable, kind, config), column.comment)
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    keys = table.primary_key or (table.unique_keys[0] if table.unique_keys else ())
    # A date that is read as NULL is no key any more.
    whole = not any(column.nullable for column in columns if column.name in table.primary_key)
    primary_key = table.primary_key if whole else ()
    return Source(table.name, quote_pyformat(table.name), columns, keys, primary_key=primary_key, comment=table.comment)


def kind_of(source: Source, name: str) -> MySQLType:
    """The type of one column. Raises DriftError when the source has no such column."""
    for column in source.columns:
        if column.name == name:
            return column.type
    raise DriftError(f"{source.title} has no column {name}", hint=did_you_mean(name, [c.name for c in source.columns]))


def _query_source(session: Any, config: Mapping[str, Any]) -> Source:
    text = _bound(session, config["query"].strip().rstrip(";").rstrip(), config)
    wrapped = f"({text}\n) AS osiris_query"
    with session.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {wrapped} LIMIT 0", {})
        fields = cursor._result.fields
    columns = tuple(ReadColumn(item.name, from_result(item)) for item in fields)
    return Source("query", wrapped, columns, direct=text)


def _bound(session: Any, text: str, config: Mapping[str, Any]) -> str:
    """SQL of the step with its parameters as literals, escaped by PyMySQL, and every other `%` doubled."""
    from osiris_core.sql import bind

    sql, values = bind(text, config.get("sql_params", {}), "pyformat")
    with session.cursor() as cursor:
        bound: str = cursor.mogrify(sql, values)
    return bound.replace("%", "%%")


def _chosen(source: Source, config: Mapping[str, Any]) -> list[ReadColumn]:
    by_name = {column.name: column for column in source.columns}
    wanted: Sequence[str] = config.get("columns") or [c.name for c in source.columns if c.type.readable]
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise DriftError(
            f"{source.title} has no column {', '.join(missing)}", hint=did_you_mean(missing[0], list(by_name))
        )
    unreadable = [f"{name} ({by_name[name].type.source})" for name in wanted if not by_name[name].type.readable]
    if unreadable:
        raise RunError(
            f"{source.title}: no faithful Arrow type for {', '.join(unreadable)}",
            code="OSI-R101",
            hint="leave them out with columns, or cast them in query",
        )
    return [by_name[name] for name in wanted]


def _nullable(nullable: bool, kind: MySQLType, config: Mapping[str, Any]) -> bool:
    """A date that becomes NULL makes its column nullable, whatever the server says."""
    return nullable or ("on_invalid_date" in config and kind.kind in TEMPORAL)


def _warnings(source: Source, columns: list[ReadColumn], wrapped: bool) -> tuple[tuple[str, str], ...]:
    found = []
    for column in columns:
        if column.type.kind == "wkb":
            found.append(("OSI-R110", f"{source.title}.{column.name}: geometry is read as WKB, its SRID is dropped"))
    if source.direct and wrapped and _is_ordered(source.direct):
        found.append(("OSI-R112", "the ORDER BY inside query may be lost: it is wrapped; use order_by of the step"))
    return tuple(found)


def _is_ordered(query: str) -> bool:
    """Whether the rows of a query come in an order: an ORDER BY inside of OVER (…) or of a subquery is another's."""
    text = _QUOTED.sub(" ", query)
    while (less := _PARENTHESES.sub(" ", text)) != text:
        text = less
    return _ORDERED.search(text) is not None
