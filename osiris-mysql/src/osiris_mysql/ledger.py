"""The ledger on MySQL: its table, what it remembers, and the lock that lets one run at a time write a table.

DDL commits implicitly on MySQL, so the ledger's table is made before any transaction; its row is inserted in
the transaction that holds the rows.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from osiris_core import CancelledError, CommitResult, RunError, StepContext
from osiris_core.data import LEDGER_TABLE, result_from_json
from osiris_mysql.faults import fault_of
from osiris_mysql.names import quote_table

#: Seconds to wait for another run that writes the same table. A run that was killed in the middle of a
#: statement holds its lock until the server has finished that statement and noticed.
LOCK_SECONDS = 600
_NO_TABLE = 1146

_CREATE = """
CREATE TABLE IF NOT EXISTS {ledger} (
  run_key VARCHAR(191) NOT NULL,
  pipeline VARCHAR(255) NOT NULL,
  step VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL,
  result LONGTEXT NOT NULL,
  state LONGTEXT NULL,
  committed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (run_key, pipeline, step)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"""


def ensure(session: Any, database: str) -> None:
    """Make the ledger's table unless it exists. Raises RunError (OSI-R027) with the DDL when it may not."""
    ledger = quote_table(database, LEDGER_TABLE)
    with session.cursor() as cursor:
        try:
            cursor.execute(f"SELECT 1 FROM {ledger} LIMIT 0")
            return
        except Exception as error:
            if not (error.args and error.args[0] == _NO_TABLE):
                raise
        try:
            cursor.execute(_CREATE.format(ledger=ledger))
        except Exception as error:
            fault = fault_of(error)
            if fault is None or fault.code != "OSI-C044":
                raise
            raise RunError(
                f"the ledger {LEDGER_TABLE} does not exist and may not be created: {fault.message}",
                code="OSI-R027",
                hint=f"let an administrator run: {' '.join(_CREATE.format(ledger=ledger).split())}",
            ) from error


def find(session: Any, database: str, context: StepContext) -> CommitResult | None:
    """What this run key, pipeline and step committed already, or None."""
    with session.cursor() as cursor:
        cursor.execute(
            f"SELECT result FROM {quote_table(database, LEDGER_TABLE)} "
            "WHERE run_key = %s AND pipeline = %s AND step = %s",
            (context.run_key, context.pipeline, context.step),
        )
        row = cursor.fetchone()
    return None if row is None else result_from_json(row[0])


def state(session: Any, database: str, context: StepContext) -> str | None:
    """The state text that the last committed run of this pipeline and step left, or None."""
    with session.cursor() as cursor:
        try:
            cursor.execute(
                f"SELECT state FROM {quote_table(database, LEDGER_TABLE)} "
                "WHERE pipeline = %s AND step = %s AND state IS NOT NULL ORDER BY committed_at DESC LIMIT 1",
                (context.pipeline, context.step),
            )
        except Exception as error:
            if error.args and error.args[0] == _NO_TABLE:
                return None
            raise
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def record(session: Any, database: str, context: StepContext, table: str, result: str, state_text: str | None) -> None:
    """Insert the row of this commit into the open transaction."""
    with session.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote_table(database, LEDGER_TABLE)} "
            "(run_key, pipeline, step, table_name, result, state, committed_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6))",
            (context.run_key, context.pipeline, context.step, table, result, state_text),
        )


def lock(session: Any, database: str, table: str, context: StepContext) -> None:
    """Take the table's lock for this session; it goes with the session, however that ends.

    Raises RunError (OSI-R029) when another run holds it too long, CancelledError when asked to stop.
    """
    digest = hashlib.sha256(f"{database}\0{table}".encode()).hexdigest()
    deadline = time.monotonic() + LOCK_SECONDS
    with session.cursor() as cursor:
        while True:
            cursor.execute("SELECT GET_LOCK(%s, 1)", (f"osiris.{digest[:48]}",))
            if cursor.fetchone()[0] == 1:
                return
            if context.cancelled():
                raise CancelledError("cancelled while waiting for the table's lock", signal_number=2)
            if time.monotonic() > deadline:
                raise RunError(
                    f"another run is writing {database}.{table}",
                    code="OSI-R029",
                    hint="run again when it has finished",
                    retryable=True,
                )
