"""The driver of ``mysql.table``: each method hands over to the module that does the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from osiris_core import (
    ArrowStream,
    Catalog,
    Connection,
    Driver,
    Fault,
    Finding,
    LedgerEntry,
    Partition,
    Problem,
    Scope,
    Spec,
    StepContext,
    StepView,
    Writer,
)


class MySQLTable(Driver):
    """Tables of MySQL 8.0+ and MariaDB 10.6+."""

    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        """Tables, columns and keys, in five queries and a probe. Raises ConnectError."""
        from osiris_mysql.discovery import discover

        return discover(connection, scope)

    def probe(self, connection: Connection, scope: Scope) -> str:
        """One query whose answer changes with every ALTER TABLE in scope. Raises ConnectError."""
        from osiris_mysql.discovery import probe

        return probe(connection, scope)

    def check(self, connection: Connection) -> list[Finding]:
        """Name, network, TLS, login, permission, version and clock, each with its mend."""
        from osiris_mysql.doctor import check

        return check(connection)

    def validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Iterable[Problem]:
        """What only this component knows: partition columns, cursors and lags."""
        from osiris_mysql.validation import validate_step

        return validate_step(step, catalog)

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        """Pin the columns of a read, so that a later ALTER does not change what the manifest means."""
        from osiris_mysql.validation import compile_step

        return compile_step(step, catalog)

    def map_error(self, error: BaseException) -> Fault | None:
        """MySQL error numbers and socket errors in Osiris's terms."""
        from osiris_mysql.faults import fault_of

        return fault_of(error)

    def ledger_entries(self, connection: Connection, limit: int | None = None) -> list[LedgerEntry]:
        """The newest commits that the ledger remembers. Raises ConnectError."""
        from osiris_mysql.ledger import entries

        return entries(connection, limit)

    def prune_ledger(self, connection: Connection, older_than_days: float, *, dry_run: bool = False) -> int:
        """Remove old entries of the ledger, never the newest state. Raises ConnectError."""
        from osiris_mysql.ledger import prune

        return prune(connection, older_than_days, dry_run=dry_run)

    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> ArrowStream:
        """One consistent, read-only snapshot, streamed. Raises ConnectError, RunError or DriftError."""
        from osiris_mysql.reader import open_reader

        return open_reader(connection, config, context, partition)

    def plan_partitions(
        self, connection: Connection, config: Mapping[str, Any], context: StepContext
    ) -> list[Partition]:
        """Ranges of the partition column that together are the whole read, NULLs included once."""
        from osiris_mysql.partitions import plan

        return plan(connection, config, context)

    def open_writer(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> Writer:
        """One transaction with the ledger's row in it. Nothing changes before ``begin``."""
        from osiris_mysql.writer import MySQLWriter

        return MySQLWriter(connection, config, context)
