"""The PostgREST double's SQL: from a request's query string to one statement, in PostgREST's own shape."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

QUERIES = frozenset({"GET", "HEAD", "POST"})
_OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "LIKE"}
_FIELD = re.compile(r'(?:"((?:[^"\\]|\\.)+)"|([^":,.()]+))(?:::([a-z0-9]+))?')
#: PostgREST's HTTP status by SQLSTATE or its class; everything else is 400.
_STATUSES = {
    "23503": 409, "23505": 409, "25006": 405, "25": 500, "28": 403, "40": 500, "53": 503, "54": 413,
    "57P01": 503, "57": 500, "58": 500, "XX": 500, "42P01": 404, "42883": 404, "42501": 403,
}  # fmt: skip


class ApiError(Exception):
    """An answer that is an error, in PostgREST's form."""

    def __init__(self, status: int, code: str, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "details": self.details, "hint": None, "message": self.message}


def error_of(error: psycopg.Error) -> ApiError:
    """What PostgREST answers to an error of the database."""
    state = error.sqlstate or "XX000"
    status = _STATUSES.get(state) or _STATUSES.get(state[:2], 400)
    return ApiError(status, state, error.diag.message_primary or str(error), error.diag.message_detail)


def unsupported(what: str) -> ApiError:
    return ApiError(501, "DOUBLE", f"the double does not implement {what}")


# -- the schema cache --------------------------------------------------------------------------------------
@dataclass
class Table:
    """A table as the cache knows it. ``columns``: name to its description."""

    schema: str
    name: str
    writable: bool
    comment: str
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def column(self, name: str) -> sql.Identifier:
        if name not in self.columns:
            raise ApiError(400, "42703", f"column {self.name}.{name} does not exist")
        return sql.Identifier(name)


_SCHEMA = """
SELECT c.relname, c.relkind IN ('r', 'p', 'f') OR pg_relation_is_updatable(c.oid, true) & 8 = 8,
       coalesce(obj_description(c.oid, 'pg_class'), ''), a.attname,
       jsonb_build_object(
           'format', format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, NULL),
           'nominal', format_type(a.atttypid, a.atttypmod), 'required', a.attnotnull,
           'maxLength', information_schema._pg_char_max_length(a.atttypid, a.atttypmod),
           'default', CASE WHEN a.attidentity = 'd' THEN 'nextval(…)' WHEN a.attgenerated = 's' THEN NULL
                           ELSE pg_get_expr(d.adbin, d.adrelid) END,
           'enum', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
           'comment', col_description(c.oid, a.attnum),
           'pk', EXISTS (SELECT 1 FROM pg_index i
                         WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
           'fk', (SELECT jsonb_build_array(f.confrelid::regclass::text, fa.attname) FROM pg_constraint f
                  JOIN pg_attribute fa ON fa.attrelid = f.confrelid AND fa.attnum = f.confkey[1]
                  WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum] LIMIT 1))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum
"""


def load_schema(connection: psycopg.Connection[Any], schema: str) -> dict[str, Table]:
    """The tables and views of a schema, by name."""
    tables: dict[str, Table] = {}
    for name, writable, comment, column, described in connection.execute(_SCHEMA, (schema,)):
        tables.setdefault(name, Table(schema, name, writable, comment)).columns[column] = described
    return tables


def openapi(tables: dict[str, Table]) -> dict[str, Any]:
    """The OpenAPI 2.0 description PostgREST gives at its root."""
    definitions = {name: _definition(table) for name, table in tables.items()}
    paths: dict[str, Any] = {
        f"/{name}": {"get": {}, **({"post": {}} if table.writable else {})} for name, table in tables.items()
    }
    return {
        "swagger": "2.0",
        "info": {"title": "PostgREST API", "version": "13.0.4 (double)"},
        "paths": {"/": {"get": {}}, **paths},
        "definitions": definitions,
    }


def _definition(table: Table) -> dict[str, Any]:
    properties = {}
    for name, column in table.columns.items():
        notes = []
        if column["pk"]:
            notes.append("Note:\nThis is a Primary Key.<pk/>")
        if column["fk"]:
            at, to = column["fk"]
            notes.append(f"Note:\nThis is a Foreign Key to `{at}.{to}`.<fk table='{at}' column='{to}'/>")
        described = {"format": column["format"], "description": "\n\n".join(filter(None, [column["comment"], *notes]))}
        described |= {key: column[key] for key in ("maxLength", "default", "enum") if column[key] is not None}
        properties[name] = described
    required = [name for name, column in table.columns.items() if column["required"]]
    definition = {"type": "object", "properties": properties, "required": required}
    return definition | ({"description": table.comment} if table.comment else {})


