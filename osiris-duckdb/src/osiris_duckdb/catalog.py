"""Discovery of a DuckDB file: three queries, however many tables there are."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import duckdb

from osiris_core import Catalog, Column, ForeignKey, Scope, Table
from osiris_core.data import LEDGER_TABLE
from osiris_duckdb.instances import one
from osiris_duckdb.reading_types import read_type

_HERE = "database_name = current_database() AND NOT internal"
_COLUMNS = f"""
    SELECT schema_name, table_name, column_name, data_type, is_nullable, is_generated, column_default, comment
    FROM duckdb_columns() WHERE {_HERE} ORDER BY schema_name, table_name, column_index"""
_TABLES = f"""
    SELECT schema_name, table_name, 'table', estimated_size, comment, sql FROM duckdb_tables() WHERE {_HERE}
    UNION ALL
    SELECT schema_name, view_name, 'view', NULL, comment, NULL FROM duckdb_views() WHERE {_HERE}
    ORDER BY 1, 2"""
_CONSTRAINTS = """
    SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names
    FROM duckdb_constraints() WHERE database_name = current_database()
    UNION ALL
    SELECT schema_name, table_name, 'UNIQUE INDEX', [expressions], NULL, NULL
    FROM duckdb_indexes() WHERE database_name = current_database() AND is_unique AND NOT is_primary
    ORDER BY 1, 2, 3, 4"""
#: One row that changes with any table, column, type or key. Row counts and comments are left out.
_PROBE = f"""
    SELECT
        (SELECT string_agg(concat_ws('|', schema_name, table_name, column_name, data_type, is_nullable, is_generated,
                                     column_default), chr(10) ORDER BY schema_name, table_name, column_index)
         FROM duckdb_columns() WHERE {_HERE}),
        (SELECT string_agg(concat_ws('|', schema_name, table_name, constraint_type, constraint_column_names,
                                     referenced_table), chr(10)
                           ORDER BY schema_name, table_name, constraint_type, constraint_column_names::VARCHAR)
         FROM duckdb_constraints() WHERE database_name = current_database()),
        (SELECT string_agg(sql, chr(10) ORDER BY sql) FROM duckdb_indexes()
         WHERE database_name = current_database() AND is_unique),
        (SELECT string_agg(concat_ws('|', schema_name, view_name), chr(10) ORDER BY schema_name, view_name)
         FROM duckdb_views() WHERE {_HERE})"""
_DESCRIPTION = """
    SELECT (SELECT comment FROM duckdb_tables() WHERE {is_it}), (SELECT comment FROM duckdb_views() WHERE {is_view}),
           (SELECT constraint_column_names FROM duckdb_constraints()
            WHERE {is_it} AND constraint_type = 'PRIMARY KEY'),
           (SELECT list([column_name, comment]) FROM duckdb_columns() WHERE {is_it} AND comment IS NOT NULL)"""
#: Names ignore case, and no two tables or views of a schema have the same.
_IS = "database_name = current_database() AND lower(schema_name) = lower($schema) AND lower({name}) = lower($name)"

Rows = list[tuple[object, ...]]


def discover(connection: duckdb.DuckDBPyConnection, scope: Scope) -> Catalog:
    """Every table and view in ``scope``; Osiris's own ledger is left out. Raises duckdb.Error."""
    columns = _grouped(connection.execute(_COLUMNS).fetchall())
    keys = _grouped(connection.execute(_CONSTRAINTS).fetchall())
    tables = []
    left_out = False
    for schema, name, kind, rows, comment, sql in connection.execute(_TABLES).fetchall():
        if name == LEDGER_TABLE:
            continue
        full_name = table_name(schema, name)
        if not scope.matches(full_name):
            left_out = True
            continue
        tables.append(_table(full_name, kind, rows, comment, sql or "", columns[schema, name], keys[schema, name]))
    version = f"DuckDB {duckdb.__version__}"
    ordered = tuple(sorted(tables, key=lambda table: table.name))
    return Catalog("duckdb.table", ordered, server_version=version, probe=probe(connection), partial=left_out)


