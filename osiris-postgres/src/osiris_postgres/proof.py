"""The server's own word that a text is one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def one_statement(connection: psycopg.Connection[Any], sql: str, values: Mapping[str, Any]) -> str:
    """``sql`` with its values as literals, once the server has parsed that very text as one SELECT.

    COPY goes through the simple protocol, which would run whatever stands behind a semicolon, out of the read-only
    transaction too. The extended protocol refuses two statements, and the text means the same in both: it begins
    after a parenthesis and ends before a line of its own. Raises psycopg.Error.
    """
    import psycopg

    text = psycopg.ClientCursor(connection).mogrify(sql, dict(values))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({text}\n) AS q LIMIT 0", binary=True)
    return text
