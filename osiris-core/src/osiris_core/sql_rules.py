"""What SQL in a pipeline may not do, although it is a SELECT."""

from __future__ import annotations

import re
from typing import Any

from osiris_core.sql import SqlError
from osiris_core.sql_functions import is_unknown

#: Functions that the parser knows, or that ``sql_functions`` lets through unseen, which read or write files, reach
#: other systems, run text as SQL, wait, lock or change state.
_FORBIDDEN = {
    "duckdb": (
        r"read_\w+|\w+_scan\w*|\w+_query|sniff_csv|glob|parquet_\w+|st_read\w*|st_drivers|getenv|query|query_table"
        r"|pragma_\w+|duckdb_\w+|which_secret|load_\w+|write_\w+|set_\w+|setval|nextval|currval|current_setting"
        r"|from_substrait\w*|get_substrait\w*|json_execute_serialized_sql|sql_auto_complete|open_prompt|http_\w+"
        r"|enable_\w+|disable_\w+|force_checkpoint|checkpoint|repeat_row|summary|arrow_\w+|python_\w+|pandas_\w+"
    ),
    "mysql": r"next_value_for",
}
#: PostgreSQL calls a function of one argument for ``(value).name`` too, and for ``row.name``. Columns have such names
#: as ``file_name`` or ``pg_rating``, so here are only those that are somebody else's.
_ATTRIBUTES = re.compile(
    r"pg_(?:read|ls|stat|file|sleep|terminate|cancel|reload|rotate|promote|switch|create|drop|start|stop|backup|logical"
    r"|replication|notify|try|advisory|export|import|restore|wal|log|copy|prewarm|show|current|get|relation|hba"
    r"|tablespace|database|total|indexes|table|truncate|listening|my|is|last|control|conf|ident)_?\w*"
    r"|lo_(?:import|creat|create|get|open|close|unlink|tell|tell64)|dblink\w*|current_setting|nextval|currval|setseed"
    r"|ts_stat|http_(?:get|head|delete)|brin_summarize\w*|gin_clean_pending_list"
)
#: Schemas whose functions may be called by their full name.
_FUNCTION_SCHEMAS = frozenset({"pg_catalog", "public", "extensions"})
#: Where servers keep what they know: accounts, settings, secrets, other sessions.
_SYSTEM_SCHEMAS = {
    "postgres": frozenset({"pg_catalog", "pg_toast", "information_schema", "vault"}),
    "mysql": frozenset({"mysql", "sys", "performance_schema", "information_schema"}),
    "duckdb": frozenset({"pg_catalog", "information_schema"}),
}
_SYSTEM_TABLES = {
    "postgres": re.compile(r"pg_\w+"),
    "duckdb": re.compile(r"pragma_\w+|duckdb_\w+|pg_\w+|sqlite_(?:temp_)?(?:master|schema)"),
}
#: Table functions that are harmless in DuckDB; any other may be an extension's way to a file or a system.
_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "generateseries", "explode", "values"})
#: What only a file has in its name. A table called so would be read from disk by DuckDB.
_FILE_NAME = re.compile(
    r"[/\\*?\[]|^[a-z]+:|\.(?:csv|tsv|txt|json|jsonl|ndjson|parquet|db|duckdb|sqlite3?|xlsx?|arrow|feather|gz|zst|avro)$",
    re.IGNORECASE,
)
_WRITING = (
    "Insert", "Update", "Delete", "Merge", "Create", "Drop", "Alter", "AlterTable", "Command", "Set", "Copy", "Attach",
    "Detach", "Pragma", "Use", "TruncateTable", "LoadData", "Cache", "Uncache", "Refresh", "Kill", "Grant", "Revoke",
    "Transaction", "Commit", "Rollback", "Export", "Install", "Analyze", "Comment",
)  # fmt: skip


