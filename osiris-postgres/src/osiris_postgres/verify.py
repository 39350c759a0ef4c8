"""``verify: checksum``: what arrived is what was sent, and what the table holds is what arrived, value by value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import ReconciliationError
from osiris_postgres import merge
from osiris_postgres.apply import Plan
from osiris_postgres.decode import Decoder, chunks
from osiris_postgres.names import quote
from osiris_postgres.target import Slot
from osiris_postgres.types import ReadColumn, Wire

if TYPE_CHECKING:
    import psycopg

_WIRES: dict[str, Wire] = {
    "bool": "bool",
    "int2": "int2",
    "int4": "int4",
    "int8": "int8",
    "float4": "float4",
    "float8": "float8",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
}
_READ_BACK_BYTES = 2 * 1024 * 1024
_RAW = frozenset({"uuid", "bit", "varbit", "interval", "bytea"})
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_POLYNOMIAL = 0x100000001B3


class Verification:
    """Sums a hash of each row on its way out; compares it with the staging table, and that with the target."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sent = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """A batch as it was sent."""
        self._sent += _digest(self._plan, batch.columns)

    def check_staged(self, connection: psycopg.Connection[Any]) -> None:
        """Raise ReconciliationError unless the staging table holds exactly the rows that were sent."""
        columns = [_read_back(slot) for slot in self._plan.slots]
        schema = pa.schema([column.field for column in columns])
        selected = ", ".join(
            quote(slot.name) + ("::text" if column.as_text else "")
            for slot, column in zip(self._plan.slots, columns, strict=True)
        )
        decoder, found = Decoder(columns, schema), 0
        statement = f"COPY (SELECT {selected} FROM {quote(self._plan.staging)}) TO STDOUT (FORMAT binary)"
        with connection.cursor().copy(statement) as copy:
            for rows in chunks(copy, _READ_BACK_BYTES):
                found += _digest(self._plan, decoder.decode(rows).columns)
        if (found - self._sent) % 2**64:
            raise ReconciliationError(
                f"what arrived in the staging table of {self._plan.target} is not what was sent; nothing was written"
            )

    def check_target(self, connection: psycopg.Connection[Any]) -> None:
        """Raise ReconciliationError naming the first keys whose rows differ between staging table and target."""
        sql = _differing_by_key(self._plan) if self._plan.keys else _differing_rows(self._plan)
        found = [row[0] for row in connection.execute(sql).fetchall()]
        if found:
            raise ReconciliationError(
                f"rows of {self._plan.target} are not what was written, first {'; '.join(found)}; nothing was written",
                hint="a trigger of the table may change values; verify: count does not compare them",
            )


def _differing_by_key(plan: Plan) -> str:
    staged = ", ".join(slot.compared_staged("s.") for slot in plan.slots)
    held = ", ".join(slot.compared("t.") for slot in plan.slots)
    return (
        f"SELECT {merge.shown_key('s.', plan.keys)} FROM {quote(plan.staging)} s JOIN {plan.target} t "
        f"ON {merge.same_key(plan.slots, plan.keys)} WHERE ROW({staged}) IS DISTINCT FROM ROW({held}) LIMIT 3"
    )


def _differing_rows(plan: Plan) -> str:
    """Staged rows that the target lacks. After an append only rows of this very transaction count."""
    staged = ", ".join(f"{slot.compared_staged('s.')} AS {quote(slot.name)}" for slot in plan.slots)
    held = ", ".join(slot.compared("t.") for slot in plan.slots)
    own = "" if plan.mode == "replace" else " WHERE t.xmin::text::int8 = txid_current() % 4294967296"
    shown = merge.shown_key("missing.", plan.named_by or [slot.name for slot in plan.slots[:3]])
    return (
        f"SELECT {shown} FROM (SELECT {staged} FROM {quote(plan.staging)} s "
        f"EXCEPT ALL SELECT {held} FROM {plan.target} t{own}) missing LIMIT 3"
    )


# -- reading back ------------------------------------------------------------------------------------------
def _read_back(slot: Slot) -> ReadColumn:
    """How a staged column is read so that it has the very type it was sent in."""
    base, storage = slot.column.base, slot.conversion.storage
    arrow = pa.field(slot.name, storage)
    if slot.conversion.cast:
        return ReadColumn(arrow, "text", False)
    if base in _WIRES:
        return ReadColumn(arrow, _WIRES[base], False)
    if base == "numeric":
        as_text = pa.types.is_decimal(storage)
        return ReadColumn(arrow, "decimal" if as_text else "bytes", as_text)
    if base in _RAW:
        return ReadColumn(arrow, "bytes", False)
    return ReadColumn(arrow, "text", True)


# -- hashing -----------------------------------------------------------------------------------------------
def _digest(plan: Plan, columns: list[pa.Array]) -> int:
    """The sum of the rows' hashes: equal for equal rows in any order."""
    total = np.zeros(len(columns[0]), np.uint64)
    for position, (slot, array) in enumerate(zip(plan.slots, columns, strict=True)):
        total = _mix(total * _PRIME + _hash(_canonical(slot, array)) + np.uint64(position))
    return int(np.sum(total, dtype=np.uint64))


