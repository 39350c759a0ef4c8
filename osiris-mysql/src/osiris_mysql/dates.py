"""Dates that no calendar has: MySQL stores 0000-00-00 and 2024-02-00. An error, or NULL when asked, counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from osiris_core import RunError
from osiris_core.data import Coercions

#: After the first bad date the rest is read only to count them, for this many seconds at most.
COUNT_SECONDS = 60.0


class InvalidDates:
    """Counts dates that do not exist, and ends the read unless they were asked to become NULL.

    Args:
        table: for messages.
        keys: column names that identify a row in messages.
        to_null: ``on_invalid_date: null``.
    """

    def __init__(self, table: str, keys: Sequence[str], *, to_null: bool) -> None:
        self.coercions = Coercions()
        self._table = table
        self._keys = keys
        self._to_null = to_null
        self._rows = 0
        self._counts: Counter[str] = Counter()
        self._first = ""

    def check(self, batch: pa.RecordBatch, invalid: Mapping[int, Sequence[int]]) -> pa.RecordBatch:
        """Take note of the bad rows (by column index) of a batch in which they are NULL already."""
        for index, rows in invalid.items():
            name = batch.schema.field(index).name
            self._counts[name] += len(rows)
            self._first = self._first or f"column {name}, {self._row(batch, int(rows[0]))}"
            if self._to_null:
                self.coercions.add("on_invalid_date", len(rows))
        self._rows += batch.num_rows
        return batch

    def guard(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; at the first bad date the rest is only counted, and RunError (OSI-R106) is raised."""
        for batch in batches:
            if self._counts and not self._to_null:
                self._finish(batches)
            yield batch

    def _finish(self, batches: Iterator[Any]) -> None:
        deadline, complete = time.monotonic() + COUNT_SECONDS, True
        for _ in batches:
            if time.monotonic() > deadline:
                complete = False
                break
        counted = ", ".join(f"{count} in {name}" for name, count in sorted(self._counts.items()))
        bound = "" if complete else "at least "
        raise RunError(
            f"{self._table} holds dates that do not exist: {bound}{counted}; first at {self._first}",
            code="OSI-R106",
            hint="mend the rows, or set on_invalid_date: null to read them as NULL, counted",
        )

    def _row(self, batch: pa.RecordBatch, row: int) -> str:
        named = [f"{key} = {batch.column(key)[row].as_py()}" for key in self._keys if key in batch.schema.names]
        return ", ".join(named) or f"row {self._rows + row + 1} of the result"
