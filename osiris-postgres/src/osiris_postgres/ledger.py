"""The ledger of a PostgreSQL database: which run keys have been committed, in the same transaction as their rows.

The table is made when it is missing. Without the right to do so the error holds the statements for whoever has it.
Rows are small (a few hundred bytes); ``prune`` removes old ones but never the newest state of a step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core import CommitResult, ConnectError, LedgerEntry
from osiris_core.data import LEDGER_TABLE, ledger_entry, result_from_json, result_to_json
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


@dataclass(frozen=True, slots=True)
class Standing:
    """How a user stands with the ledger."""

    schema_exists: bool
    table_exists: bool
    usable: bool
    user: str


#: From the catalogue alone: names of a schema that is closed to the user would be an error.
_STANDING = """
SELECT n.oid IS NOT NULL, c.oid IS NOT NULL,
       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            WHEN c.oid IS NULL THEN has_schema_privilege(n.oid, 'CREATE')
            ELSE has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
                 AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') END,
       current_user::text
FROM (SELECT 1) AS one
LEFT JOIN pg_namespace n ON n.nspname = %(schema)s
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = %(table)s
"""


class Ledger:
    """The ledger of one place; every method runs inside the caller's transaction unless it says otherwise.

    Attributes:
        table: its name, qualified and quoted.
    """

    def __init__(self, connection: psycopg.Connection[Any], place: Place) -> None:
        self._connection = connection
        self._place = place
        self.table = qualified(place.ledger_schema, LEDGER_TABLE)

    def ensure(self) -> None:
        """Make the table when it is missing, in a transaction of its own.

        Raises ConnectError (OSI-C044) with the statements for its owner when the user may not make or use it.
        """
        import psycopg.errors

        with self._connection.transaction():
            standing = self.standing()
        if not standing.usable:
            raise self.missing_right(standing)
        if standing.table_exists:
            return
        try:
            self._create(standing)
        except psycopg.errors.InsufficientPrivilege as error:
            raise self.missing_right(standing) from error

    def standing(self) -> Standing:
        """What there is of the ledger, and whether this user can keep it. One query."""
        values = {"schema": self._place.ledger_schema, "table": LEDGER_TABLE}
        row = self._connection.execute(_STANDING, values).fetchone()
        assert row is not None
        return Standing(*row)

    def _create(self, standing: Standing) -> None:
        with self._connection.transaction():
            # Two first runs at once would both try; CREATE ... IF NOT EXISTS alone still collides.
            key = lock_key(self._place.ledger_schema, LEDGER_TABLE)
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
            for statement in self.ddl(standing):
                self._connection.execute(statement)

    def ddl(self, standing: Standing) -> list[str]:
        """The statements that make the ledger."""
        statements = [f"CREATE TABLE IF NOT EXISTS {self.table} {_COLUMNS}"]
        if not standing.schema_exists:
            statements.insert(0, f"CREATE SCHEMA IF NOT EXISTS {quote(self._place.ledger_schema)}")
        if self._place.hide_ledger:
            statements.append(f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY")
        return statements

    def missing_right(self, standing: Standing) -> ConnectError:
        """The error for a user who may neither make nor use the ledger, with what its owner has to run."""
        statements = [
            *self.ddl(standing),
            f"GRANT USAGE ON SCHEMA {quote(self._place.ledger_schema)} TO {quote(standing.user)}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {self.table} TO {quote(standing.user)}",
        ]
        return ConnectError(
            f"user {standing.user} may not keep the ledger {self.table}, without which a write could happen twice",
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

    def entries(self, limit: int | None) -> list[LedgerEntry]:
        """The newest entries; none where there is no ledger. Raises ConnectError (OSI-C044) without the right."""
        sql = f"""
            SELECT pipeline, step, table_name, run_key, committed_at, result, state IS NOT NULL FROM {self.table}
            ORDER BY committed_at DESC, run_key, pipeline, step LIMIT %(limit)s
        """
        rows = self._managed(sql, {"limit": limit})
        return [ledger_entry(row) for row in rows.fetchall()] if rows else []

    def prune(self, older_than_days: float, *, dry_run: bool = False) -> int:
        """Remove entries committed longer ago; the newest state of each step and table stays. Returns how many.

        Raises ConnectError (OSI-C044) without the right.
        """
        sql = f"""
            {"SELECT 1" if dry_run else "DELETE"} FROM {self.table}
            WHERE committed_at < clock_timestamp() - %(days)s * interval '1 day'
            AND (run_key, pipeline, step) NOT IN (
                SELECT DISTINCT ON (pipeline, step, table_name) run_key, pipeline, step FROM {self.table}
                WHERE state IS NOT NULL ORDER BY pipeline, step, table_name, committed_at DESC
            )
        """
        rows = self._managed(sql, {"days": older_than_days})
        return rows.rowcount if rows else 0

    def _managed(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor[Any] | None:
        """Run a statement on the table; None when there is no table."""
        import psycopg.errors

        standing = self.standing()
        if not standing.table_exists:
            return None
        try:
            return self._connection.execute(sql, values)
        except psycopg.errors.InsufficientPrivilege as error:
            raise self.missing_right(standing) from error
