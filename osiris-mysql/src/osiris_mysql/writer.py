"""A write step: one lock, one transaction, one ledger row.

begin   lock the table (GET_LOCK), look into the ledger
stage   first time: create or widen the table (DDL commits), staging tables, START TRANSACTION;
        then rows: straight into the target (append, replace) or into a temporary table (merge)
commit  merge, count, ledger row, COMMIT
abort   cut the connection: the server rolls back, the lock and the temporary tables go with the session
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from osiris_core import CommitResult, Connection, ReconciliationError, RunError, StepContext
from osiris_core.data import as_reader, rebatch, result_to_json
from osiris_mysql import ledger
from osiris_mysql.connect import open_session
from osiris_mysql.faults import running
from osiris_mysql.fitting import plain
from osiris_mysql.literals import inserts, literals
from osiris_mysql.loading import allowed, lines, load, statement
from osiris_mysql.merge import STAGING, create_staging, merge
from osiris_mysql.names import quote, quote_table
from osiris_mysql.reader import discard
from osiris_mysql.target import Target, prepare
from osiris_mysql.verify import Checksum

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of one INSERT, unless the server accepts less.
STATEMENT_BYTES = 1_000_000


class MySQLWriter:
    """Writes one stream, or several partitions of one, as a single atomic change."""

    def __init__(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> None:
        self._connection = connection
        self._config = config
        self._context = context
        self._database = connection.text("database")
        self._what = f"writing @{connection.alias}.{config['table']}"
        self._session: Any = None
        self._target: Target | None = None
        self._longest = STATEMENT_BYTES
        self._loads = False
        self._checksum: Checksum | None = None
        self._staged = 0
        self._deleted = 0

    def begin(self) -> CommitResult | None:
        """Lock the table and look into the ledger; a result means that this run key did it already."""
        session = self._open()
        with running(self._what):
            ledger.lock(session, self._database, self._config["table"], self._context)
            ledger.ensure(session, self._database)
            done = ledger.find(session, self._database, self._context)
        if done is not None:
            self.close()
        return done

    def read_state(self) -> Any:
        """What the last committed run of this pipeline and step left, or None."""
        with running(self._what):
            text = ledger.state(self._open(), self._database, self._context, self._config["table"])
        return None if text is None else json.loads(text)

    def stage(self, stream: Any, partition: int = 0) -> int:
        """Insert the stream's rows where nobody else sees them yet; returns how many."""
        rows = 0
        with running(self._what):
            reader = as_reader(stream)
            target = self._prepared(reader.schema)
            for batch in rebatch(reader):
                self._insert(target, batch)
                rows += batch.num_rows
        self._staged += rows
        return rows

    def commit(self, *, state: Any = None, coerced: Mapping[str, int] | None = None) -> CommitResult:
        """Merge if asked, compare the counts, record the commit and make it visible."""
        if self._target is None:
            raise RunError(f"{self._what}: nothing was staged")
        with running(self._what):
            if self._checksum is not None and self._target.keys:
                self._checksum.check_staged()
            result = self._applied(self._target, dict(coerced or {}))
            if self._checksum is not None:
                self._checksum.check_target()
            text = None if state is None else json.dumps(state, sort_keys=True)
            ledger.record(
                self._session, self._database, self._context, self._config["table"], result_to_json(result), text
            )
            self._commit()
        return result

    def abort(self) -> None:
        """Undo everything staged. A table that this step created stays, empty: MySQL cannot roll that back."""
        self._target = None
        session, self._session = self._session, None
        if session is not None:
            discard(session)

    def close(self) -> None:
        """Release the connection, and with it the lock; undoes what was not committed."""
        self.abort()

    # -- inside ------------------------------------------------------------------------------------------
    def _open(self) -> Any:
        if self._session is None:
            self._session = open_session(self._connection, writing=True, context=self._context)
        return self._session

    def _prepared(self, schema: pa.Schema) -> Target:
        if self._target is not None:
            return self._target
        session = self._open()
        target = self._target = prepare(session, self._database, self._config, schema, self._context)
        self._loads = allowed(session, target)
        with session.cursor() as cursor:
            if target.keys:
                create_staging(session, target)
            cursor.execute("SELECT @@max_allowed_packet")
            self._longest = int(cursor.fetchone()[0]) - 1024
            cursor.execute("START TRANSACTION")
            replaces = self._config["write_mode"] == "replace"
            if replaces and not target.keys:
                self._deleted = cursor.execute(f"DELETE FROM {quote_table(self._database, target.name)}")
        if self._config.get("verify") == "checksum":
            self._checksum = Checksum(session, target, replaces=replaces)
        return target

    def _insert(self, target: Target, batch: pa.RecordBatch) -> None:
        if batch.num_rows == 0:
            return
        arrays = [plain(batch.column(place.index)) for place in target.placements]
        for place, array in zip(target.placements, arrays, strict=True):
            place.fit.check(array)
        if self._checksum is not None:
            self._checksum.add(arrays)
        table = STAGING if target.keys else quote_table(self._database, target.name)
        send = self._load if self._loads else self._insert_values
        affected = send(target, table, arrays)
        if affected != batch.num_rows:
            raise ReconciliationError(f"{self._what}: {batch.num_rows} rows sent, {affected} stored")

    def _load(self, target: Target, table: str, arrays: list[pa.Array]) -> int:
        return load(self._session, statement(table, target), lines(arrays))

    def _insert_values(self, target: Target, table: str, arrays: list[pa.Array]) -> int:
        columns = [
            literals(array, place.field, place.type) for place, array in zip(target.placements, arrays, strict=True)
        ]
        names = ", ".join(quote(name) for name in target.columns)
        head = f"INSERT INTO {table} ({names}) VALUES ".encode()
        statements = inserts(head, columns, min(STATEMENT_BYTES, self._longest), self._longest)
        return sum(self._session.query(statement) for statement in statements)

    def _applied(self, target: Target, coerced: Mapping[str, int]) -> CommitResult:
        if target.keys:
            merged = merge(self._session, target, self._config)
            written = self._staged - merged.deduplicated
            self._verify(merged.matched, written)
            return CommitResult(
                written,
                deduplicated=merged.deduplicated,
                unchanged=written - merged.inserted - merged.changed,
                deleted=merged.deleted,
                coerced=coerced,
            )
        if self._config["write_mode"] == "replace":
            with self._session.cursor() as cursor:
                cursor.execute(f"SELECT COUNT(*) FROM {quote_table(self._database, target.name)}")
                self._verify(int(cursor.fetchone()[0]), self._staged)
        return CommitResult(self._staged, deleted=self._deleted, coerced=coerced)

    def _commit(self) -> None:
        """COMMIT; when the connection goes away in it, the ledger says whether it took place."""
        try:
            self._session.commit()
        except Exception as lost:
            if not self._was_committed():
                raise
            self._context.warn("OSI-R125", f"the connection was lost in COMMIT ({lost}); it took place")

    def _was_committed(self) -> bool:
        """Ask over a new connection. The lock is free once the lost transaction has ended, either way."""
        self._session, lost = None, self._session
        discard(lost)
        session = self._open()
        ledger.lock(session, self._database, self._config["table"], self._context)
        return ledger.find(session, self._database, self._context) is not None

    def _verify(self, found: int, expected: int) -> None:
        if found != expected and self._config.get("verify", "count") != "none":
            raise ReconciliationError(
                f"{self._what}: {expected} rows were staged, the target holds {found} of them",
                hint="several rows of the target share a merge key, or a trigger changes what is written",
            )