def _canonical(slot: Slot, array: pa.Array) -> pa.Array:
    """Without what a column is free to change: padding, the order of JSON keys, digits that say nothing."""
    base = slot.column.base
    if slot.conversion.cast:
        return array
    if base == "bpchar":
        return pc.utf8_rtrim(array, " ")
    if base == "jsonb":
        return pa.array([None if text is None else _canonical_json(text) for text in array.to_pylist()], pa.string())
    if base == "numeric" and not pa.types.is_decimal(array.type):
        return pa.array([None if raw is None else raw[:6] + raw[8:] for raw in array.to_pylist()], pa.binary())
    return array


def _canonical_json(text: str) -> str:
    value = json.loads(text, parse_float=_number, parse_int=_number)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> str:
    return f"n{Decimal(text).normalize()}"


def _hash(array: pa.Array) -> Any:
    """A hash of each value; NULL has one of its own."""
    if pa.types.is_binary(array.type) or pa.types.is_string(array.type):
        values = _hash_bytes(array.cast(pa.binary()).cast(pa.large_binary()))
    elif pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type):
        values = _hash_bytes(array.cast(pa.large_binary()))
    else:
        values = _hash_fixed(array)
    if array.null_count:
        values = np.where(array.is_null().to_numpy(zero_copy_only=False), _PRIME, values)
    return _mix(values)


def _hash_fixed(array: pa.Array) -> Any:
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    width = array.type.bit_width // 8
    data = np.frombuffer(array.buffers()[1], np.uint8)[array.offset * width : (array.offset + len(array)) * width]
    rows = data.reshape(len(array), width)
    if array.null_count:  # what lies under a NULL is anything
        rows = np.where(array.is_null().to_numpy(zero_copy_only=False)[:, None], np.uint8(0), rows)
    total = np.zeros(len(array), np.uint64)
    for column in np.ascontiguousarray(rows).view(f"u{min(width, 8)}").T:
        total = _mix(total + column.astype(np.uint64))
    return total


def _hash_bytes(array: pa.Array) -> Any:
    """A polynomial over the bytes of each value, and its length."""
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, array.offset * 8)
    sizes = np.diff(offsets)
    out = sizes.astype(np.uint64)
    filled = np.flatnonzero(sizes)
    if not len(filled):
        return out
    data = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64) + np.uint64(1)
    starts = (offsets[:-1] - offsets[0])[filled]
    places = np.arange(len(data)) - np.repeat(starts, sizes[filled])
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(int(sizes.max()), _POLYNOMIAL, np.uint64))
        out[filled] += np.add.reduceat(data * powers[places], starts)
    return out


def _mix(values: Any) -> Any:
    """splitmix64's last steps: every bit of the value reaches every bit of the hash."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_A
    values = (values ^ (values >> np.uint64(27))) * _MIX_B
    return values ^ (values >> np.uint64(31))
