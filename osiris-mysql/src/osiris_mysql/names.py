"""Quoting of MySQL names, and of the texts in definitions. Every name that reaches SQL goes through here."""

from __future__ import annotations

from osiris_core import RunError

#: Last character of Unicode that MySQL stores in names.
LAST = 0xFFFF


def quote(name: str) -> str:
    """`name` between backticks, whatever it holds. Raises RunError (OSI-R105) for what MySQL cannot name."""
    if not name or "\0" in name or name.endswith(" ") or any(ord(char) > LAST for char in name):
        raise RunError(
            f'MySQL can name nothing "{name}"',
            code="OSI-R105",
            hint="its names hold no emoji (nothing beyond U+FFFF) and no NUL, and do not end in a blank",
        )
    return "`" + name.replace("`", "``") + "`"


def quote_pyformat(name: str) -> str:
    """`quote` for statements whose values are bound with ``%(name)s``: percent signs are doubled."""
    return quote(name).replace("%", "%%")


def quote_table(database: str, table: str) -> str:
    """``database.table``, both quoted."""
    return f"{quote(database)}.{quote(table)}"


def quote_text(text: str) -> str:
    """``text`` as a literal of a statement that takes no parameters, for a session that reads backslashes."""
    from pymysql.converters import escape_string

    return f"'{escape_string(text)}'"
