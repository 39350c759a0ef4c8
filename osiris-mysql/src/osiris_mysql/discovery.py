"""What exists: five queries on ``information_schema``, whatever the number of tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from osiris_core import Catalog, Column, Connection, ForeignKey, Scope, Table
from osiris_mysql.connect import describe, is_mariadb, open_session
from osiris_mysql.faults import connecting
from osiris_mysql.typemap import parse

COMPONENT = "mysql.table"
_GLOB = re.compile(r"[*?\[]")
_JSON_CHECK = re.compile(r"^\(*json_valid\(`((?:[^`]|``)+)`\)\)*$", re.IGNORECASE)
_GENERATED = re.compile(r"\b(VIRTUAL|STORED|PERSISTENT)\b", re.IGNORECASE)

_TABLES = """
SELECT table_name, table_type, table_rows, table_comment FROM information_schema.tables
WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED'){names} ORDER BY table_name"""
_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable, column_default, extra, collation_name, column_comment
FROM information_schema.columns WHERE table_schema = %s{names} ORDER BY table_name, ordinal_position"""
_KEYS = """
SELECT table_name, index_name, column_name, sub_part FROM information_schema.statistics
WHERE table_schema = %s AND non_unique = 0{names} ORDER BY table_name, index_name, seq_in_index"""
_FOREIGN_KEYS = """
SELECT table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = %s AND referenced_table_name IS NOT NULL{names}
ORDER BY table_name, constraint_name, ordinal_position"""
_CHECKS_MARIADB = """
SELECT table_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = %s AND check_clause LIKE '%%json_valid%%'{names}"""
_CHECKS_MYSQL = """
SELECT table_name, check_clause FROM information_schema.check_constraints
JOIN information_schema.table_constraints USING (constraint_schema, constraint_name)
WHERE constraint_schema = %s AND check_clause LIKE '%%json_valid%%'{names}"""

# Sums are added up (MySQL 9 has SHA2 but no MD5), so the order of rows and group_concat_max_len do not matter.
_SUM = (
    "SELECT CONCAT(COUNT(*), '.', COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS('|', {fields}), 256), 15), 16, 10) "
    "AS UNSIGNED)), 0)) FROM information_schema.{view} WHERE table_schema = %s{{names}}"
)
_COLUMN_SUM = _SUM.format(
    view="columns",
    fields="table_name, ordinal_position, column_name, column_type, is_nullable, IFNULL(column_default, ''), "
    "extra, IFNULL(collation_name, '')",
)
_KEY_SUM = _SUM.format(
    view="statistics",
    fields="table_name, index_name, non_unique, seq_in_index, IFNULL(column_name, ''), IFNULL(sub_part, '')",
)
_JSON_SUM = (
    "SELECT COUNT(*) FROM information_schema.check_constraints "
    "WHERE constraint_schema = %s AND check_clause LIKE '%%json_valid%%'"
)
_PROBE = f"SELECT CONCAT_WS('-', ({_COLUMN_SUM}), ({_KEY_SUM}), ({_JSON_SUM}))"


def discover(connection: Connection, scope: Scope) -> Catalog:
    """Tables and views of the connection's database, as the catalogue shows them. Raises ConnectError."""
    session = open_session(connection)
    try:
        with connecting(describe(connection)):
            return read_catalog(session, connection.text("database"), scope)
    finally:
        session.close()


def probe(connection: Connection, scope: Scope) -> str:
    """A token that changes with any column, key or JSON check in scope; one query. Raises ConnectError."""
    session = open_session(connection)
    try:
        with connecting(describe(connection)):
            return _probe(session, connection.text("database"), scope)
    finally:
        session.close()


def read_catalog(session: Any, database: str, scope: Scope) -> Catalog:
    """The catalogue of ``database`` over an open session."""
    token = _probe(session, database, scope)  # before the rest: a change in between makes the entry stale
    return Catalog(
        COMPONENT, tuple(_tables(session, database, scope)), str(session.server_version), token, bool(scope.tables)
    )


def describe_table(session: Any, database: str, table: str) -> Table | None:
    """One table as it is now, over an open session; None when there is none of that name."""
    scope = Scope((re.sub(r"([*?[])", r"[\1]", table),)) if _GLOB.search(table) else Scope((table,))
    return next((found for found in _tables(session, database, scope) if found.name == table), None)


