"""What SQL in a pipeline may not do, although it is a SELECT."""

from __future__ import annotations

import re
from typing import Any

from osiris_core.sql import SqlError

#: Functions that read or write files, reach other systems, run text as SQL, wait, lock or change state.
_FORBIDDEN = {
    "duckdb": (
        r"read_\w+|\w+_scan\w*|\w+_query|sniff_csv|glob|parquet_\w+|st_read\w*|st_drivers|getenv|query|query_table"
        r"|pragma_\w+|duckdb_\w+|which_secret|load_\w+|write_\w+|set_\w+|setval|nextval|currval|current_setting"
        r"|from_substrait\w*|get_substrait\w*|json_execute_serialized_sql|sql_auto_complete|open_prompt|http_\w+"
        r"|enable_\w+|disable_\w+|force_checkpoint|checkpoint|repeat_row|summary|arrow_\w+|python_\w+|pandas_\w+"
    ),
    "postgres": (
        r"pg_(?:read|ls|stat_file|file|sleep|terminate|cancel|reload|rotate|promote|switch|create|drop|start|stop"
        r"|backup|logical|replication|notify|try|advisory|export|import|restore|wal|log|copy|stat_reset)\w*"
        r"|lo_\w+|dblink\w*|set_config|nextval|setval|lastval|query_to_xml\w*|table_to_xml\w*|schema_to_xml\w*"
        r"|database_to_xml\w*|cursor_to_xml\w*|ts_stat|ts_rewrite|crosstab\w*|connectby|http\w*|file_\w+"
        r"|current_setting|inet_server_\w+|txid_current|gen_salt_\w+|plpy\w*|xpath_table|postgres_fdw\w*"
    ),
    "mysql": (
        r"load_file|sleep|benchmark|\w+_lock\w*|release_all_locks|\w+_pos_wait|wait_for_\w+|sys_\w+|nextval|setval"
        r"|lastval|last_insert_id|keyring_\w+|gtid_\w+|service_\w+|lib_\w+|spider_\w+"
    ),
}
#: Schemas whose functions reach outside, whatever they are called.
_FORBIDDEN_SCHEMAS = frozenset({"net", "http", "vault", "cron", "pgsodium", "dblink", "sys", "mysql"})
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
        elif isinstance(node, exp.Func | exp.Anonymous):
            _function(node, dialect, lead, text)


def _table(node: Any, dialect: str, lead: int, text: str) -> None:
    from sqlglot import exp

    if isinstance(node.this, exp.Identifier):
        if dialect == "duckdb" and _FILE_NAME.search(node.name):
            start, end = _place(node, lead, text)
            message = "a file cannot be read within SQL"
            raise SqlError("OSI-V305", message, start, end, hint="read it with a step of file.table")
        return
    name = _function_name(node.this)
    if dialect == "duckdb" and name not in _TABLE_FUNCTIONS:
        _refuse(name, node.this, lead, text)


def _function(node: Any, dialect: str, lead: int, text: str) -> None:
    from sqlglot import exp

    name = _function_name(node)
    pattern = _FORBIDDEN.get(dialect, "")
    if pattern and re.fullmatch(pattern, name):
        _refuse(name, node, lead, text)
    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.this.name.lower() in _FORBIDDEN_SCHEMAS:
        _refuse(f"{parent.this.name}.{name}", node, lead, text)


def _refuse(name: str, node: Any, lead: int, text: str) -> None:
    start, end = _place(node, lead, text)
    raise SqlError("OSI-V305", f"the function {name[:60]} is not allowed in a pipeline", start, end)


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
