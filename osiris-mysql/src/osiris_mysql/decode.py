"""MySQL's binary protocol, decoded a column at a time: numpy finds and reads the values, Arrow parses the decimals.

In a row the values come one column after the other, texts with their length before them. For one column of many rows
the starts and ends therefore ascend, so they are the offsets of an Arrow array laid over the network buffer, in
which every second element is a value. Of text and bytes ``take`` makes a copy; decimals, which come as text, ``cast``
parses where they lie, the elements between the values being NULL to it. No byte passes through a Python object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from osiris_core import DriftError
from osiris_mysql.columns import ReadColumn, schema_of
from osiris_mysql.dates import InvalidDates
from osiris_mysql.malformed import unlike_rows, unlike_type
from osiris_mysql.moments import Days, read_dates, read_moments, read_spans
from osiris_mysql.packets import Positions, Rows
from osiris_mysql.typemap import MySQLType, Wire
from osiris_mysql.values import Mask, Nulls, Places, Values, measure

#: Eight bits of which every second is set, the first one first.
_EVERY_SECOND = 0b01010101
#: Doubles hold whole numbers of 15 digits exactly, and k / 10**s * 10**s rounds back to k.
_DOUBLE_DIGITS = 15
#: How far k / 10**s * 10**s is from k at most, as a share of it: two roundings, doubled.
_ROUNDING = 2.0**-51


class Decoder:
    """Makes record batches of row packets. Dates that do not exist become NULL and are told to ``dates``.

    Args:
        columns: what the rows shall be.
        wires: how the server sends each column.
        dates: told of dates that do not exist.
        schema: of the batches; when left out, what ``columns`` say.

    Raises DriftError when a column is sent as what its type never is.
    """

    def __init__(
        self, columns: list[ReadColumn], wires: Sequence[Wire], dates: InvalidDates, schema: pa.Schema | None = None
    ) -> None:
        self._columns = list(zip(columns, wires, strict=True))
        #: What a row takes in Arrow at least, though a NULL takes a bit of what was sent.
        self.row_bytes = sum(_least_bytes(column.type) for column in columns)
        self._schema = schema_of(columns) if schema is None else schema
        self._dates = dates
        for column, wire in self._columns:
            if column.type.kind not in _DECODERS[wire.form]:
                raise DriftError(f"column {column.name} is no {column.type.source} any more", hint="run again")

    def decode(self, rows: Rows) -> pa.RecordBatch:
        """One record batch.

        Raises RunError (OSI-R113): bytes are not what the type of the column says, or a row's lengths do not add up.
        """
        arrays = []
        invalid: dict[int, Sequence[int]] = {}
        nulls = Nulls(rows, len(self._columns))
        position = rows.starts + np.int32(1 + nulls.width)
        for index, (column, wire) in enumerate(self._columns):
            places = Places(rows.memory, position, rows.ends, nulls.of(index))
            try:
                array, position, bad = _DECODERS[wire.form][column.type.kind](places, column.type, wire)
            except (ValueError, IndexError) as error:  # ArrowInvalid is a ValueError
                raise unlike_type(column.name, column.type.source) from error
            arrays.append(array)
            if len(bad):
                invalid[index] = bad
        if not np.array_equal(position, rows.ends):
            raise unlike_rows()
        return self._dates.check(pa.RecordBatch.from_arrays(arrays, schema=self._schema), invalid)


class _Column(NamedTuple):
    """A column's values, where the next column begins, and the rows of dates that do not exist, which are NULL."""

    array: pa.Array
    end: Positions
    invalid: Sequence[int] = ()


