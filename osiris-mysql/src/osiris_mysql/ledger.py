"""The ledger on MySQL: its table, what it remembers, and the lock that lets one run at a time write a table.

DDL commits implicitly on MySQL, so the ledger's table is made before any transaction; its row is inserted in
the transaction that holds the rows.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from osiris_core import CancelledError, CommitResult, ConnectError, Connection, LedgerEntry, RunError, StepContext
from osiris_core.data import LEDGER_TABLE, ledger_entry, result_from_json
from osiris_mysql.connect import describe, open_session
from osiris_mysql.faults import connecting, fault_of
from osiris_mysql.names import quote_table

#: Seconds to wait for another run that writes the same table. A run that was killed in the middle of a
#: statement holds its lock until the server has finished that statement and noticed.
LOCK_SECONDS = 600
_NO_TABLE = 1146
_MICROSECONDS_OF_A_DAY = 86_400_000_000

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
    """Make the ledger's table unless it exists.

    Raises RunError (OSI-R027) with the statements for an administrator when the account may not make or write it.
    """
    ledger = quote_table(database, LEDGER_TABLE)
    with session.cursor() as cursor:
        try:
            # Adds nothing, and needs the right to read and to add: better refused now than after all the rows.
            cursor.execute(f"INSERT INTO {ledger} SELECT * FROM {ledger} WHERE FALSE")
            return
        except Exception as error:
            if not (error.args and error.args[0] == _NO_TABLE):
                _refuse(session, database, error, "may not be written")
                raise
        try:
            cursor.execute(_CREATE.format(ledger=ledger))
        except Exception as error:
            _refuse(session, database, error, "does not exist and may not be created")
            raise


def _refuse(session: Any, database: str, error: Exception, what: str) -> None:
    """Raise RunError (OSI-R027) with what an administrator has to run, when ``error`` is a missing right."""
    fault = fault_of(error)
    if fault is not None and fault.code == "OSI-C044":
        hint = _mend(session, database)
        raise RunError(f"the ledger {LEDGER_TABLE} {what}: {fault.message}", code="OSI-R027", hint=hint) from error


def _mend(session: Any, database: str) -> str:
    """The statements that let this account keep the ledger."""
    ledger = quote_table(database, LEDGER_TABLE)
    with session.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        user, _, host = str(cursor.fetchone()[0]).rpartition("@")
    grant = f"GRANT SELECT, INSERT, DELETE ON {ledger} TO {_text(user)}@{_text(host)}"
    return f"let an administrator run: {' '.join(_CREATE.format(ledger=ledger).split())}; {grant};"


def _text(value: str) -> str:
    """A literal: an account may be called anything, and an administrator is told to run this."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def find(session: Any, database: str, context: StepContext) -> CommitResult | None:
    """What this run key, pipeline and step committed already, or None."""
    with session.cursor() as cursor:
        cursor.execute(
            f"SELECT result FROM {_bindable(database)} WHERE run_key = %s AND pipeline = %s AND step = %s",
            (context.run_key, context.pipeline, context.step),
        )
        row = cursor.fetchone()
    return None if row is None else result_from_json(row[0])


def state(session: Any, database: str, context: StepContext, table: str) -> str | None:
    """The state text that the last committed run of this pipeline and step left for this table, or None."""
    with session.cursor() as cursor:
        try:
            cursor.execute(
                f"SELECT state FROM {_bindable(database)} "
                "WHERE pipeline = %s AND step = %s AND table_name = %s AND state IS NOT NULL "
                "ORDER BY committed_at DESC LIMIT 1",
                (context.pipeline, context.step, table),
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
            f"INSERT INTO {_bindable(database)} "
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


def entries(connection: Connection, limit: int | None) -> list[LedgerEntry]:
    """The newest commits; none where there is no ledger. Raises ConnectError."""
    sql = (
        "SELECT pipeline, step, table_name, run_key, committed_at, result, state IS NOT NULL FROM {ledger} "
        "ORDER BY committed_at DESC, run_key, pipeline, step LIMIT %(limit)s"
    )
    return [ledger_entry(row) for row in _managed(connection, sql, {"limit": limit or 2**63 - 1})[1]]


def prune(connection: Connection, older_than_days: float, *, dry_run: bool) -> int:
    """Remove commits of longer ago, except for the newest state of each step and table. Returns how many.

    Raises ConnectError.
    """
    sql = f"""
        {"SELECT 1" if dry_run else "DELETE old"} FROM {{ledger}} AS old
        LEFT JOIN (
            SELECT pipeline, step, table_name, MAX(committed_at) AS newest FROM {{ledger}}
            WHERE state IS NOT NULL GROUP BY pipeline, step, table_name
        ) AS kept ON old.state IS NOT NULL AND kept.newest = old.committed_at AND kept.pipeline = old.pipeline
            AND kept.step = old.step AND kept.table_name = old.table_name
        WHERE kept.newest IS NULL AND old.committed_at < UTC_TIMESTAMP(6) - INTERVAL %(age)s MICROSECOND
    """
    return _managed(connection, sql, {"age": round(older_than_days * _MICROSECONDS_OF_A_DAY)})[0]


def _managed(connection: Connection, sql: str, values: dict[str, int]) -> tuple[int, list[Any]]:
    """Run a statement on the ledger: the number of its rows, and what it fetched; nothing when there is no table."""
    database = connection.text("database")
    with connecting(describe(connection)):
        session = open_session(connection, writing=True)
        try:
            with session.cursor() as cursor:
                count: int = cursor.execute(sql.format(ledger=_bindable(database)), values)
                return count, list(cursor.fetchall())
        except Exception as error:
            if error.args and error.args[0] == _NO_TABLE:
                return 0, []
            fault = fault_of(error)
            if fault is not None and fault.code == "OSI-C044":
                raise ConnectError(fault.message, code=fault.code, hint=_mend(session, database)) from error
            raise
        finally:
            session.close()


def _bindable(database: str) -> str:
    """The ledger's name in a statement whose values are bound: percent signs are doubled."""
    return quote_table(database, LEDGER_TABLE).replace("%", "%%")
