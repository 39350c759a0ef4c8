"""Batches on their way into COPY: converted, searched for U+0000, their keys watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_core.data import Coercions
from osiris_postgres.target import Slot

#: An escaped U+0000 in JSON text: an odd number of backslashes before it.
_JSON_NUL = r"(^|[^\\])((?:\\\\)*)\\u0000"
_ReplaceWith = dict[str, str]
_REPLACEMENTS: _ReplaceWith = {"strip": "", "replace": "\N{REPLACEMENT CHARACTER}"}
_JSON_REPLACEMENTS: _ReplaceWith = {"strip": r"\1\2", "replace": r"\1\2\\ufffd"}


class Loader:
    """Turns source batches into batches of the wire's types.

    Args:
        slots: what is written.
        keys: columns that must not be NULL and, for a merge, not come twice.
        named_by: columns that name a row in messages; the keys, or the table's own.
        on_nul: ``error``, ``strip`` or ``replace``.
        coercions: where opt-in changes are counted.
    """

    def __init__(
        self, slots: Sequence[Slot], keys: Sequence[str], named_by: Sequence[str], on_nul: str, coercions: Coercions
    ) -> None:
        self._slots = slots
        self._named_by = [slot for slot in slots if slot.name in named_by]
        self._keys = [position for position, slot in enumerate(slots) if slot.name in keys]
        self._on_nul = on_nul
        self._coercions = coercions
        self._order = KeyOrder() if self._keys else None
        self._case_insensitive = any(slots[position].column.case_insensitive for position in self._keys)
        self.rows = 0
        self.schema = pa.schema([pa.field(slot.name, slot.conversion.storage) for slot in slots])

    @property
    def may_repeat_keys(self) -> bool:
        """False when the keys rose strictly, so that none can have come twice."""
        return self._order is not None and (self._case_insensitive or not self._order.rising)

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch for the wire. Raises RunError naming column and row for a value that cannot go."""
        columns = []
        for slot in self._slots:
            array = self._converted(slot, batch)
            if slot.conversion.text:
                array = self._without_nul(slot, array, batch)
            if slot.conversion.zone:
                self._coercions.add("on_time_zone", len(array) - array.null_count)
            columns.append(array)
        self._watch_keys(columns)
        self.rows += batch.num_rows
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    # -- values ----------------------------------------------------------------------------------------
    def _converted(self, slot: Slot, batch: pa.RecordBatch) -> pa.Array:
        array = batch.column(slot.index)
        try:
            return slot.conversion.apply(array)
        except ValueError as error:
            row, error = _first_failure(slot.conversion.apply, array, error)
            raise RunError(
                f'column "{slot.name}" ({slot.column.type}) cannot hold a value unchanged: {error}; '
                + self._row(batch, row),
                code="OSI-R102",
                hint="widen the column, or change the value in a transform",
            ) from error

    def _without_nul(self, slot: Slot, array: pa.Array, batch: pa.RecordBatch) -> pa.Array:
        bad = None
        if _has_zero_byte(array):
            bad = pc.match_substring(array, "\0")
            array = self._mend_nul(
                slot, array, bad, batch, lambda a, new: pc.replace_substring(a, "\0", new), _REPLACEMENTS
            )
        if slot.column.base == "jsonb" and _has_escaped_zero(array):
            bad = pc.match_substring_regex(array, _JSON_NUL)
            array = self._mend_nul(slot, array, bad, batch, _replace_json_nul, _JSON_REPLACEMENTS)
        return array

    def _mend_nul(
        self,
        slot: Slot,
        array: pa.Array,
        bad: pa.Array,
        batch: pa.RecordBatch,
        replace: Callable[[pa.Array, str], pa.Array],
        texts: _ReplaceWith,
    ) -> pa.Array:
        count = pc.sum(bad).as_py() or 0
        if not count:
            return array
        if self._on_nul == "error":
            row = pc.index(bad, True).as_py()
            raise RunError(
                f'column "{slot.name}" has {count} value(s) with U+0000, which PostgreSQL cannot hold; '
                + self._row(batch, row),
                code="OSI-R120",
                hint="set on_nul: strip or replace; both are counted",
            )
        self._coercions.add("on_nul", count)
        return replace(array, texts[self._on_nul])

    # -- keys ------------------------------------------------------------------------------------------
    def _watch_keys(self, columns: Sequence[pa.Array]) -> None:
        for position in self._keys:
            nulls = columns[position].null_count
            if nulls:
                row = self.rows + pc.index(columns[position].is_null(), True).as_py() + 1
                raise RunError(
                    f'merge key "{self._slots[position].name}" is NULL in {nulls} row(s), first in row {row}',
                    code="OSI-R108",
                    hint="filter those rows out, or choose keys that are never NULL",
                )
        if self._order is not None:
            self._order.see([columns[position] for position in self._keys])

    def _row(self, batch: pa.RecordBatch, row: int) -> str:
        """A row's name in a message: its key when it has one, else its place in the stream."""
        if not self._named_by:
            return f"row {self.rows + row + 1} of the source"
        parts = (f"{slot.name}={batch.column(slot.index)[row].as_py()!r}" for slot in self._named_by)
        return f"first at {', '.join(parts)}"


