"""The ledger of a PostgreSQL database: which run keys have been committed, in the same transaction as their rows.

The table is made when it is missing. Without the right to do so the error holds the statements for whoever has it.
Rows are small (a few hundred bytes); ``prune`` removes old ones but never the newest state of a step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core import CommitResult, ConnectError
from osiris_core.data import LEDGER_TABLE, result_from_json, result_to_json
from osiris_postgres.connect import Place
from osiris_postgres.names import lock_key, qualified, quote

if TYPE_CHECKING:
    import psycopg

_COLUMNS = """(
    run_key text NOT NULL,
    pipeline text NOT NULL,
    step text NOT NULL,
    table_name text NOT NULL,
    result text,
    state text,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_key, pipeline, step)
)"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What names one commit, and the table it wrote."""

    run_key: str
    pipeline: str
    step: str
    table: str

    def values(self) -> dict[str, str]:
        """The entry as SQL parameters."""
        return {"run_key": self.run_key, "pipeline": self.pipeline, "step": self.step, "table": self.table}


class Ledger:
    """The ledger of one place; every method runs inside the caller's transaction unless it says otherwise.

    Attributes:
        table: its name, qualified and quoted.
    """

    def __init__(self, connection: psycopg.Connection[Any], place: Place) -> None:
        self._connection = connection
        self._place = place
        self.table = qualified(place.ledger_schema, LEDGER_TABLE)

    def exists(self) -> bool:
        """Whether the table is there (and visible to this user)."""
        row = self._connection.execute("SELECT to_regclass(%s) IS NOT NULL", (self.table,)).fetchone()
        return bool(row and row[0])

    def ensure(self) -> None:
        """Make the table when it is missing, in a transaction of its own.

        Raises ConnectError (OSI-C044) with the DDL when the user may not.
        """
        import psycopg.errors

        with self._connection.transaction():
            if self.exists():
                return
        try:
            with self._connection.transaction():
                # Two first runs at once would both try; CREATE ... IF NOT EXISTS alone still collides.
                key = lock_key(self._place.ledger_schema, LEDGER_TABLE)
                self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
                for statement in self.ddl():
                    self._connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise self.missing_right() from error

    def usable(self) -> bool:
        """Whether this user can keep it: use the one that is there, or make one."""
        if self.exists():
            sql = "SELECT has_table_privilege(%s, 'SELECT') AND has_table_privilege(%s, 'INSERT')"
            row = self._connection.execute(f"{sql} AND has_table_privilege(%s, 'UPDATE')", (self.table,) * 3).fetchone()
        elif self._schema_is_missing():
            sql = "SELECT has_database_privilege(current_database(), 'CREATE')"
            row = self._connection.execute(sql).fetchone()
        else:
            sql = "SELECT has_schema_privilege(%s, 'CREATE')"
            row = self._connection.execute(sql, (self._place.ledger_schema,)).fetchone()
        return bool(row and row[0])

    def ddl(self) -> list[str]:
        """The statements that make the ledger."""
        schema = self._place.ledger_schema
        statements = [f"CREATE TABLE IF NOT EXISTS {self.table} {_COLUMNS}"]
        if self._schema_is_missing():
            statements.insert(0, f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        if self._place.hide_ledger:
            statements.append(f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY")
        return statements

    def _schema_is_missing(self) -> bool:
        sql = "SELECT NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s)"
        row = self._connection.execute(sql, (self._place.ledger_schema,)).fetchone()
        return bool(row and row[0])

    def missing_right(self) -> ConnectError:
        """The error for a user who may neither make nor use the ledger, with what its owner has to run."""
        user = str(self._place.keywords["user"])
        statements = [
            *self.ddl(),
            f"GRANT USAGE ON SCHEMA {quote(self._place.ledger_schema)} TO {quote(user)}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {self.table} TO {quote(user)}",
        ]
        return ConnectError(
            f"user {user} may not create or use the ledger {self.table}, without which a write could happen twice",
            code="OSI-C044",
            hint="let its owner run: " + "; ".join(" ".join(sql.split()) for sql in statements) + ";",
        )

    def claim(self, entry: Entry) -> CommitResult | None:
        """Write the entry of this run. The result of the first time when it was committed before."""
        sql = f"""
            INSERT INTO {self.table} (run_key, pipeline, step, table_name)
            VALUES (%(run_key)s, %(pipeline)s, %(step)s, %(table)s) ON CONFLICT DO NOTHING
        """
        if self._connection.execute(sql, entry.values()).rowcount:
            return None
        return self.find(entry)

    def find(self, entry: Entry) -> CommitResult | None:
        """The result of a committed entry, or None."""
        sql = f"SELECT result FROM {self.table} WHERE (run_key, pipeline, step) = (%(run_key)s, %(pipeline)s, %(step)s)"
        row = self._connection.execute(sql, entry.values()).fetchone()
        return result_from_json(row[0]) if row else None

    def record(self, entry: Entry, result: CommitResult, state: Any) -> None:
        """Complete the claimed entry with what the step did and where an incremental read goes on."""
        sql = f"""
            UPDATE {self.table} SET result = %(result)s, state = %(state)s, committed_at = clock_timestamp()
            WHERE (run_key, pipeline, step) = (%(run_key)s, %(pipeline)s, %(step)s)
        """
        text = None if state is None else json.dumps(state, sort_keys=True)
        self._connection.execute(sql, {**entry.values(), "result": result_to_json(result), "state": text})

    def state(self, entry: Entry) -> Any:
        """The state that the last committed run of this step left for this table, or None."""
        sql = f"""
            SELECT state FROM {self.table}
            WHERE pipeline = %(pipeline)s AND step = %(step)s AND table_name = %(table)s AND state IS NOT NULL
            ORDER BY committed_at DESC LIMIT 1
        """
        row = self._connection.execute(sql, entry.values()).fetchone()
        return json.loads(row[0]) if row else None

    def prune(self, older_than_days: float) -> int:
        """Remove entries committed longer ago; the newest state of each step and table stays. Returns how many."""
        sql = f"""
            DELETE FROM {self.table} WHERE committed_at < clock_timestamp() - %(days)s * interval '1 day'
            AND (run_key, pipeline, step) NOT IN (
                SELECT DISTINCT ON (pipeline, step, table_name) run_key, pipeline, step FROM {self.table}
                WHERE state IS NOT NULL ORDER BY pipeline, step, table_name, committed_at DESC
            )
        """
        return self._connection.execute(sql, {"days": older_than_days}).rowcount