def _tables(session: Any, database: str, scope: Scope) -> list[Table]:
    mariadb = is_mariadb(session)
    checks = _CHECKS_MARIADB if mariadb else _CHECKS_MYSQL
    tables, columns, keys, references, json_checks = (
        _rows(session, sql, database, scope) for sql in (_TABLES, _COLUMNS, _KEYS, _FOREIGN_KEYS, checks)
    )
    json_columns = _json_columns(json_checks)
    columns_of, keys_of, references_of = _group(columns), _group(keys), _group(references)
    found = []
    for name, kind, rows, comment in tables:
        if not scope.matches(name):
            continue
        primary, unique = _keys(keys_of[name])
        found.append(
            Table(
                name=name,
                columns=tuple(_column(row, (name, row[0]) in json_columns, mariadb) for row in columns_of[name]),
                kind="view" if kind == "VIEW" else "table",
                primary_key=primary,
                unique_keys=unique,
                foreign_keys=_foreign_keys(references_of[name], database),
                approximate_rows=None if rows is None or kind == "VIEW" else int(rows),
                comment="" if kind == "VIEW" else comment,
            )
        )
    return sorted(found, key=lambda table: table.name)


def _probe(session: Any, database: str, scope: Scope) -> str:
    names, values = _names(scope)
    with session.cursor() as cursor:
        cursor.execute(_PROBE.format(names=names), (database, *values, database, *values, database))
        return str(cursor.fetchone()[0])


def _rows(session: Any, sql: str, database: str, scope: Scope) -> list[tuple[Any, ...]]:
    names, values = _names(scope)
    with session.cursor() as cursor:
        cursor.execute(sql.format(names=names), (database, *values))
        return [tuple(_text(value) for value in row) for row in cursor.fetchall()]


def _names(scope: Scope) -> tuple[str, Sequence[str]]:
    """A condition on table_name when the scope names tables exactly; globs are matched by us."""
    if not scope.tables or any(_GLOB.search(name) for name in scope.tables):
        return "", ()
    marks = ", ".join(["%s"] * len(scope.tables))
    return f" AND table_name IN ({marks})", scope.tables


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value  # MySQL 8 types some of these as binary


def _group(rows: Iterable[tuple[Any, ...]]) -> defaultdict[str, list[tuple[Any, ...]]]:
    grouped: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for name, *rest in rows:
        grouped[name].append(tuple(rest))
    return grouped


def _column(row: tuple[Any, ...], json: bool, mariadb: bool) -> Column:
    name, column_type, nullable, default, extra, collation, comment = row
    kind = parse(column_type, json=json)
    has_default = "auto_increment" in extra.lower() or (default is not None and default != "NULL")
    return Column(
        name=name,
        type="json" if json and mariadb else column_type,  # what it was declared as
        arrow=kind.arrow,
        nullable=nullable == "YES",
        generated=is_generated(extra),
        has_default=has_default,
        case_insensitive=bool(collation) and collation.endswith("_ci"),
        osiris_type=kind.osiris,
        comment=comment,
    )


def is_generated(extra: str) -> bool:
    """Whether ``information_schema.columns.extra`` says computed; MySQL's DEFAULT_GENERATED is not."""
    return _GENERATED.search(extra) is not None


def _keys(rows: list[tuple[Any, ...]]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Primary and further unique keys; an index over prefixes or expressions is no key of the columns."""
    keys: dict[str, list[str] | None] = {}
    for index, column, prefix in rows:
        columns = keys.setdefault(index, [])
        if column is None or prefix is not None:
            keys[index] = None
        elif columns is not None:
            columns.append(column)
    whole = {name: tuple(columns) for name, columns in keys.items() if columns}
    primary = whole.pop("PRIMARY", ())
    return primary, tuple(whole.values())


def _foreign_keys(rows: list[tuple[Any, ...]], database: str) -> tuple[ForeignKey, ...]:
    found: dict[str, tuple[str, list[str], list[str]]] = {}
    for constraint, column, schema, table, referenced in rows:
        target = table if schema == database else f"{schema}.{table}"
        _, columns, ref_columns = found.setdefault(constraint, (target, [], []))
        columns.append(column)
        ref_columns.append(referenced)
    return tuple(ForeignKey(tuple(columns), target, tuple(refs)) for target, columns, refs in found.values())


def _json_columns(checks: Iterable[tuple[Any, ...]]) -> set[tuple[str, str]]:
    matches = ((table, _JSON_CHECK.match(clause)) for table, clause in checks)
    return {(table, match[1].replace("``", "`")) for table, match in matches if match}
