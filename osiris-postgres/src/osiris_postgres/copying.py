"""COPY into PostgreSQL, open across several streams."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import ReconciliationError, RunError
from osiris_core.data import Coercions
from osiris_postgres.apply import Copied, Plan
from osiris_postgres.encode import encoder
from osiris_postgres.names import column_list
from osiris_postgres.staging import Loader
from osiris_postgres.tail import Tail

if TYPE_CHECKING:
    import psycopg


class CopyIn:
    """Binary COPY: batches are converted, encoded and sent as they come.

    They go where ``plan`` says; with a ``tail``, those of its rows go straight into the table as long as keys rise.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        plan: Plan,
        schema: pa.Schema,
        on_nul: str,
        coercions: Coercions,
        tail: Tail | None = None,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._schema = schema
        self._loader = Loader(plan.slots, plan.keys, plan.named_by, on_nul, coercions)
        self._tail = tail
        self._part = _Part(connection, plan, self._loader.schema, None)
        self._straight = 0
        self.finished = False

    @property
    def rows(self) -> int:
        """Rows sent so far."""
        return self._loader.rows

    def check_schema(self, schema: pa.Schema) -> None:
        """Raise RunError unless a further stream has the columns of the first."""
        if not schema.equals(self._schema):
            raise RunError("two parts of one read have different columns", code="OSI-R101")

    def send(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Send one batch; returns it as it was sent."""
        converted = self._loader.convert(batch)
        if self._tail is not None and converted.num_rows:
            self._aim(converted, self._tail)
        self._part.send(converted)
        return converted

    def _aim(self, batch: pa.RecordBatch, tail: Tail) -> None:
        """End the COPY and begin another where ``batch`` belongs elsewhere than the batch before it."""
        rising = not self._loader.may_repeat_keys
        behind = rising and tail.has(batch.column(tail.key)[0].as_py())
        if behind != (self._part.tail is not None):
            self._end_part()
            self._part = _Part(self._connection, self._plan, self._loader.schema, tail if behind else None)
        if not rising:  # a key may come twice from now on: the staging table finds out
            self._tail = None

    def _end_part(self) -> None:
        self._part.finish()
        self._straight += self._part.rows if self._part.tail is not None else 0

    def finish(self) -> Copied:
        """End the COPY. Raises ReconciliationError when the server took another number of rows."""
        self._end_part()
        self.finished = True
        return Copied(self.rows, self._straight, self._loader.may_repeat_keys)


class _Part:
    """One COPY statement, to the place of the plan or, for rows of the ``tail``, into the table itself."""

    def __init__(self, connection: psycopg.Connection[Any], plan: Plan, schema: pa.Schema, tail: Tail | None) -> None:
        self.tail = tail
        self.rows = 0
        jsonb = {slot.name for slot in plan.slots if slot.column.base == "jsonb" and not slot.conversion.cast}
        self._encoder = encoder(schema, jsonb)
        self._conflicts = tail.explaining_conflicts if tail else nullcontext
        self._stack = ExitStack()
        self._cursor = connection.cursor()
        names = column_list(slot.name for slot in plan.slots)
        target = plan.target if tail else plan.copy_target
        statement = f"COPY {target} ({names}) FROM STDIN (FORMAT binary)"
        self._copy = self._stack.enter_context(self._cursor.copy(statement))
        self._copy.write(self._encoder.header())

    def send(self, batch: pa.RecordBatch) -> None:
        data = self._encoder.batch(batch)
        self.rows += batch.num_rows
        if data:
            with self._conflicts():
                self._copy.write(data)

    def finish(self) -> None:
        with self._conflicts():
            self._copy.write(self._encoder.finish())
            self._stack.close()
        if self._cursor.rowcount != self.rows:
            raise ReconciliationError(
                f"{self.rows} rows were sent and the server took {self._cursor.rowcount}; nothing was written",
                hint="a trigger of the table may leave rows out",
            )