# -- reading -----------------------------------------------------------------------------------------------
@dataclass
class Select:
    """A GET or HEAD of one table."""

    table: Table
    selected: list[sql.Composable]
    conditions: list[sql.Composable]
    order: list[sql.Composable]
    limit: int
    counted: bool

    @classmethod
    def parse(cls, table: Table, query: list[tuple[str, str]], prefer: str, max_rows: int) -> Select:
        given = cls(table, [], [], [], max_rows, "count=exact" in prefer)
        for key, value in query:
            if key == "select":
                given.selected = selected(table, value)
            elif key == "order":
                given.order = [_order(table, item) for item in split(value)]
            elif key == "limit":
                given.limit = min(max_rows, int(value))
            elif key in ("or", "and", "not.or", "offset", "on_conflict", "columns"):
                given.conditions.append(_logic(table, key, value))
            else:
                given.conditions.append(_filter(table, *_unquoted(key), value))
        return given

    def statement(self) -> sql.Composed:
        """PostgREST's statement: the page as JSON, its length, and the exact count of all rows."""
        where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(self.conditions) if self.conditions else sql.SQL("")
        order = sql.SQL(" ORDER BY ") + sql.SQL(", ").join(self.order) if self.order else sql.SQL("")
        return sql.SQL(
            "WITH pgrst_source AS (SELECT {columns} FROM {table}{where}{order} LIMIT {limit}) "
            "SELECT (SELECT count(*) FROM {table}{where}), count(_postgrest_t), "
            "coalesce(json_agg(_postgrest_t), '[]')::text FROM (SELECT * FROM pgrst_source) _postgrest_t"
        ).format(
            columns=sql.SQL(", ").join(self.selected),
            table=self.table.identifier,
            where=where,
            order=order,
            limit=self.limit,
        )


def selected(table: Table, text: str) -> list[sql.Composable]:
    """The columns of ``select``, each with its cast. No embedding, no renaming, no ``*``."""
    found: list[sql.Composable] = []
    for item in split(text):
        match = _FIELD.fullmatch(item)
        if not match:
            raise unsupported(f"select={item}")
        name = _unescaped(match[1]) if match[1] else match[2]
        column: sql.Composable = sql.SQL("{}.{}").format(table.identifier, table.column(name))
        if match[3]:
            column = sql.SQL("CAST({} AS {}) AS {}").format(column, sql.SQL(match[3]), sql.Identifier(name))
        found.append(column)
    return found


def _order(table: Table, item: str) -> sql.Composable:
    match = re.fullmatch(r'(?:"((?:[^"\\]|\\.)+)"|([^".]+))\.(asc|desc)', item)
    if not match:
        raise unsupported(f"order={item}")
    name = _unescaped(match[1]) if match[1] else match[2]
    return sql.SQL("{}.{} {}").format(table.identifier, table.column(name), sql.SQL(match[3].upper()))


def _unquoted(key: str) -> tuple[str]:
    return (_unescaped(key[1:-1]) if key.startswith('"') else key,)


def _filter(table: Table, name: str, text: str) -> sql.Composable:
    negated, text = text.startswith("not."), text.removeprefix("not.")
    operator, _, value = text.partition(".")
    column = sql.SQL("{}.{}").format(table.identifier, table.column(name))
    if operator in _OPERATORS:
        if operator == "like":
            value = value.replace("*", "%")
        condition = sql.SQL("{} {} {}").format(column, sql.SQL(_OPERATORS[operator]), sql.Literal(value))
    elif operator == "is" and value in ("null", "true", "false"):
        condition = sql.SQL("{} IS {}").format(column, sql.SQL(value))
    elif operator == "in":
        values = sql.SQL(", ").join(sql.Literal(_value(item)) for item in split(value[1:-1]))
        condition = sql.SQL("{} IN ({})").format(column, values)
    else:
        raise unsupported(f"{name}={text}")
    return sql.SQL("NOT ({})").format(condition) if negated else condition


