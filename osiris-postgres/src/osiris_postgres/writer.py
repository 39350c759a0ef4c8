"""One write step: one transaction, under the table's lock, with its entry in the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import CommitResult, DriftError, ReconciliationError, RunError, StepContext
from osiris_core.data import Coercions, rebatch
from osiris_postgres.apply import Plan, apply, make_plan, prepare
from osiris_postgres.connect import Place, connect, set_local
from osiris_postgres.copying import CopyIn
from osiris_postgres.create import add_columns, create_table
from osiris_postgres.ledger import Entry, Ledger
from osiris_postgres.names import lock_key, qualified
from osiris_postgres.relations import Relation, load_relations
from osiris_postgres.tail import find_tail
from osiris_postgres.target import check_writable, new_columns
from osiris_postgres.verify import Verification

if TYPE_CHECKING:
    import psycopg

_LOCK_POLL_SECONDS = 0.05
_LOCK_WARN_SECONDS = 5.0


class TableWriter:
    """Writes one table. Nothing is visible to others before ``commit`` returns, whatever is killed when.

    Args:
        place: where.
        config: the step's config (``table``, ``write_mode``, …).
        context: of the running step.
    """

    delivery = "exactly_once"

    def __init__(self, place: Place, config: Mapping[str, Any], context: StepContext) -> None:
        self._place = place
        self._config = config
        self._context = context
        self._entry = Entry(context.run_key, context.pipeline, context.step, qualified(place.schema, config["table"]))
        self._coercions = Coercions()
        self._connection: psycopg.Connection[Any] | None = None
        self._relation: Relation | None = None
        self._plan: Plan | None = None
        self._copy: CopyIn | None = None
        self._verification: Verification | None = None
        self._deleted = 0
        self._begun = False

    # -- begin -----------------------------------------------------------------------------------------
    def begin(self) -> CommitResult | None:
        """Take the table's lock and look into the ledger. A result means: already committed, stage nothing.

        Raises ConnectError when the ledger cannot be made, DriftError when the table is missing.
        """
        connection = self._open()
        ledger = Ledger(connection, self._place)
        ledger.ensure()
        self._start()
        self._lock()
        done = ledger.claim(self._entry)
        if done is not None:
            connection.rollback()
            return done
        self._begun = True
        self._relation = self._load()
        return None

    def read_state(self) -> Any:
        """State that the last committed run of this step left for this table (JSON value), or None."""
        return Ledger(self._open(), self._place).state(self._entry)

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            connection = self._connection = connect(self._place)
            self._context.on_cancel(lambda: connection.cancel_safe(timeout=5))
        return self._connection

    def _start(self) -> None:
        """Begin the one transaction. READ COMMITTED: a statement after a wait sees what was committed meanwhile."""
        set_local(self._open(), self._place)

    def _lock(self) -> None:
        """Wait for the table's lock; it ends with the transaction, so a pooler may not lose it."""
        connection, started, warned = self._open(), time.monotonic(), False
        key = lock_key(self._place.schema, self._config["table"])
        while True:
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (key,)).fetchone()
            if row and row[0]:
                return
            if self._context.cancelled():
                raise RunError("cancelled while waiting for another run on the same table", code="OSI-R090")
            if not warned and time.monotonic() - started > _LOCK_WARN_SECONDS:
                warned = True
                self._context.warn("OSI-R029", f"waiting for another run that writes {self._entry.table}")
            time.sleep(_LOCK_POLL_SECONDS)

    def _load(self) -> Relation | None:
        """The table as it is. Raises DriftError when it is missing and may not be made."""
        connection, table = self._open(), self._config["table"]
        found = load_relations(connection, self._place.schema, [table])
        if found:
            check_writable(found[0], table)
            return found[0]
        if self._config.get("create", "never") != "if_missing":
            raise DriftError(
                f"table {self._entry.table} does not exist, or this user may not use it",
                code="OSI-R002",
                hint="create it, or set create: if_missing",
            )
        return None

    # -- stage -----------------------------------------------------------------------------------------
    def stage(self, stream: Any, partition: int = 0) -> int:
        """Copy a stream's rows into the transaction; returns the number of rows taken."""
        schema = stream.schema if isinstance(stream.schema, pa.Schema) else pa.schema(stream.schema)
        if self._copy is None:
            self._prepare(schema)
        copy = self._copy
        assert copy is not None
        copy.check_schema(schema)
        before = copy.rows
        for batch in rebatch(_record_batches(stream, schema), self._context.batch_bytes):
            sent = copy.send(batch)
            if self._verification is not None:
                self._verification.add(sent)
        return copy.rows - before

    def _prepare(self, schema: pa.Schema) -> None:
        """Decide how the rows go in, and open the COPY they go through."""
        if not self._begun:
            raise RunError("stage before begin", code="OSI-X001")
        connection = self._open()
        relation = self._relation or self._create(schema)
        added = new_columns(schema, relation, self._config)
        if added:
            add_columns(connection, self._entry.table, added, self._config, self._context)
            relation = self._reload()
        plan = self._plan = make_plan(schema, relation, self._place.schema, self._config)
        for warning in plan.warnings:
            self._context.warn("OSI-R124", warning)
        self._deleted = prepare(connection, plan)
        on_nul = self._config.get("on_nul", "error")
        tail = find_tail(connection, plan, relation, self._config)
        self._copy = CopyIn(connection, plan, schema, on_nul, self._coercions, tail)
        if self._config.get("verify", "count") == "checksum":
            self._verification = Verification(plan)

    def _create(self, schema: pa.Schema) -> Relation:
        create_table(self._open(), self._place.schema, schema, self._config, self._context)
        return self._reload()

    def _reload(self) -> Relation:
        if self._place.after_ddl:
            self._open().execute(self._place.after_ddl)
        relation = self._relation = self._load()
        if relation is None:
            raise RunError(f"table {self._entry.table} is not visible to its own writer", code="OSI-X001")
        return relation

    # -- commit ----------------------------------------------------------------------------------------
    def commit(self, *, state: Any = None, coerced: Mapping[str, int] | None = None) -> CommitResult:
        """Apply what was staged, verify it, and commit it with its ledger entry.

        Raises ReconciliationError when rows do not add up; then nothing was written.
        """
        if self._plan is None or self._copy is None:
            raise RunError("commit before stage", code="OSI-X001")
        connection, plan = self._open(), self._plan
        copied = self._copy.finish()
        if self._verification is not None:
            self._verification.check_staged(connection)
        outcome = apply(
            connection,
            plan,
            copied,
            deleted=self._deleted,
            count=self._config.get("verify", "count") != "none",
        )
        if self._verification is not None:
            self._verification.check_target(connection)
        counts = dict(coerced or {})
        for name, count in self._coercions.counts().items():
            counts[name] = counts.get(name, 0) + count
        result = CommitResult(
            written=outcome.written,
            deduplicated=outcome.deduplicated,
            unchanged=outcome.unchanged,
            deleted=outcome.deleted,
            coerced=counts,
        )
        if copied.rows != result.written + result.deduplicated:
            raise ReconciliationError(
                f"{copied.rows} rows came, {result.written} are in {self._entry.table} and "
                f"{result.deduplicated} were deduplicated; nothing was written",
                hint="a trigger or rule of the table may leave rows out",
            )
        Ledger(connection, self._place).record(self._entry, result, state)
        self._commit(connection)
        return result

    def _commit(self, connection: psycopg.Connection[Any]) -> None:
        """COMMIT; when the connection breaks in that instant, the ledger knows whether it happened."""
        import psycopg

        try:
            connection.commit()
        except psycopg.OperationalError as lost:
            if not connection.closed or not self._was_committed():
                raise
            self._context.warn("OSI-R125", f"the connection was lost in COMMIT ({type(lost).__name__}); it took place")
        self._begun = False

    def _was_committed(self) -> bool:
        """Ask the ledger, once the lost transaction has ended either way, over a new connection."""
        self.close()
        with suppress(Exception):  # no answer: the caller raises what it has, and a re-run asks again
            self._start()
            self._lock()
            return Ledger(self._open(), self._place).find(self._entry) is not None
        return False

    # -- the end ---------------------------------------------------------------------------------------
    def abort(self) -> None:
        """Undo everything staged. Idempotent, never raises."""
        if self._connection is None:
            return
        if self._copy is not None and not self._copy.finished:
            # The server sees the connection end and rolls back; asking it politely could block.
            self.close()
            return
        with suppress(Exception):
            self._connection.rollback()
        self._begun = False

    def close(self) -> None:
        """Close the connection. Idempotent, never raises; what was not committed is rolled back by the server."""
        connection, self._connection = self._connection, None
        self._begun = False
        if connection is not None:
            with suppress(Exception):
                connection.close()


def _record_batches(stream: Iterable[Any], schema: pa.Schema) -> Iterable[pa.RecordBatch]:
    """The stream's batches as pyarrow's, whoever made them."""
    for batch in stream:
        yield batch if isinstance(batch, pa.RecordBatch) else pa.record_batch(batch, schema=schema)