class KeyOrder:
    """Watches whether keys rise strictly from row to row, as those of a source read in key order do."""

    def __init__(self) -> None:
        self.rising = True
        self._last: list[Any] | None = None

    def see(self, columns: Sequence[pa.Array]) -> None:
        """The keys of the next batch, none NULL."""
        if not self.rising or not len(columns[0]):
            return
        try:
            self.rising = self._rises([self._with_last(i, column) for i, column in enumerate(columns)])
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # a type without an order
            self.rising = False
        self._last = [column[-1] for column in columns]

    def _with_last(self, index: int, column: pa.Array) -> pa.Array:
        if self._last is None:
            return column
        return pa.concat_arrays([pa.array([self._last[index].as_py()], column.type), column])

    @staticmethod
    def _rises(columns: Sequence[pa.Array]) -> bool:
        """Whether each row is greater than the one before, column by column."""
        count = len(columns[0]) - 1
        if count < 1:
            return True
        greater: Any = None
        equal: Any = None
        for column in columns:
            before, after = column.slice(0, count), column.slice(1)
            more = pc.greater(after, before)
            greater = more if greater is None else pc.or_(greater, pc.and_(equal, more))
            same = pc.equal(after, before)
            equal = same if equal is None else pc.and_(equal, same)
        return bool(pc.all(greater).as_py())


def _has_zero_byte(array: pa.Array) -> bool:
    """Whether any text of the array holds a NUL, from its bytes."""
    return not np.frombuffer(_text_bytes(array), np.uint8).all()


def _has_escaped_zero(array: pa.Array) -> bool:
    """Whether the array's bytes may hold an escaped U+0000; most JSON has no backslash at all."""
    text = bytes(_text_bytes(array))
    return b"\\" in text and b"\\u0000" in text


def _text_bytes(array: pa.Array) -> memoryview:
    """The bytes of all texts of the array, one behind the other."""
    data = array.buffers()[2]
    if data is None or not len(array):
        return memoryview(b"")
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    offsets = np.frombuffer(array.buffers()[1], width, len(array) + 1, array.offset * np.dtype(width).itemsize)
    return memoryview(data)[int(offsets[0]) : int(offsets[-1])]


def _replace_json_nul(array: pa.Array, pattern: str) -> pa.Array:
    # Twice: two escapes in a row share the character between them, which one pass cannot see twice.
    once = pc.replace_substring_regex(array, _JSON_NUL, pattern)
    return pc.replace_substring_regex(once, _JSON_NUL, pattern)


def _first_failure(apply: Callable[[pa.Array], pa.Array], array: pa.Array, error: ValueError) -> tuple[int, ValueError]:
    """Index and error of the first value that ``apply`` refuses, by halving."""
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            apply(array.slice(low, middle - low))
        except ValueError as first_half:
            high, error = middle, first_half
        else:
            low = middle
    try:
        apply(array.slice(low, 1))
    except ValueError as only:
        error = only
    return low, error
