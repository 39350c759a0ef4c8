"""What the servers of all kinds have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Generic, TypeVar

from osiris_core.testing.servers.database import Database, fresh_name
from osiris_core.testing.servers.process import ServerError, ServerProcess

D = TypeVar("D", bound=Database)


class Server(ABC, Generic[D]):
    """A database server, its administrator's account, and its process if it was started here."""

    def __init__(self, admin: D, process: ServerProcess | None = None, options: list[str] | None = None) -> None:
        self.admin = admin
        self.host, self.port = admin.host, admin.port
        self.user, self.password = admin.user, admin.password
        self.url = admin.url
        self._process = process
        self._options = options or []

    def execute(self, sql: str) -> int:
        """Run SQL as the administrator; return the rows affected."""
        return self.admin.execute(sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, as the administrator."""
        return self.admin.query(sql)

    def database(self, name: str) -> D:
        """A database of this server by its name."""
        return replace(self.admin, database=name)

    def create_database(self, name: str | None = None) -> D:
        """A new, empty database that holds Unicode text."""
        name = name or fresh_name()
        self._create(name)
        return self.database(name)

    @abstractmethod
    def drop_database(self, name: str) -> None:
        """Remove a database if it exists."""

    @property
    def is_own(self) -> bool:
        """Whether this server was started here, so that it may be killed."""
        return self._process is not None

    @property
    def is_running(self) -> bool:
        """Whether our own server's process is there. A server that a URL names is taken to be running."""
        return self._process is None or self._process.is_running

    def kill(self) -> None:
        """Crash the server: clients are cut off at once, the next start recovers from its log."""
        self._own.kill()

    def stop(self) -> None:
        """Stop the server in good order; its data stays for ``start``."""
        self._own.stop()

    def start(self) -> None:
        """Start the server again, on the port that it had before."""
        self._own.start(self._command, lambda port: self.query("SELECT 1"), self.port)

    def restart(self) -> None:
        """Stop in good order, then start on the same port."""
        self.stop()
        self.start()

    @property
    def _own(self) -> ServerProcess:
        if self._process is None:
            raise ServerError(f"the server at {self.host}:{self.port} is not ours to stop; ask for an own_… fixture")
        return self._process

    @abstractmethod
    def _create(self, name: str) -> None: ...

    @abstractmethod
    def _command(self, port: int) -> list[str]: ...
