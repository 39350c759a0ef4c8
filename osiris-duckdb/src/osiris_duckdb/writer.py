"""Writing a DuckDB table: one transaction holds the rows and the ledger's entry, so a step happens once or not at all.

begin    open the file, take the table, make the ledger, BEGIN, look into the ledger
stage    append, replace: INSERT straight into the table; merge: into a temporary table
commit   merge; compare counts or contents; ledger entry; COMMIT
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import (
    CommitResult,
    ConfigurationError,
    ConnectError,
    Connection,
    ReconciliationError,
    StepContext,
)
from osiris_core.data import field as arrow_field
from osiris_core.data import source_comment, with_source_table
from osiris_duckdb import ledger
from osiris_duckdb.instances import INSTANCES, Lease, database_path, interrupter, one, quote
from osiris_duckdb.intake import Intake, own_source
from osiris_duckdb.merging import STAGE, merge
from osiris_duckdb.streams import Source
from osiris_duckdb.target import Target, prepare
from osiris_duckdb.verification import move_staged
from osiris_duckdb.writing_types import columns_sql

_VIEW = "_osiris_rows"
_LOCK_POLL_SECONDS = 0.1
#: Steps of one process that write the same table take turns; other processes cannot open the file meanwhile.
_TABLE_LOCKS: defaultdict[tuple[Path, str], threading.Lock] = defaultdict(threading.Lock)


class TableWriter:
    """One write step on one table; see ``osiris_core.Writer``."""

    def __init__(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> None:
        self._fields = connection.fields
        self._path = database_path(connection, context.project_dir)
        self._config = config
        self._context = context
        self._project = context.project_dir.resolve()
        self._lease: Lease | None = None
        self._lock: threading.Lock | None = None
        self._target: Target | None = None
        self._in_transaction = False
        self._rows = 0
        self._deleted = 0
        self._before = 0

    # -- the protocol ----------------------------------------------------------------------------------
    def begin(self) -> CommitResult | None:
        """Open the file for writing and look into its ledger.

        Raises ConnectError (retryable when another process has the file), ConfigurationError for ``read_only``.
        """
        if self._fields.get("read_only"):
            raise ConfigurationError(f"{self._path.name} is read_only in its connection and cannot be written")
        self._take_table()
        connection = self._connection
        ledger.create(connection)
        connection.execute("BEGIN TRANSACTION")
        self._in_transaction = True
        return ledger.committed(connection, self._context)

    def read_state(self) -> Any:
        """State that this step's last commit left, or None; asking makes nothing."""
        if self._lease is not None:
            return ledger.state(self._lease.connection, self._context, self._config["table"])
        if not self._path.is_file():
            return None
        lease = INSTANCES.borrow(self._path, temp_dir=self._context.work_dir)
        try:
            known = ledger.exists(lease.connection)
            return ledger.state(lease.connection, self._context, self._config["table"]) if known else None
        finally:
            lease.close()

    def stage(self, stream: Any, partition: int = 0) -> int:
        """Take all rows of ``stream``. What the stream itself raises comes out unchanged."""
        source = own_source(stream)
        if source is not None and self._can_run(source):
            return self._stage_statement(source, stream.schema)
        intake = Intake(self._connection, _VIEW, stream)
        self._prepare(intake.schema)
        with intake:
            written = self._insert(_VIEW)
        if written != intake.rows:
            raise ReconciliationError(f"DuckDB took {written} of {intake.rows} rows")
        return written

    def commit(self, *, state: Any = None, coerced: Mapping[str, int] | None = None) -> CommitResult:
        """Finish the change, verify it, and make it visible together with its ledger entry."""
        connection = self._connection
        result = replace(self._finish(connection), coerced=dict(coerced or {}))
        ledger.record(connection, self._context, self._config["table"], result, state)
        connection.execute("COMMIT")
        self._in_transaction = False
        return result

    def abort(self) -> None:
        """Roll back; nothing was ever visible."""
        if self._lease is None or not self._in_transaction:
            return
        self._in_transaction = False
        try:
            self._lease.connection.execute("ROLLBACK")
        except duckdb.Error:  # the transaction is gone already
            pass

    def close(self) -> None:
        """Give the connection back; whatever was not committed is rolled back."""
        self.abort()
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    # -- inside ----------------------------------------------------------------------------------------
    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._lease is None:
            raise RuntimeError("begin comes first")
        return self._lease.connection

    def _can_run(self, source: Source) -> bool:
        """Whether this connection can run a statement of the steps before: it reads files of the project alone, and

        no macro of this database can change what the statement means.
        """
        if source.database is not None or not source.files:
            return False
        if not all(file.is_relative_to(self._project) for file in source.files):
            return False
        return not one(self._connection, "SELECT count(*) FROM duckdb_functions() WHERE NOT internal")[0]

    def _stage_statement(self, source: Source, schema: pa.Schema) -> int:
        """Fused: read, transform and write in one statement, without a row going through Arrow."""
        source.started = True
        fields = [
            arrow_field(item.name, item.type, item.nullable, source=f"duckdb:{column.type}")
            for item, column in zip(schema, source.columns, strict=True)
        ]
        described = with_source_table(
            pa.schema(fields, schema.metadata), comments={item.name: source_comment(item) for item in schema}
        )
        self._prepare(described, [column.type for column in source.columns])
        # By place: the engine may have given the columns other names since (naming: snake).
        rows = f"({source.sql}) AS {_VIEW}({columns_sql(schema.names)})"
        return self._insert(rows, source.parameters)

    def _prepare(self, schema: pa.Schema, scanned: Sequence[str] | None = None) -> None:
        if self._target is None:
            self._target = prepare(self._connection, self._config, schema, self._context, scanned)
            self._make_room(self._target)

    def _insert(self, rows: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Move ``rows`` (a view or a SELECT in parentheses) into the staging table or the target; how many."""
        assert self._target is not None, "prepared before"
        into = STAGE if self._is_staged else f"{self._target.sql} ({self._target.columns_sql()})"
        row = one(self._connection, f"INSERT INTO {into} {self._target.select(rows)}", parameters)
        written = int(row[0]) if row else 0
        self._rows += written
        return written

    @property
    def _is_staged(self) -> bool:
        return bool(self._config["write_mode"] == "merge" or self._config.get("verify") == "checksum")

    def _take_table(self) -> None:
        if not self._path.is_file() and self._config.get("create", "never") != "if_missing":
            raise ConnectError(
                f"there is no DuckDB file {self._path}",
                hint="check the connection's path, or make file and table with create: if_missing",
            )
        lock = _TABLE_LOCKS[self._path, self._config["table"]]
        while not lock.acquire(timeout=_LOCK_POLL_SECONDS):
            if self._context.cancelled():
                raise ConnectError("cancelled while another step was writing the table")
        self._lock = lock
        settings = {name: self._fields.get(name) for name in ("memory_limit", "threads")}
        self._lease = INSTANCES.borrow(
            self._path,
            write=True,
            temp_dir=self._context.work_dir,
            settings=settings,
            directories=(self._project,),
            cancelled=self._context.cancelled,
        )
        self._context.on_cancel(interrupter(self._lease.connection))

    def _make_room(self, target: Target) -> None:
        """Before the first row: the staging table, or an emptied target."""
        connection = self._connection
        if self._is_staged:
            # Not CREATE … AS … LIMIT 0: DuckDB 2.0.0 loses a million rows that are inserted into such a table.
            columns = ", ".join(f"{quote(name)} {target.columns[name].type}" for name in target.names)
            connection.execute(f"CREATE TEMP TABLE {STAGE} ({columns})")
        if self._config["write_mode"] == "replace":
            row = one(connection, f"DELETE FROM {target.sql}")
            self._deleted = int(row[0]) if row else 0
        self._before = self._count(target)

    def _finish(self, connection: duckdb.DuckDBPyConnection) -> CommitResult:
        if self._target is None:
            return CommitResult(0)
        if self._config["write_mode"] == "merge":
            merged = merge(connection, self._target, self._config, self._rows)
            return CommitResult(
                merged.rows,
                deduplicated=merged.deduplicated,
                unchanged=merged.unchanged,
                deleted=merged.deleted,
            )
        if self._is_staged:
            move_staged(connection, self._target, STAGE, self._config["table"])
        if self._config.get("verify", "count") != "none":
            grown = self._count(self._target) - self._before
            if grown != self._rows:
                raise ReconciliationError(f'"{self._config["table"]}" grew by {grown} rows, not by {self._rows}')
        return CommitResult(self._rows, deleted=self._deleted)

    def _count(self, target: Target) -> int:
        row = one(self._connection, f"SELECT count(*) FROM {target.sql}")
        return int(row[0]) if row else 0
