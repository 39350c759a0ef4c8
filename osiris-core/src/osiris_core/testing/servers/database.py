"""A database that one test has for itself, and what servers of all kinds share."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

#: The account of the servers that the tests start. The password holds what breaks a carelessly built URL.
USER = "osiris"
PASSWORD = "test-p@ss/w:rd#1"  # noqa: S105 - for throw-away servers on the loopback interface


@dataclass(frozen=True)
class Database(ABC):
    """Where a database is and who may enter, with two helpers to fill it and to look inside."""

    host: str
    port: int
    database: str
    user: str
    password: str

    @abstractmethod
    def connect(self) -> Any:
        """A new client connection in autocommit mode; the caller closes it."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The database as a URL, every part quoted."""

    @property
    def fields(self) -> dict[str, Any]:
        """The connection's fields as ``osiris_connections.yaml`` names them."""
        return {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "password": self.password,
        }

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> int:
        """Run SQL (several statements with ``;`` when there are no parameters); return the rows affected."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            while cursor.nextset():
                pass
            return int(cursor.rowcount)

    def query(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows that a SELECT gives."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of values into a table (its name is quoted by the caller if it needs to be)."""
        if not rows:
            return
        marks = ", ".join(["%s"] * len(rows[0]))
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            cursor.execute("COMMIT")

    def _url(self, scheme: str) -> str:
        account = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{scheme}://{account}@{self.host}:{self.port}/{quote(self.database, safe='')}"


@dataclass(frozen=True)
class ServerURL:
    """A server of the user's own, named by an environment variable."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @classmethod
    def from_environment(cls, variable: str, default_port: int) -> Self | None:
        """Parse ``scheme://user:password@host:port/database`` from a variable; None when it is unset or empty."""
        text = os.environ.get(variable)
        if not text:
            return None
        parts = urlsplit(text)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or default_port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")),
        )


def fresh_name() -> str:
    """A database name that no other worker, run or machine uses on the same server."""
    return f"osiris_test_{os.getpid()}_{secrets.token_hex(4)}"