def _logic(table: Table, key: str, text: str) -> sql.Composable:
    """``or=(a.gt.1,and(a.eq.1,b.gt.2))``."""
    if key not in ("or", "and"):
        raise unsupported(f"{key}={text}")
    parts = []
    for item in split(text[1:-1]):
        if item.startswith(("and(", "or(")):
            inner, _, rest = item.partition("(")
            parts.append(_logic(table, inner, "(" + rest))
            continue
        match = re.fullmatch(r'(?:"((?:[^"\\]|\\.)+)"|([^".]+))\.([a-z]+)\.(.*)', item, re.DOTALL)
        if not match:
            raise unsupported(f"{key}={item}")
        name = _unescaped(match[1]) if match[1] else match[2]
        parts.append(_filter(table, name, f"{match[3]}.{_value(match[4])}"))
    return sql.SQL("(") + sql.SQL(f" {key.upper()} ").join(parts) + sql.SQL(")")


def split(text: str) -> list[str]:
    """``text`` at commas outside quotes and parentheses."""
    parts, depth, start, quoted, escaped = [], 0, 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
        elif not quoted and not depth and char == ",":
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _value(text: str) -> str:
    return _unescaped(text[1:-1]) if len(text) > 1 and text[0] == text[-1] == '"' else text


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


# -- writing -----------------------------------------------------------------------------------------------
@dataclass
class Insert:
    """A POST of rows into one table."""

    table: Table
    body: str
    rows: int
    columns: list[str]
    conflict: list[str]
    upsert: bool
    returned: list[sql.Composable]
    counted: bool

    @classmethod
    def parse(cls, table: Table, query: list[tuple[str, str]], prefer: str, body: bytes) -> Insert:
        preferences = {item.strip() for item in prefer.split(",") if item.strip()}
        known = {"return=minimal", "return=representation", "count=exact", "resolution=merge-duplicates"}
        if preferences - known:
            raise unsupported(f"Prefer: {prefer}")
        parameters = dict(query)
        if set(parameters) - {"columns", "on_conflict", "select"}:
            raise unsupported(f"POST with {sorted(parameters)}")
        rows = json.loads(body)
        columns = [_value(name) for name in split(parameters["columns"])]
        for name in columns:
            if name not in table.columns:
                message = f"Could not find the '{name}' column of '{table.name}' in the schema cache"
                raise ApiError(400, "PGRST204", message)
        returned = selected(table, parameters["select"]) if "return=representation" in preferences else []
        conflict = [_value(name) for name in split(parameters.get("on_conflict", "")) if name]
        upsert = "resolution=merge-duplicates" in preferences
        return cls(table, body.decode(), len(rows), columns, conflict, upsert, returned, "count=exact" in preferences)

    def statement(self) -> sql.Composed:
        """PostgREST's statement: the body as one JSON value, taken apart by the server."""
        names = [sql.Identifier(name) for name in self.columns]
        typed = [
            sql.SQL("{} {}").format(name, sql.SQL(self.table.columns[column]["nominal"]))
            for name, column in zip(names, self.columns, strict=True)
        ]
        return sql.SQL(
            "WITH pgrst_body AS (SELECT {body}::json AS val), pgrst_source AS ("
            "INSERT INTO {table} ({names}) SELECT {values} FROM pgrst_body, json_to_recordset(val) AS _ ({typed}) "
            "{conflict} RETURNING {returned}) "
            "SELECT count(*), coalesce(json_agg(_postgrest_t), '[]')::text FROM pgrst_source _postgrest_t"
        ).format(
            body=sql.Literal(self.body),
            table=self.table.identifier,
            names=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join(sql.SQL("_.{}").format(name) for name in names),
            typed=sql.SQL(", ").join(typed),
            conflict=self._on_conflict(names),
            returned=sql.SQL(", ").join(self.returned) if self.returned else sql.SQL("1"),
        )

    def _on_conflict(self, names: list[sql.Identifier]) -> sql.Composable:
        if not self.upsert:
            return sql.SQL("")
        keys = sql.SQL(", ").join(self.table.column(name) for name in self.conflict)
        sets = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in names)
        return sql.SQL("ON CONFLICT ({}) DO UPDATE SET {}").format(keys, sets)
