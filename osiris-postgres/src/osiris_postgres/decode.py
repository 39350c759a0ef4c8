"""Binary COPY to Arrow, column by column with numpy: no Python object per value.

A chunk is many rows joined. Each row is a count of fields, then per field its length (-1 is NULL) and its bytes, so
the place of a field is known for all rows at once as soon as those of the fields before it are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_postgres.types import ReadColumn

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES = len(_SIGNATURE) + 8
_TRAILER = b"\xff\xff"
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_Values = Any  # numpy arrays; numpy's own generics say nothing here


def chunks(messages: Iterable[Any], max_bytes: int) -> Iterator[list[bytes]]:
    """Group the rows of a binary COPY (one message each) into lists of about ``max_bytes``."""
    rows: list[bytes] = []
    size = 0
    first = True
    for message in messages:
        row = bytes(message)
        if first:
            first = False
            row = _without_header(row)
            if not row:
                continue
        if row == _TRAILER:
            continue  # the last message; the client library still waits for the end of the command
        rows.append(row)
        size += len(row)
        if size >= max_bytes:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _without_header(message: bytes) -> bytes:
    if not message.startswith(_SIGNATURE):
        raise RunError("the server sent something that is not a binary COPY", code="OSI-X001")
    return message[_HEADER_BYTES:]


class Decoder:
    """Rows of binary COPY to record batches of ``schema``."""

    def __init__(self, columns: Sequence[ReadColumn], schema: pa.Schema) -> None:
        self._columns = columns
        self.schema = schema

    def decode(self, rows: Sequence[bytes]) -> pa.RecordBatch:
        """One batch. Raises RunError naming the column for a value Arrow cannot hold (``infinity``)."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        # Eight spare bytes at the end let a fixed-width gather read past the last field.
        chunk = np.frombuffer(b"".join([*rows, bytes(16)]), np.uint8)
        place = np.cumsum(lengths) - lengths + 2
        arrays = []
        for column in self._columns:
            sizes = _gather(chunk, place, 4).view(">i4").ravel().astype(np.int64)
            field = _Field(chunk, place + 4, sizes)
            arrays.append(_decode(column, field))
            place = place + 4 + np.maximum(sizes, 0)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


class _Field:
    """One field of every row of a chunk: where it starts and how long it is."""

    def __init__(self, chunk: _Values, starts: _Values, sizes: _Values) -> None:
        self.chunk = chunk
        self.starts = starts
        self.sizes = sizes
        self.null = sizes < 0

    def fixed(self, form: str) -> _Values:
        """Values of a fixed-width big-endian type; zero where NULL."""
        kind = np.dtype(form)
        has_null = self.null.any()
        raw = _gather(self.chunk, np.where(self.null, 0, self.starts) if has_null else self.starts, kind.itemsize)
        if has_null:
            raw[self.null] = 0
        return raw.view(kind).ravel().astype(kind.newbyteorder("="))

    def array(self, values: _Values, storage: pa.DataType) -> pa.Array:
        """An Arrow array of native values with this field's NULLs."""
        mask = self.null if self.null.any() else None
        return pa.array(values, type=storage, mask=mask)

    def bytes(self) -> pa.Array:
        """The raw bytes as an Arrow binary array."""
        ends = self.starts + np.maximum(self.sizes, 0)
        offsets = np.empty(2 * len(ends), np.int32)
        offsets[0::2], offsets[1::2] = self.starts, ends
        # Field, gap, field, gap …: one array over the whole chunk, of which every second value is wanted.
        whole = pa.Array.from_buffers(
            pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(self.chunk)]
        )
        wanted = pa.array(np.arange(0, len(offsets), 2), mask=self.null if self.null.any() else None)
        return whole.take(wanted)


def _gather(chunk: _Values, starts: _Values, width: int) -> _Values:
    """``width`` bytes from each start, one row each."""
    return chunk[starts[:, None] + np.arange(width)]


def _decode(column: ReadColumn, field: _Field) -> pa.Array:
    try:
        return _DECODERS[column.wire](field, column.field.type)
    except (pa.ArrowInvalid, ValueError) as error:
        raise RunError(
            f'column "{column.field.name}" has a value that {column.field.type} cannot hold: {error}',
            code="OSI-R102",
            hint="leave the rows out with where, or cast the column in a query",
        ) from error


def _number(form: str) -> Callable[[_Field, pa.DataType], pa.Array]:
    return lambda field, storage: field.array(field.fixed(form), storage)


def _bool(field: _Field, storage: pa.DataType) -> pa.Array:
    return field.array(field.fixed("u1").astype(bool), storage)


def _date(field: _Field, storage: pa.DataType) -> pa.Array:
    days = field.fixed(">i4")
    _refuse_infinity(days, field)
    return field.array(days + np.int32(_EPOCH_DAYS), pa.int32()).cast(storage)


def _timestamp(field: _Field, storage: pa.DataType) -> pa.Array:
    microseconds = field.fixed(">i8")
    _refuse_infinity(microseconds, field)
    latest = np.iinfo(np.int64).max - _EPOCH_MICROSECONDS
    if microseconds.size and int(microseconds.max()) > latest:
        raise ValueError("a time after the year 294246")
    return field.array(microseconds + _EPOCH_MICROSECONDS, pa.int64()).cast(storage)


def _refuse_infinity(values: _Values, field: _Field) -> None:
    limits = np.iinfo(values.dtype)
    if np.any(((values == limits.max) | (values == limits.min)) & ~field.null):
        raise ValueError("infinity")


def _time(field: _Field, storage: pa.DataType) -> pa.Array:
    microseconds = field.fixed(">i8")
    if np.any(microseconds == 86_400_000_000):
        raise ValueError("24:00:00")
    return field.array(microseconds, pa.int64()).cast(storage)


def _interval(field: _Field, storage: pa.DataType) -> pa.Array:
    """Arrow's (months, days, nanoseconds), refused where nanoseconds would overflow."""
    parts = field.fixed("V16").view([("u", ">i8"), ("d", ">i4"), ("m", ">i4")])
    microseconds = parts["u"].astype(np.int64)
    if np.any(np.abs(microseconds) > np.iinfo(np.int64).max // 1000):
        raise ValueError("an interval of more than 292 years in its time part")
    values = np.zeros(len(parts), [("m", "<i4"), ("d", "<i4"), ("n", "<i8")])
    values["m"], values["d"], values["n"] = parts["m"], parts["d"], microseconds * 1000
    valid = None if not field.null.any() else pa.array(~field.null).buffers()[1]
    return pa.Array.from_buffers(storage, len(values), [valid, pa.py_buffer(values)])


def _bytes(field: _Field, storage: pa.DataType) -> pa.Array:
    return field.bytes().cast(storage)


def _text(field: _Field, storage: pa.DataType) -> pa.Array:
    return field.bytes().cast(pa.string()).cast(storage)


def _decimal(field: _Field, storage: pa.DataType) -> pa.Array:
    text = field.bytes().cast(pa.string())
    special = pc.match_substring_regex(text, "^(NaN|-?Infinity)$")
    if pc.any(special).as_py():
        raise ValueError(pc.filter(text, special)[0].as_py())
    return text.cast(storage)


_DECODERS: dict[str, Callable[[_Field, pa.DataType], pa.Array]] = {
    "bool": _bool,
    "int2": _number(">i2"),
    "int4": _number(">i4"),
    "int8": _number(">i8"),
    "float4": _number(">f4"),
    "float8": _number(">f8"),
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "interval": _interval,
    "bytes": _bytes,
    "text": _text,
    "decimal": _decimal,
}
