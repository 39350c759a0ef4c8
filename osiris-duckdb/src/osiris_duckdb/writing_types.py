"""How values enter DuckDB: which type a new column gets, and the expression that fits a value to its column.

An expression never rounds, cuts or guesses: what does not fit is an error that names the column.

====================================  ====================================================================
incoming                              a column that Osiris creates
====================================  ====================================================================
any type DuckDB told us               that type again (``osiris.source_type`` ``duckdb:…``)
json, uuid, bit                       JSON, UUID, BIT
time, interval (durations)            INTERVAL
enum, set, text_form of others        VARCHAR
decimal (beyond 38 digits)            VARCHAR: DuckDB has no wider number, and no digit may go
wkb                                   BLOB
decimal256 of up to 38 digits         DECIMAL(p,s)
any other Arrow type                  what DuckDB itself makes of it
====================================  ====================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from osiris_core.data import osiris_type, source_type
from osiris_duckdb.instances import literal, one, quote

#: The ``osiris.type`` values a DuckDB table takes.
KNOWN_OSIRIS_TYPES = frozenset(
    {"json", "time", "interval", "bit", "decimal", "enum", "set", "uuid", "wkb", "text_form"}
)
_CREATED = {
    "json": "JSON",
    "uuid": "UUID",
    "bit": "BIT",
    "time": "INTERVAL",
    "interval": "INTERVAL",
    "enum": "VARCHAR",
    "set": "VARCHAR",
    "text_form": "VARCHAR",
    "decimal": "VARCHAR",
    "wkb": "BLOB",
}
_INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_MOST_EXACT_IN_DOUBLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT"})
_DAY = "INTERVAL '24 hours'"


def scanned_types(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> list[str]:
    """The DuckDB type of each column of an Arrow stream with ``schema``, as DuckDB scans it."""
    connection.register("_osiris_empty", schema.empty_table())
    try:
        return [row[1] for row in connection.execute("DESCRIBE SELECT * FROM _osiris_empty").fetchall()]
    finally:
        connection.unregister("_osiris_empty")


def created_type(connection: duckdb.DuckDBPyConnection, item: pa.Field, scanned: str) -> str:
    """The type of a column made for ``item``."""
    source = source_type(item)
    if source.startswith("duckdb:"):
        original = spelled_type(connection, source.removeprefix("duckdb:"))
        if original is not None:
            return original
    return _CREATED.get(osiris_type(item)) or ("VARCHAR" if scanned == '"NULL"' else scanned)


def spelled_type(connection: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """``text`` as DuckDB itself spells that type, or None when it is no type.

    What comes back is DuckDB's own text, so a type name out of a file's metadata cannot carry SQL.
    """
    # A connection of its own: a statement that fails would end the caller's transaction.
    apart = connection.cursor()
    try:
        tree = one(apart, "SELECT json_serialize_sql(CAST($sql AS VARCHAR))", {"sql": f"SELECT CAST(NULL AS {text})"})
        if tree is None or not _is_one_cast(str(tree[0])):
            return None
        row = one(apart, f"SELECT typeof(CAST(NULL AS {text}\n))")
    except duckdb.Error:
        return None
    finally:
        apart.close()
    return str(row[0]) if row else None


def _is_one_cast(tree: str) -> bool:
    value = json.loads(tree)
    if value.get("error", True) or len(value["statements"]) != 1:
        return False
    node = value["statements"][0]["node"]
    if node["type"] != "SELECT_NODE" or len(node["select_list"]) != 1 or node["from_table"]["type"] != "EMPTY":
        return False
    expression = node["select_list"][0]
    return bool(expression["class"] == "CAST" and expression["child"]["class"] == "CONSTANT")


def fitted(column: str, name: str, item: pa.Field, scanned: str, target: str) -> str:
    """An expression for ``column`` (SQL) as ``target``; ``name`` is for the error of a value that does not fit."""
    special = _special(column, name, osiris_type(item), scanned, target)
    if special is not None:
        return special
    cast = f"CAST({column} AS {target})"
    if _never_loses(scanned, target):
        return cast
    same_back = f"CAST({cast} AS {scanned}) IS NOT DISTINCT FROM {column}"
    return _checked(column, (same_back,), cast, name, scanned, target)


def _special(column: str, name: str, osiris: str, scanned: str, target: str) -> str | None:
    """The expression where a plain cast is not the way; None where it is."""
    if target == scanned:
        return column
    if osiris == "wkb" and target.startswith("GEOMETRY"):
        return f"ST_GeomFromWKB({column})"
    if scanned == "INTERVAL" and target == "TIME":
        fits = f"{column} >= INTERVAL '0 hours' AND {column} < {_DAY}"
        return _checked(column, (fits,), f"CAST('00:00:00' AS TIME) + {column}", name, scanned, target)
    if scanned == "BLOB" and target == "VARCHAR":
        return f"decode({column})"  # bytes that are no UTF-8 are an error
    if osiris == "json" and target not in ("VARCHAR", "JSON"):
        return f"CAST(CAST({column} AS JSON) AS {target})"
    return from_text(column, name, target) if scanned == "VARCHAR" else None


def from_text(column: str, name: str, target: str) -> str:
    """An expression for the text ``column`` (SQL) as ``target``, as ``fitted`` makes them."""
    if target == "VARCHAR":
        return column
    if target == "BLOB":
        return f"encode({column})"
    cast = f"CAST({column} AS {target})"
    fits = _text_fits(column, target)
    return _checked(column, fits, cast, name, "text", target) if fits else cast


def _text_fits(column: str, target: str) -> tuple[str, ...]:
    """Conditions, the cheap one first, any of which says that DuckDB's cast of a text keeps all it says.

    Empty when the cast fails by itself otherwise. A regular expression costs five times the cast.
    """
    if target in _INTEGERS:
        return (
            f"CAST(TRY_CAST({column} AS {target}) AS VARCHAR) = {column}",
            f"regexp_full_match({column}, '\\s*[+-]?[0-9]+\\s*')",
        )
    if decimal := _DECIMAL.fullmatch(target):
        scale = int(decimal[2])
        dot = f"strpos({column}, '.')"
        # Up to two signs after the point cannot be a negative exponent.
        exponent = f" AND NOT contains(lower({column}), 'e')" if scale > 2 else ""
        return (
            f"{dot} > 0 AND strlen({column}) - {dot} <= {scale}{exponent}",
            f"regexp_full_match({column}, '\\s*[+-]?[0-9]*(\\.[0-9]{{0,{scale}}}0*)?\\s*')",
        )
    if target == "DATE":
        return (
            f"strlen({column}) <= 10",
            f"CAST(CAST({column} AS DATE) AS TIMESTAMP) = CAST({column} AS TIMESTAMP)",
        )
    if target in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        uncut = f"NOT regexp_matches({column}, '\\.[0-9]{{7,}}')"
        unshifted = f"NOT regexp_matches({column}, ':[0-9.]+\\s*[+-][0-9:]+\\s*$')"
        plain = f"strlen({column}) = 19 AND {column}[17] = ':'"
        return (plain, f"{uncut} AND {unshifted}" if target == "TIMESTAMP" else uncut)
    if target in ("TIMESTAMP_S", "TIMESTAMP_MS"):
        return (f"CAST(CAST({column} AS {target}) AS TIMESTAMP_NS) = CAST({column} AS TIMESTAMP_NS)",)
    return ()


def _checked(column: str, fits: Sequence[str], value: str, name: str, source: str, target: str) -> str:
    message = literal(f'osiris: column "{name}": a value of type {source} does not fit {target} unchanged')
    whens = " ".join(f"WHEN {condition} THEN {value}" for condition in fits)
    return f"CASE {whens} WHEN {column} IS NOT NULL THEN error({message}) END"


def _never_loses(source: str, target: str) -> bool:
    """Whether DuckDB's cast keeps every value or fails by itself."""
    if target in ("VARCHAR", "VARIANT"):
        return source != "FLOAT"
    if target in _INTEGERS:
        return source in _INTEGERS
    if decimal := _DECIMAL.fullmatch(target):
        narrower = _DECIMAL.fullmatch(source)
        return source in _INTEGERS or (narrower is not None and int(narrower[2]) <= int(decimal[2]))
    if target == "DOUBLE":
        return source in _MOST_EXACT_IN_DOUBLE
    if target == "FLOAT":
        return source in ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT")
    return source == '"NULL"' or (source == "DATE" and target.startswith("TIMESTAMP"))


def columns_sql(names: Sequence[str]) -> str:
    """``names`` quoted, with commas."""
    return ", ".join(quote(name) for name in names)
