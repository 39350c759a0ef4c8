"""DuckDB instances: one per database file and process, locked down, shared by the steps that use the file.

DuckDB lets either one process write a file or several read it, and inside a process every connection to a file
must come from one instance. So steps of a run borrow a ``Lease`` here: a connection of the shared instance.
A reader opens the file read-only; a writer needs it writable and waits until this process's readers are done.
Once the file is open for writing, readers of the same process share that instance.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from osiris_core import ConnectError, Connection
from osiris_duckdb.errors import connect_error

#: How long a writer waits for this process's own readers of the file to finish.
READER_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.1

#: SQL that a user wrote must not load code, and must not see this program's variables as tables.
_CONFIG: Mapping[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def database_path(connection: Connection, project_dir: Path) -> Path:
    """The file of a ``duckdb`` connection, absolute, links resolved."""
    return (project_dir / connection.text("path")).resolve()


def locked_down(
    path: Path | None,
    *,
    read_only: bool = False,
    temp_dir: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    readable: tuple[Path, ...] = (),
    directories: tuple[Path, ...] = (),
) -> duckdb.DuckDBPyConnection:
    """Open ``path`` (None: in memory) so that SQL reaches nothing but its tables, the files ``readable`` and what is
    below ``directories``.

    Time zone is UTC and the configuration is locked: no statement can change either. ``settings`` are
    ``memory_limit`` and ``threads``. Raises duckdb.Error.
    """
    config = {**_CONFIG, **{name: value for name, value in (settings or {}).items() if value is not None}}
    if temp_dir is not None:
        config["temp_directory"] = str(temp_dir)
    connection = duckdb.connect(str(path) if path else ":memory:", read_only=read_only, config=config)
    try:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        if readable:
            connection.execute(f"SET allowed_paths = [{', '.join(literal(str(file)) for file in readable)}]")
        if directories:
            listed = ", ".join(literal(str(directory)) for directory in directories)
            connection.execute(f"SET allowed_directories = [{listed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def quote(name: str) -> str:
    """``name`` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def one(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> Any:
    """The first row of a statement's result, or None. The result is always taken to its end: DuckDB insists."""
    rows = connection.execute(sql, parameters or None).fetchall()
    return rows[0] if rows else None


@dataclass
class _Shared:
    """One open instance and how many leases use it."""

    root: duckdb.DuckDBPyConnection
    read_only: bool
    users: int = 0


@dataclass
class Lease:
    """A connection of a shared instance. ``close()`` gives it back; idempotent, never raises."""

    connection: duckdb.DuckDBPyConnection
    _give_back: Callable[[], None] | None = field(repr=False)

    def close(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        try:
            self.connection.close()
        except duckdb.Error:  # an open transaction of a broken instance; the instance goes with its last user
            pass
        give_back()


class Instances:
    """The instances of this process, by file."""

    def __init__(self) -> None:
        self._open: dict[Path, _Shared] = {}
        self._changed = threading.Condition()

    def borrow(
        self,
        path: Path,
        *,
        write: bool = False,
        temp_dir: Path | None = None,
        settings: Mapping[str, Any] | None = None,
        directories: tuple[Path, ...] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Lease:
        """A connection to ``path``. What the first borrower says of ``settings`` and directories holds for all.

        Raises ConnectError: retryable when another process, or a reader of this one, holds the file.
        """
        with self._changed:
            if write:
                self._wait_for_readers(path, cancelled)
            shared = self._open.get(path)
            if shared is None:
                shared = self._open[path] = self._start(path, write, temp_dir, settings, directories)
            shared.users += 1
            return Lease(shared.root.cursor(), lambda: self._give_back(path, shared))

    def _wait_for_readers(self, path: Path, cancelled: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READER_WAIT_SECONDS
        while (shared := self._open.get(path)) is not None and shared.read_only:
            if cancelled() or time.monotonic() > deadline:
                raise ConnectError(
                    f"{path.name} cannot be written while another step of this run is reading it",
                    hint="let the writing step need the reading one",
                    retryable=True,
                )
            self._changed.wait(_POLL_SECONDS)

    @staticmethod
    def _start(
        path: Path,
        write: bool,
        temp_dir: Path | None,
        settings: Mapping[str, Any] | None,
        directories: tuple[Path, ...],
    ) -> _Shared:
        try:
            root = locked_down(path, read_only=not write, temp_dir=temp_dir, settings=settings, directories=directories)
        except duckdb.Error as error:
            raise connect_error(error, path) from error
        return _Shared(root, read_only=not write)

    def _give_back(self, path: Path, shared: _Shared) -> None:
        with self._changed:
            shared.users -= 1
            if shared.users == 0:
                shared.root.close()
                if self._open.get(path) is shared:
                    del self._open[path]
            self._changed.notify_all()


#: The one pool of this process.
INSTANCES = Instances()


def interrupter(connection: duckdb.DuckDBPyConnection) -> Callable[[], None]:
    """For ``StepContext.on_cancel``: stops the statement ``connection`` is running; harmless at any other time."""

    def interrupt() -> None:
        try:
            connection.interrupt()
        except duckdb.Error:  # closed already
            pass

    return interrupt