def refuse_unsafe(tree: Any, dialect: str, text: str, *, lead: int = 0) -> None:
    """Raise SqlError unless ``tree`` is a SELECT that only reads tables. ``lead``: what stands before ``text``."""
    from sqlglot import exp

    if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table | exp.Values):
        raise SqlError(
            "OSI-V304", f"this is {_kind(tree)}, not a SELECT", 0, _first_word(text), hint="write one SELECT"
        )
    for node in tree.walk():
        name = type(node).__name__
        if name in _WRITING:
            start, end = _place(node, lead, text)
            raise SqlError("OSI-V304", f"{_kind(node)} within a SELECT is refused", start, end)
        if name in ("Into", "Lock"):
            what = "INTO writes" if name == "Into" else "a locking clause (FOR UPDATE, FOR SHARE) locks rows"
            start, end = _place(node, lead, text)
            raise SqlError("OSI-V309", f"{what}, and a query may only read", start, end, hint="remove it")
        if isinstance(node, exp.Table):
            _table(node, dialect, lead, text)
        elif isinstance(node, exp.Func | exp.Anonymous) and not isinstance(node.parent, exp.Hint):
            _function(node, dialect, lead, text)
        elif dialect == "postgres" and isinstance(node, exp.Dot | exp.Column):
            _attribute(node, lead, text)


def _table(node: Any, dialect: str, lead: int, text: str) -> None:
    from sqlglot import exp

    if isinstance(node.this, exp.Identifier):
        if dialect == "duckdb" and _FILE_NAME.search(node.name):
            start, end = _place(node, lead, text)
            message = "a file cannot be read within SQL"
            raise SqlError("OSI-V305", message, start, end, hint="read it with a step of file.table")
        _refuse_system(node, dialect, lead, text)
        return
    name = _function_name(node.this)
    if dialect == "duckdb" and name not in _TABLE_FUNCTIONS:
        _refuse(name, node.this, lead, text)


def _refuse_system(node: Any, dialect: str, lead: int, text: str) -> None:
    """A server's own tables. A user's table may be called ``pg_…`` where its schema is named."""
    own = _SYSTEM_TABLES.get(dialect)
    named = own is not None and not node.db and own.fullmatch(node.name.lower())
    if named or node.db.lower() in _SYSTEM_SCHEMAS.get(dialect, ()):
        start, end = _place(node, lead, text)
        message = f'"{node.name[:60]}" is one of the server\'s own tables, which a pipeline does not read'
        raise SqlError("OSI-V305", message, start, end, hint="osiris discover lists tables and columns")


def _function(node: Any, dialect: str, lead: int, text: str) -> None:
    from sqlglot import exp

    name = _function_name(node)
    pattern = _FORBIDDEN.get(dialect, "")
    if pattern and re.fullmatch(pattern, name):
        _refuse(name, node, lead, text)
    parent = node.parent
    schema = parent.this.name.lower() if isinstance(parent, exp.Dot) and parent.expression is node else ""
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) and is_unknown(name, dialect):
        _refuse(
            name, node, lead, text, hint="it is not among the known harmless ones: call it in a view, and read that"
        )
    if schema and dialect != "duckdb" and schema not in _FUNCTION_SCHEMAS:
        _refuse(f"{schema}.{name}", node, lead, text, hint="call it in a view of the database, and read that")


def _attribute(node: Any, lead: int, text: str) -> None:
    """``(value).name`` and ``row.name``, which may be a call."""
    from sqlglot import exp

    called = node.expression if isinstance(node, exp.Dot) else node.this if node.table else None
    if isinstance(called, exp.Identifier) and _ATTRIBUTES.fullmatch(called.name.lower()):
        _refuse(called.name, called, lead, text)


def _refuse(name: str, node: Any, lead: int, text: str, *, hint: str = "") -> None:
    start, end = _place(node, lead, text)
    raise SqlError("OSI-V305", f"the function {name[:60]} is not allowed in a pipeline", start, end, hint=hint)


def _function_name(node: Any) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    if isinstance(node, exp.Func):
        return str(node.sql_name()).lower()
    return type(node).__name__.lower()


def _kind(node: Any) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Command):
        return str(node.this).upper()[:20]
    names = {"Describe": "EXPLAIN or DESCRIBE", "TruncateTable": "TRUNCATE", "LoadData": "LOAD DATA"}
    return names.get(type(node).__name__, type(node).__name__.upper())


def _place(node: Any, lead: int, text: str) -> tuple[int, int]:
    """Offsets of the node, or of the first thing below it that has some; the whole text when nothing has."""
    for below in node.walk():
        start = below.meta.get("start")
        if isinstance(start, int) and start >= lead:
            return start - lead, below.meta["end"] + 1 - lead
    return 0, len(text)


def _first_word(text: str) -> int:
    match = re.match(r"\s*\S+", text)
    return match.end() if match else len(text)
