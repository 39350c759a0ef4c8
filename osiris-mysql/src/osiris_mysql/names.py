"""Quoting of MySQL names. Every name that reaches SQL goes through here."""

from __future__ import annotations

from osiris_core import RunError


def quote(name: str) -> str:
    """`name` between backticks, whatever it holds. Raises RunError (OSI-R105) for what MySQL cannot name."""
    if not name or "\0" in name:
        raise RunError(f"MySQL has no such name: {name!r}", code="OSI-R105", hint="names are not empty and hold no NUL")
    return "`" + name.replace("`", "``") + "`"


def quote_pyformat(name: str) -> str:
    """`quote` for statements whose values are bound with ``%(name)s``: percent signs are doubled."""
    return quote(name).replace("%", "%%")


def quote_table(database: str, table: str) -> str:
    """``database.table``, both quoted."""
    return f"{quote(database)}.{quote(table)}"
