"""What SQL a pipeline may hand to DuckDB: one SELECT over named tables. Decided on DuckDB's own syntax tree.

The instance that runs the SQL is locked down as well (``instances.locked_down``); this guard keeps a statement
that may run where files are readable, or next to other tables, to what its pipeline names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from osiris_core import InvalidInputError
from osiris_duckdb.instances import one

#: Table functions that make rows out of their arguments alone.
_HARMLESS = frozenset(
    {"range", "generate_series", "unnest", "json_each", "json_tree", "generate_subscripts", "repeat_row"}
)
#: Scalar functions with an effect, or that tell about the machine.
_REFUSED = frozenset(
    {
        "getenv",
        "current_setting",
        "nextval",
        "currval",
        "setseed",
        "write_log",
        "query",
        "query_table",
        "parse_duckdb_log_message",
    }
)

#: DESCRIBE, SHOW and SUMMARIZE as tables, and what only DuckDB itself makes.
_REFUSED_TABLES = frozenset({"SHOW_REF", "COLUMN_DATA", "BOUND_TABLE_REF", "DELIM_GET"})


def check_select(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str] | None = None, what: str = "sql"
) -> None:
    """Refuse what is not exactly one SELECT that only reads ``tables`` (None: any table, no file).

    Raises InvalidInputError naming the offending part; ``what`` names the statement.
    """
    tree = _parse(connection, sql, what)
    allowed = None if tables is None else {name.lower() for name in tables}
    for node in _walk(tree):
        _check_node(node, _ctes(tree), allowed, what)


def check_condition(connection: duckdb.DuckDBPyConnection, condition: str, what: str = "where_sql") -> None:
    """Refuse what is not exactly one condition over columns and tables. Raises InvalidInputError."""
    sql = f"SELECT 1 FROM t WHERE ({condition}\n)"
    check_select(connection, sql, what=what)
    node = _parse(connection, sql, what)["node"]
    grown = [
        key for key in ("modifiers", "group_expressions", "group_sets", "having", "qualify", "sample") if node.get(key)
    ]
    if node["type"] != "SELECT_NODE" or grown or not node.get("where_clause"):
        raise InvalidInputError(f"{what} must be one condition, and nothing after it", code="OSI-V307")


def scans(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, int]:
    """How often ``sql`` may scan each table it names, by name in lower case; a recursive WITH counts as often."""
    tree = _parse(connection, sql, "sql")
    defined: dict[str, Counter[str]] = {}
    recursive = False
    for node in _walk(tree):
        recursive = recursive or node.get("type") == "RECURSIVE_CTE_NODE"
        for entry in _definitions(node):
            # One name for two definitions: count every scan of both.
            defined[str(entry["key"]).lower()] = defined.get(str(entry["key"]).lower(), Counter()) + _named(entry)
    total: Counter[str] = Counter()
    pending = _named(tree)
    # Each round opens the WITH names of the round before; a circle can only be a recursive WITH.
    for _ in range(len(defined) + 1):
        following: Counter[str] = Counter()
        for name, count in pending.items():
            if name not in defined:
                total[name] += count
                continue
            for inner, times in defined[name].items():
                following[inner] += count * times
        pending = following
    return {name: count * (2 if recursive else 1) for name, count in total.items()}


def _definitions(node: dict[str, Any]) -> list[dict[str, Any]]:
    entries = node.get("map")
    return (
        [entry for entry in entries if isinstance(entry, dict) and "key" in entry] if isinstance(entries, list) else []
    )


def _named(node: Any) -> Counter[str]:
    """Tables named below ``node``, but not inside the definitions of a WITH."""
    found: Counter[str] = Counter()
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if item.get("type") == "BASE_TABLE":
                found[str(item.get("table_name", "")).lower()] += 1
            stack.extend(value for key, value in item.items() if key != "cte_map")
        elif isinstance(item, list):
            stack.extend(item)
    return found


def one_statement(sql: str) -> str:
    """``sql`` without the semicolon at its end, so that it can stand in parentheses."""
    return sql.rstrip().rstrip(";").rstrip()


def _parse(connection: duckdb.DuckDBPyConnection, sql: str, what: str) -> Any:
    row = one(connection, "SELECT CAST(json_serialize_sql(CAST($sql AS VARCHAR)) AS VARCHAR)", {"sql": sql})
    tree = json.loads(row[0]) if row else {}
    if tree.get("error_type") == "not implemented":
        raise InvalidInputError(f"{what} must be a SELECT", code="OSI-V304", hint="only reading is possible here")
    if tree.get("error", True):
        raise InvalidInputError(
            f"{what} is not valid SQL: {tree.get('error_message', 'it cannot be read')}", code="OSI-V160"
        )
    if len(tree["statements"]) != 1:
        raise InvalidInputError(f"{what} must be one SELECT, not {len(tree['statements'])} statements", code="OSI-V303")
    return tree["statements"][0]


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion: a deep statement is no reason to crash."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _ctes(tree: Any) -> set[str]:
    """Names that WITH defines anywhere. Where such a name is not in scope, DuckDB itself does not find it."""
    names: set[str] = set()
    for node in _walk(tree):
        names |= {str(entry["key"]).lower() for entry in _definitions(node)}
        if node.get("type") == "RECURSIVE_CTE_NODE" and "cte_name" in node:
            names.add(str(node["cte_name"]).lower())
    return names


def _check_node(node: dict[str, Any], ctes: set[str], allowed: set[str] | None, what: str) -> None:
    kind = node.get("type")
    if kind in _REFUSED_TABLES:
        raise _refusal(f"{what} asks for the database's own structure")
    if kind == "BASE_TABLE":
        _check_table(node, ctes, allowed, what)
    elif kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).lower()
        if name not in _HARMLESS:
            raise _refusal(f"{what} calls the table function {name}, which reaches outside its inputs")
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        if name in _REFUSED:
            raise _refusal(f"{what} calls the function {name}, which is not allowed here")


def _check_table(node: dict[str, Any], ctes: set[str], allowed: set[str] | None, what: str) -> None:
    name = str(node.get("table_name", ""))
    plain = not node.get("schema_name") and not node.get("catalog_name")
    if plain and name.lower() in ctes:
        return
    if allowed is None:
        # A name with a path or an extension in it makes DuckDB look for a file of that name.
        if plain and any(sign in name for sign in "/\\:*"):
            raise _refusal(f'{what} reads the file "{name}"', "OSI-V302")
        return
    if not plain or name.lower() not in allowed:
        known = ", ".join(sorted(allowed)) or "none"
        raise InvalidInputError(
            f'{what} reads "{name}", which is not one of its inputs', code="OSI-V150", hint=f"inputs: {known}"
        )


def _refusal(message: str, code: str = "OSI-V305") -> InvalidInputError:
    return InvalidInputError(message, code=code, hint="read files with a file.table step, and name it in needs")
