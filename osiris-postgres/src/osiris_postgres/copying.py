"""COPY into PostgreSQL, open across several streams."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import ReconciliationError, RunError
from osiris_core.data import Coercions
from osiris_postgres.apply import Plan
from osiris_postgres.encode import encoder
from osiris_postgres.names import column_list
from osiris_postgres.staging import Loader

if TYPE_CHECKING:
    import psycopg


class CopyIn:
    """One binary COPY: batches are converted, encoded and sent as they come."""

    def __init__(
        self, connection: psycopg.Connection[Any], plan: Plan, schema: pa.Schema, on_nul: str, coercions: Coercions
    ) -> None:
        self._schema = schema
        self._loader = Loader(plan.slots, plan.keys, plan.named_by, on_nul, coercions)
        jsonb = {slot.name for slot in plan.slots if slot.column.base == "jsonb" and not slot.conversion.cast}
        self._encoder = encoder(self._loader.schema, jsonb)
        self._stack = ExitStack()
        self._cursor = connection.cursor()
        names = column_list(slot.name for slot in plan.slots)
        statement = f"COPY {plan.copy_target} ({names}) FROM STDIN (FORMAT binary)"
        self._copy = self._stack.enter_context(self._cursor.copy(statement))
        self._copy.write(self._encoder.header())
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
        data = self._encoder.batch(converted)
        if data:
            self._copy.write(data)
        return converted

    def finish(self) -> bool:
        """End the COPY; returns whether a key may have come twice. Raises ReconciliationError on a wrong count."""
        self._copy.write(self._encoder.finish())
        self._stack.close()
        self.finished = True
        if self._cursor.rowcount != self.rows:
            raise ReconciliationError(
                f"{self.rows} rows were sent and the server took {self._cursor.rowcount}; nothing was written",
                hint="a trigger of the table may leave rows out",
            )
        return self._loader.may_repeat_keys
