"""The driver of ``duckdb.table``. DuckDB itself is imported by the modules that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core import ConfigurationError, ConnectError, Driver, Finding

if TYPE_CHECKING:
    from osiris_core import (
        ArrowStream,
        Catalog,
        Connection,
        Fault,
        LedgerEntry,
        Partition,
        Scope,
        StepContext,
        Writer,
    )
    from osiris_duckdb.instances import Lease


class DuckDBTable(Driver):
    """Tables and views of a DuckDB file."""

    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        """Tables, columns, keys and estimates in three queries. Raises ConnectError."""
        from osiris_core import Catalog
        from osiris_duckdb import catalog

        if not _path(connection).exists():
            return Catalog("duckdb.table", probe=_NO_FILE)
        with _Opened(connection) as lease:
            return catalog.discover(lease.connection, scope)

    def probe(self, connection: Connection, scope: Scope) -> str:
        """One query over the system tables; also changes when the file appears or goes. Raises ConnectError."""
        from osiris_duckdb import catalog

        if not _path(connection).exists():
            return _NO_FILE
        with _Opened(connection) as lease:
            return catalog.probe(lease.connection)

    def check(self, connection: Connection) -> list[Finding]:
        """Whether the file is there and DuckDB can open it."""
        path = _path(connection)
        if not path.parent.is_dir():
            return [Finding("path", "failed", f"there is no directory {path.parent}", "make it, or mend the path")]
        if not path.exists():
            return [
                Finding("path", "warning", f"there is no file {path} yet", "a write with create: if_missing makes it")
            ]
        try:
            with _Opened(connection) as lease:
                version = lease.connection.execute("SELECT version()").fetchall()[0]
        except ConnectError as error:
            return [Finding("path", "failed", error.message, error.hint)]
        return [Finding("version", "ok", f"DuckDB {version[0] if version else ''} opens {path.name}")]

    def map_error(self, error: BaseException) -> Fault | None:
        """DuckDB's exceptions; see ``osiris_duckdb.errors``."""
        from osiris_duckdb.errors import fault

        return fault(error)

    def ledger_entries(self, connection: Connection, limit: int | None = None) -> list[LedgerEntry]:
        """The newest commits that the file's ledger remembers. Raises ConnectError."""
        from osiris_duckdb import ledger

        if not _path(connection).exists():
            return []
        with _Opened(connection) as lease:
            return ledger.entries(lease.connection, limit)

    def prune_ledger(self, connection: Connection, older_than_days: float, *, dry_run: bool = False) -> int:
        """Remove old entries of the file's ledger. Raises ConnectError, retryable while another process has it."""
        from osiris_duckdb import ledger

        if not _path(connection).exists():
            return 0
        if connection.fields.get("read_only") and not dry_run:
            raise ConfigurationError(f"@{connection.alias} is read_only, so its ledger cannot be pruned")
        with _Opened(connection, write=not dry_run) as lease:
            return ledger.prune(lease.connection, older_than_days, dry_run=dry_run)

    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> ArrowStream:
        """A lazy stream of a table or query; see ``osiris_duckdb.reader``."""
        from osiris_duckdb.reader import open_table

        return open_table(connection, config, context)

    def open_writer(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> Writer:
        """A writer in one transaction; see ``osiris_duckdb.writer``."""
        from osiris_duckdb.writer import TableWriter

        return TableWriter(connection, config, context)


#: What the probe says as long as there is no file.
_NO_FILE = "no file"


def _path(connection: Connection) -> Path:
    from osiris_duckdb.instances import database_path

    return database_path(connection, Path())


class _Opened:
    """A lease for the control plane, read-only unless it says otherwise."""

    def __init__(self, connection: Connection, *, write: bool = False) -> None:
        self._path = _path(connection)
        self._write = write
        self._lease: Lease | None = None

    def __enter__(self) -> Lease:
        from osiris_duckdb.instances import INSTANCES

        self._lease = INSTANCES.borrow(self._path, write=self._write)
        return self._lease

    def __exit__(self, *exception: object) -> None:
        if self._lease is not None:
            self._lease.close()