# -- of a fixed width --------------------------------------------------------------------------------------
def _number(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    layout = np.dtype(wire.layout)
    array = _fixed(pa.from_numpy_dtype(layout), places.read(layout), places.null)
    return _Column(array.cast(kind.storage()), places.behind(layout.itemsize))


def _date(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    found = read_dates(places)
    return _dated(kind, found.days.astype(np.int32), found, places.null)


def _timestamp(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    micros, found = read_moments(places)
    return _dated(kind, micros, found, places.null)


def _dated(kind: MySQLType, numbers: NDArray[Any], found: Days, null: Mask | None) -> _Column:
    bad = np.flatnonzero(found.invalid).tolist()
    if bad:
        null = found.invalid if null is None else null | found.invalid
    return _Column(_fixed(kind.storage(), numbers, null), found.end, bad)


def _bool(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    layout = np.dtype(wire.layout)
    return _Column(pa.array(places.read(layout) != 0, mask=places.null), places.behind(layout.itemsize))


def _bit(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    """Numbers as strings of as many binary digits as the column has bits."""
    layout = np.dtype(wire.layout)
    numbers = places.read(layout).astype(np.uint64)
    if places.null is not None:
        numbers[places.null] = 0
    if int(numbers.max(initial=0)).bit_length() > kind.size:
        raise ValueError("more bits")
    bits = np.unpackbits(numbers.byteswap().view(np.uint8)).reshape(-1, 64)[:, 64 - kind.size :]
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * kind.size
    digits = np.ascontiguousarray(bits + np.uint8(ord("0")))
    text = pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])
    if places.null is not None:
        text = pc.if_else(pa.array(places.null), pa.scalar(None, pa.string()), text)
    return _Column(text, places.behind(layout.itemsize))


def _time(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    micros, end = read_spans(places)
    return _Column(_fixed(kind.storage(), micros, places.null), end)


def _least_bytes(kind: MySQLType) -> int:
    storage = kind.storage()
    if pa.types.is_primitive(storage) or pa.types.is_decimal(storage):
        return max(1, int(storage.bit_width) // 8)
    return 4 + (kind.size if kind.kind == "bit" else 0)  # where it begins; and of bits every digit


def _fixed(storage: pa.DataType, numbers: NDArray[Any], null: Mask | None) -> pa.Array:
    """An array over fixed-width ``numbers``."""
    valid = None if null is None else pa.py_buffer(np.packbits(~null, bitorder="little"))
    return pa.Array.from_buffers(storage, len(numbers), [valid, pa.py_buffer(numbers)])


# -- of the length before them -----------------------------------------------------------------------------
def _text(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    values = measure(places)
    return _Column(_take(values).cast(pa.string()), values.end)  # the cast checks that it is UTF-8


def _binary(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    values = measure(places)
    return _Column(_take(values), values.end)


def _decimal(places: Places, kind: MySQLType, wire: Wire) -> _Column:
    values = measure(places)
    _refuse_more_digits(values, kind)
    if kind.size > _DOUBLE_DIGITS:
        return _Column(_fixed(kind.storage(), _parsed(values, kind.storage()), values.null), values.end)
    scaled = _parsed(values, pa.float64()).view(np.float64) * 10.0**kind.scale
    if values.null is not None:
        scaled[values.null] = 0.0
    rounded = np.rint(scaled)
    if not np.abs(rounded).max(initial=0.0) < 10.0**kind.size:  # nor is nan
        raise ValueError("too large")
    if (np.abs(scaled - rounded) > np.abs(scaled) * _ROUNDING).any():
        raise ValueError("more decimals")
    wholes = np.empty((len(scaled), 2), np.int64)  # little-endian 128 bits: the low half, then the sign
    wholes[:, 0] = rounded
    wholes[:, 1] = wholes[:, 0] >> 63
    return _Column(_fixed(kind.storage(), wholes, values.null), values.end)


def _refuse_more_digits(values: Values, kind: MySQLType) -> None:
    """Raise ValueError for more digits than the column has, which Arrow would wrap around.

    Fewer decimals are fine: what MySQL sends of ``IF(a, 1, 2.55)`` is ``1``.
    """
    negative = values.memory.take(values.start, mode="clip") == ord("-")
    digits = values.end - values.start - negative - (kind.scale > 0)
    wrong = digits > max(kind.size, kind.scale + 1)
    if values.null is not None:
        wrong &= ~values.null
    if wrong.any():
        raise ValueError("more digits")


def _laid_over(values: Values, storage: pa.DataType, valid: NDArray[np.uint8] | None = None) -> pa.Array:
    """The memory as an array: its elements 0, 2, 4 and so on are the values, the others what lies between two."""
    count = len(values.start)
    offsets = np.empty(2 * count, np.int32)
    offsets[0::2] = values.start
    offsets[1::2] = values.end
    buffers = [None if valid is None else pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(values.memory)]
    return pa.Array.from_buffers(storage, max(0, 2 * count - 1), buffers)


def _take(values: Values) -> pa.Array:
    """The values copied out as bytes."""
    places = np.arange(0, 2 * len(values.start), 2, dtype=np.int32)
    return _laid_over(values, pa.binary()).take(_fixed(pa.int32(), places, values.null))


def _parsed(values: Values, storage: pa.DataType) -> NDArray[Any]:
    """The values' texts as what Arrow parses them to, in its layout; anything where they are NULL."""
    count = len(values.start)
    if values.null is None:
        valid = np.full((2 * count + 7) // 8, _EVERY_SECOND, np.uint8)
    else:
        shown = np.zeros(2 * count, np.bool_)
        shown[0::2] = ~values.null
        valid = np.packbits(shown, bitorder="little")
    parsed = _laid_over(values, pa.string(), valid).cast(storage)
    return np.frombuffer(parsed.buffers()[1], f"V{storage.bit_width // 8}", len(parsed))[0::2].copy()


#: By the form in which a column is sent, and what it shall be.
_DECODERS: dict[str, dict[str, Callable[[Places, MySQLType, Wire], _Column]]] = {
    "number": {"int": _number, "float": _number, "bool": _bool, "bit": _bit},
    "moment": {"date": _date, "datetime": _timestamp, "timestamp": _timestamp},
    "span": {"time": _time},
    "bytes": {
        "text": _text,
        "binary": _binary,
        "wkb": _binary,
        "decimal": _decimal,
    },
}