def probe(connection: duckdb.DuckDBPyConnection) -> str:
    """A token over everything ``discover`` finds but row counts and comments. Raises duckdb.Error."""
    row = one(connection, _PROBE)
    return hashlib.sha256(repr(row).encode()).hexdigest()


def table_name(schema: str, name: str) -> str:
    """What a pipeline calls a table: its name, with the schema before it when that is not ``main``."""
    return name if schema == "main" else f"{schema}.{name}"


@dataclass(frozen=True)
class Description:
    """What a table says of itself beside its columns' types: for whoever makes an equal one."""

    primary_key: tuple[str, ...] = ()
    comment: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)


def described(connection: duckdb.DuckDBPyConnection, name: str, columns: Iterable[str]) -> Description:
    """Key and comments of the table or view that a pipeline calls ``name``, under the names of its ``columns``."""
    schema, dot, table = name.partition(".")
    where = {"schema": schema, "name": table} if dot else {"schema": "main", "name": name}
    sql = _DESCRIPTION.format(is_it=_IS.format(name="table_name"), is_view=_IS.format(name="view_name"))
    row = one(connection, sql, where)
    spelt = {column.lower(): column for column in columns}  # a constraint spells them as its DDL did
    key = tuple(spelt.get(column.lower(), column) for column in _names(row[2]))
    return Description(key, row[0] or row[1] or "", dict(row[3] or ()))


def _grouped(rows: Iterable[tuple[object, ...]]) -> defaultdict[tuple[object, object], Rows]:
    groups: defaultdict[tuple[object, object], Rows] = defaultdict(list)
    for schema, table, *rest in rows:
        groups[schema, table].append(tuple(rest))
    return groups


def _table(name: str, kind: str, rows: int | None, comment: str | None, sql: str, columns: Rows, keys: Rows) -> Table:
    primary: tuple[str, ...] = ()
    unique: list[tuple[str, ...]] = []
    foreign: list[ForeignKey] = []
    for kind_of_key, names, referenced, referenced_names in keys:
        key = _names(names)
        if kind_of_key == "PRIMARY KEY":
            primary = key
        elif kind_of_key == "UNIQUE":
            unique.append(key)
        elif kind_of_key == "UNIQUE INDEX":
            unique += [index] if (index := _index_columns(key)) else []
        elif kind_of_key == "FOREIGN KEY":
            foreign.append(ForeignKey(key, str(referenced), _names(referenced_names)))
    case_insensitive = case_insensitive_columns(sql)
    return Table(
        name,
        tuple(_column(row, case_insensitive, primary) for row in columns),
        kind="view" if kind == "view" else "table",
        primary_key=primary,
        unique_keys=tuple(unique),
        foreign_keys=tuple(foreign),
        approximate_rows=rows,
        comment=comment or "",
    )


def _column(row: tuple[object, ...], case_insensitive: set[str], primary: tuple[str, ...]) -> Column:
    name, kind, nullable, generated, default, comment = row
    read = read_type(str(kind))
    return Column(
        str(name),
        str(kind),
        read.arrow,
        nullable=bool(nullable) and name not in primary,
        generated=bool(generated),
        has_default=default is not None and not generated,
        case_insensitive=name in case_insensitive,
        osiris_type=read.osiris,
        comment=str(comment or ""),
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _index_columns(expressions: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of a unique index from its text ``[a, "b c"]``; empty when it is over an expression."""
    text = expressions[0].removeprefix("[").removesuffix("]") if expressions else ""
    names = re.findall(r"""'?"((?:[^"]|"")+)"'?|(\w+)""", text)
    spelled = ", ".join((quoted and f'"{quoted}"') or plain for quoted, plain in names)
    if spelled != text.replace("'", ""):
        return ()
    return tuple(quoted.replace('""', '"') or plain for quoted, plain in names)


def case_insensitive_columns(sql: str) -> set[str]:
    """Columns whose collation ignores case. DuckDB tells collations in the table's DDL only."""
    found = re.findall(r"""(?:"((?:[^"]|"")+)"|(\w+)) VARCHAR COLLATE "?([\w.]+)""", sql, re.IGNORECASE)
    return {
        quoted.replace('""', '"') or plain
        for quoted, plain, collation in found
        if "nocase" in collation.lower().split(".")
    }
