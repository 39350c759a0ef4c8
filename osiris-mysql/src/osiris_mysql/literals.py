"""Arrow columns as SQL literals, a whole batch at a time, and INSERT statements of bounded length.

Everything but whole numbers goes as a quoted string, which MySQL converts exactly: an unquoted 0.1 is a
DECIMAL and 1E-7 a DOUBLE, whatever column it is meant for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_core.data import osiris_type
from osiris_mysql.typemap import MySQLType

_SPECIAL = re.compile(rb"[\\'\0]")
_MICROS = 1_000_000


def literals(array: pa.Array, field: pa.Field, target: MySQLType) -> pa.Array:
    """``array`` as binary literals for a column of type ``target``; NULL stays null.

    The array has one of the Arrow types that ``fitting.fit`` accepted for ``target``.
    """
    kind = array.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return text(array).cast(pa.binary())
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        quoted = _quoted(array.cast(pa.binary()), b"_binary'")
        return _joined(b"ST_GeomFromWKB(", quoted, b")") if target.kind == "wkb" else quoted
    if osiris_type(field) == "bit" and target.kind in ("bit", "bool"):
        return _joined(b"b'", array.cast(pa.binary()), b"'")
    return _quoted(text(array).cast(pa.binary()), b"'")


def text(array: pa.Array) -> pa.Array:
    """Values as text that MySQL reads back exactly; of any type but bytes, bits and geometries."""
    kind = array.type
    if pa.types.is_boolean(kind):
        return array.cast(pa.int8()).cast(pa.string())
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz)).cast(pa.timestamp("us")).cast(pa.string())
    if pa.types.is_duration(kind):
        return _spans(array.cast(pa.duration("us")).cast(pa.int64()))
    if pa.types.is_time(kind):
        return array.cast(pa.time64("us")).cast(pa.string())
    if pa.types.is_floating(kind):
        # By way of double: the shortest text of a float may lie beyond the float itself.
        return array.cast(pa.float64()).cast(pa.string())
    return array.cast(pa.string())


def _spans(micros: pa.Array) -> pa.Array:
    """Signed microseconds as ``-838:59:59.000000``."""
    whole = pc.abs_checked(micros)
    seconds = pc.divide(whole, _MICROS)
    parts = [
        pc.if_else(pc.less(micros, 0), "-", ""),
        _digits(pc.divide(seconds, 3600), 2),
        ":",
        _digits(_modulo(pc.divide(seconds, 60), 60), 2),
        ":",
        _digits(_modulo(seconds, 60), 2),
        ".",
        _digits(_modulo(whole, _MICROS), 6),
        "",
    ]
    return pc.binary_join_element_wise(*parts)


def _modulo(values: pa.Array, divisor: int) -> pa.Array:
    return pc.subtract(values, pc.multiply(pc.divide(values, divisor), divisor))


def _digits(values: pa.Array, width: int) -> pa.Array:
    return pc.utf8_lpad(values.cast(pa.string()), width, "0")


def _quoted(array: pa.Array, opening: bytes) -> pa.Array:
    data = array.buffers()[2]
    if data is not None and _SPECIAL.search(memoryview(data)):
        for char, escaped in ((b"\\", rb"\\"), (b"'", rb"\'"), (b"\0", rb"\0")):
            array = pc.replace_substring(array, char, escaped)
    return _joined(opening, array, b"'")


def _joined(before: bytes, array: pa.Array, after: bytes) -> pa.Array:
    return pc.binary_join_element_wise(scalar(before), array, scalar(after), scalar(b""))


def scalar(value: bytes) -> pa.Scalar:
    """Bytes for Arrow's kernels."""
    return pa.scalar(value, pa.binary())


def inserts(head: bytes, columns: Sequence[pa.Array], size: int, longest: int) -> Iterator[bytes]:
    """INSERT statements that together hold every row.

    Args:
        head: ``INSERT INTO t (a, b) VALUES``.
        columns: literals, one array for each column, equally long.
        size: bytes that a statement should have; a longer row comes alone.
        longest: bytes that the server accepts.

    Raises RunError (OSI-R025) for a row that is too long for the server.
    """
    rows = pc.binary_join_element_wise(*[column.fill_null(scalar(b"NULL")) for column in columns], scalar(b","))
    rows = _joined(b"(", rows, b")")
    for start, stop in _slices(pc.binary_length(rows).to_numpy(), size - len(head), longest - len(head)):
        piece: Any = rows.slice(start, stop - start)
        values = pa.ListArray.from_arrays(pa.array([0, stop - start], pa.int32()), piece)
        yield head + pc.binary_join(values, scalar(b","))[0].as_py()


def _slices(lengths: Any, size: int, longest: int) -> Iterator[tuple[int, int]]:
    """Row ranges whose texts, with a comma each, have ``size`` bytes, or are one row."""
    import numpy as np

    if len(lengths) and int(lengths.max()) > longest:
        raise RunError(
            f"a row takes {int(lengths.max())} bytes as SQL, the server accepts {longest}",
            code="OSI-R025",
            hint="raise max_allowed_packet on the server above the largest row",
        )
    ends = np.cumsum(lengths.astype(np.int64) + 1)
    start, before = 0, 0
    while start < len(lengths):
        stop = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
        yield start, stop
        start, before = stop, int(ends[stop - 1])
