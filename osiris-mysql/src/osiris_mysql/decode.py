"""MySQL's text protocol, decoded a column at a time: numpy finds the values, Arrow's kernels parse them.

In a row every value is its length and its bytes, one column after the other. For one column of many rows the
starts and ends therefore ascend, so they are the offsets of an Arrow array laid over the network buffer, in
which every second element is a value. Of text and bytes ``take`` makes a copy; anything else ``cast`` parses where
it lies, the elements between the values being NULL to it. No byte passes through a Python object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from osiris_core import RunError
from osiris_mysql.columns import ReadColumn, schema_of
from osiris_mysql.dates import InvalidDates
from osiris_mysql.packets import Bytes, Positions, Rows
from osiris_mysql.typemap import MySQLType
from osiris_mysql.values import Values, locate, unlike_rows

#: Eight bits of which every second is set, the first one first.
_EVERY_SECOND = 0b01010101
#: Doubles hold whole numbers of 15 digits exactly, and k / 10**s * 10**s rounds back to k.
_DOUBLE_DIGITS = 15
#: Microseconds of 0001-01-01: a year 0000 is a partial date, though Arrow would parse it.
_FIRST_MICROSECOND = -62_135_596_800_000_000
_FIRST_DAY = -719_162


class Decoder:
    """Makes record batches of row packets. Dates that do not exist become NULL and are told to ``dates``."""

    def __init__(self, columns: list[ReadColumn], dates: InvalidDates, schema: pa.Schema | None = None) -> None:
        self._columns = columns
        self._schema = schema_of(columns) if schema is None else schema
        self._dates = dates

    def decode(self, rows: Rows) -> pa.RecordBatch:
        """One record batch.

        Raises RunError (OSI-R113): bytes are not what the type of the column says, or a row's lengths do not add up.
        """
        arrays = []
        invalid: dict[int, list[int]] = {}
        position = rows.starts
        for index, column in enumerate(self._columns):
            values = locate(rows.memory, position, rows.ends)
            position = values.end
            try:
                arrays.append(_DECODERS[column.type.kind](values, column.type))
            except pa.ArrowInvalid as error:
                array, bad = _with_invalid_dates(values, column, error)
                arrays.append(array)
                invalid[index] = bad
            except IndexError as error:  # too short for a value of its type
                raise _unlike_type(column) from error
        if not np.array_equal(position, rows.ends):
            raise unlike_rows()
        return self._dates.check(pa.RecordBatch.from_arrays(arrays, schema=self._schema), invalid)


def _laid_over(values: Values, storage: pa.DataType, valid: NDArray[np.uint8] | None = None) -> pa.Array:
    """The memory as an array: its elements 0, 2, 4 and so on are the values, the others what lies between two."""
    count = len(values.start)
    offsets = np.empty(2 * count, np.int32)
    offsets[0::2] = values.start
    offsets[1::2] = values.end
    buffers = [None if valid is None else pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(values.memory)]
    return pa.Array.from_buffers(storage, max(0, 2 * count - 1), buffers)


def _take(values: Values, storage: pa.DataType) -> pa.Array:
    """The values copied out as text or bytes."""
    places = np.arange(0, 2 * len(values.start), 2, dtype=np.int32)
    return _laid_over(values, storage).take(_fixed(values, pa.int32(), places))


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


# -- decoders, by kind ------------------------------------------------------------------------------------
def _cast(values: Values, kind: MySQLType) -> pa.Array:
    return _fixed(values, kind.storage(), _parsed(values, kind.storage()))


def _text(values: Values, kind: MySQLType) -> pa.Array:
    return _take(values, pa.binary()).cast(pa.string())  # the cast checks that it is UTF-8


def _binary(values: Values, kind: MySQLType) -> pa.Array:
    return _take(values, pa.binary())


def _decimal(values: Values, kind: MySQLType) -> pa.Array:
    if kind.size > _DOUBLE_DIGITS:
        return _cast(values, kind)
    doubles = _parsed(values, pa.float64()).view(np.float64)
    if values.null is not None:
        doubles[values.null] = 0.0
    wholes = np.empty((len(doubles), 2), np.int64)  # little-endian 128 bits: the low half, then the sign
    wholes[:, 0] = np.rint(doubles * 10.0**kind.scale)
    wholes[:, 1] = wholes[:, 0] >> 63
    return _fixed(values, kind.storage(), wholes)


def _date(values: Values, kind: MySQLType) -> pa.Array:
    return _no_year_zero(_cast(values, kind), pa.int32(), _FIRST_DAY)


def _timestamp(values: Values, kind: MySQLType) -> pa.Array:
    parsed = _fixed(values, kind.storage(), _parsed(values, pa.timestamp("us")))
    return _no_year_zero(parsed, pa.int64(), _FIRST_MICROSECOND)


def _no_year_zero(array: pa.Array, number: pa.DataType, first: int) -> pa.Array:
    least = pc.min(array.view(number)).as_py()
    if least is not None and least < first:
        raise pa.ArrowInvalid("a year 0000")
    return array


def _time(values: Values, kind: MySQLType) -> pa.Array:
    """``-838:59:59.000000`` as microseconds; everything but the hours has a fixed distance from the end."""
    text = values.memory
    _refuse_shorter(values, len("00:00:00"))
    # A NULL may lie at the memory's end; its place is computed with, and then masked, like any other.
    first, end = (np.where(values.mask, 0, edge) for edge in (values.start, values.end))
    fraction = _fraction_length(text, end)
    end = end - np.where(fraction > 0, fraction + 1, 0)
    negative = text[first] == ord("-")
    hours = np.zeros(len(first), np.int64)
    for back in (9, 8, 7):  # up to three digits before :MM:SS
        hours = np.where(end - back >= first + negative, hours * 10 + _digit(text, end - back), hours)
    minutes = _digit(text, end - 5) * 10 + _digit(text, end - 4)
    seconds = _digit(text, end - 2) * 10 + _digit(text, end - 1)
    micros = np.zeros(len(first), np.int64)
    for place in range(int(fraction.max(initial=0))):
        digit = _digit(text, np.minimum(end + 1 + place, len(text) - 1))
        micros += np.where(place < fraction, digit, 0) * 10 ** (5 - place)
    whole = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros
    return _fixed(values, pa.duration("us"), np.where(negative, -whole, whole))


def _refuse_shorter(values: Values, least: int) -> None:
    """Raise IndexError for a value of fewer bytes, whose place would be computed with."""
    if ((values.end - values.start < least) & ~values.mask).any():
        raise IndexError("a value is too short for its type")


def _fraction_length(text: Bytes, end: Positions) -> Positions:
    """Digits after the decimal point of a time that ends at ``end``, 0 without one."""
    length = np.zeros(len(end), np.int32)
    for digits in range(1, 7):
        length[text[end - 1 - digits] == ord(".")] = digits
    return length


def _digit(text: Bytes, at: Positions) -> NDArray[np.int64]:
    return text[at].astype(np.int64) - ord("0")


def _bool(values: Values, kind: MySQLType) -> pa.Array:
    last = values.memory[np.maximum(values.end - 1, 0)]
    return pa.array(last != 0, mask=values.null)


def _bit(values: Values, kind: MySQLType) -> pa.Array:
    """Big-endian bytes as a string of as many digits as the column has bits."""
    width, count = (kind.size + 7) // 8, len(values.start)
    _refuse_shorter(values, width)
    start = np.where(values.mask, 0, values.start)
    raw = values.memory[start[:, None] + np.arange(width)]
    digits = (np.unpackbits(raw, axis=1)[:, 8 * width - kind.size :] + ord("0")).astype(np.uint8)
    offsets = np.arange(count + 1, dtype=np.int32) * kind.size
    text = pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(digits))]
    )
    return text if values.null is None else pc.if_else(pa.array(values.null), pa.scalar(None, pa.string()), text)


def _fixed(values: Values, storage: pa.DataType, numbers: NDArray[Any]) -> pa.Array:
    """An array over fixed-width ``numbers`` with the NULLs of ``values``."""
    valid = None
    if values.null is not None:
        valid = pa.py_buffer(np.packbits(~values.null, bitorder="little"))
    return pa.Array.from_buffers(storage, len(values.start), [valid, pa.py_buffer(numbers)])


_DECODERS: dict[str, Callable[[Values, MySQLType], pa.Array]] = {
    "int": _cast,
    "float": _cast,
    "decimal": _decimal,
    "date": _date,
    "time": _time,
    "datetime": _timestamp,
    "timestamp": _timestamp,
    "bool": _bool,
    "bit": _bit,
    "text": _text,
    "binary": _binary,
    "wkb": _binary,
}


def _with_invalid_dates(values: Values, column: ReadColumn, error: pa.ArrowInvalid) -> tuple[pa.Array, list[int]]:
    """Value by value what the kernel refused as a whole: dates that do not exist, or bytes of another type."""
    from osiris_mysql.plain import convert

    texts = _take(values, pa.binary()).to_pylist()
    try:
        array, bad = convert(texts, column.type)
    except (ValueError, ArithmeticError) as wrong:
        raise _unlike_type(column) from wrong
    if not bad:  # Python reads more as a number than Arrow does
        raise _unlike_type(column) from error
    return array, bad


def _unlike_type(column: ReadColumn) -> RunError:
    return RunError(
        f"column {column.name}: the server sent what is no {column.type.source}",
        code="OSI-R113",
        hint="cast the column in query; if it is plain data of that type, report it",
    )
