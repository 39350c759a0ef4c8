"""Names in SQL: always quoted, never changed."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable


def quote(name: str) -> str:
    """One identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def quote_pyformat(name: str) -> str:
    """One identifier for SQL that goes through psycopg's parameters, where ``%`` must be doubled."""
    return quote(name).replace("%", "%%")


def qualified(schema: str, table: str) -> str:
    """``"schema"."table"``."""
    return f"{quote(schema)}.{quote(table)}"


def column_list(names: Iterable[str], prefix: str = "") -> str:
    """Quoted names with commas, each after ``prefix`` (``"t."``)."""
    return ", ".join(prefix + quote(name) for name in names)


def fresh_name(stem: str) -> str:
    """A table name nobody else has: poolers share temporary tables between clients."""
    return f"_osiris_{stem}_{secrets.token_hex(8)}"


def lock_key(schema: str, table: str) -> int:
    """The advisory lock of a table: a signed 64-bit number. Advisory locks are per database."""
    digest = hashlib.sha256(f"osiris\0{schema}\0{table}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
