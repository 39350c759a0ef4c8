"""The plain way: PyMySQL's cursor, row by row. Slow, simple, and what the bulk decoder is measured against."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from osiris_mysql.columns import ReadColumn, schema_of
from osiris_mysql.dates import InvalidDates
from osiris_mysql.malformed import unlike_type
from osiris_mysql.typemap import MySQLType

ROWS = 2_000
_EPOCH = date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000
_TIME = re.compile(rb"^(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?$")
_DATE = re.compile(rb"^(\d{4})-(\d\d)-(\d\d)$")


def read_rows(
    rows: Iterator[Sequence[bytes | None]],
    columns: list[ReadColumn],
    dates: InvalidDates,
    max_bytes: int,
    schema: pa.Schema | None = None,
) -> Iterator[pa.RecordBatch]:
    """Record batches from rows of undecoded text values.

    Args:
        rows: as a cursor with ``use_unicode=False`` and no converters gives them.
        columns: one for each value of a row.
        dates: told of every date that does not exist.
        max_bytes: a batch ends when its text is this long.
        schema: of the batches; when left out, what ``columns`` say.
    """
    schema = schema_of(columns) if schema is None else schema
    pending: list[Sequence[bytes | None]] = []
    size = 0
    for row in rows:
        pending.append(row)
        size += sum(len(value) for value in row if value is not None)
        if size >= max_bytes or len(pending) >= ROWS:
            yield _batch(pending, columns, schema, dates)
            pending, size = [], 0
    if pending:
        yield _batch(pending, columns, schema, dates)


def _batch(
    rows: list[Sequence[bytes | None]], columns: list[ReadColumn], schema: pa.Schema, dates: InvalidDates
) -> pa.RecordBatch:
    arrays = []
    invalid: dict[int, list[int]] = {}
    for index, column in enumerate(columns):
        try:
            array, bad = convert([row[index] for row in rows], column.type)
        except (ValueError, ArithmeticError) as error:
            raise unlike_type(column.name, column.type.source) from error
        arrays.append(array)
        if bad:
            invalid[index] = bad
    return dates.check(pa.RecordBatch.from_arrays(arrays, schema=schema), invalid)


def convert(texts: Sequence[bytes | None], kind: MySQLType) -> tuple[pa.Array, list[int]]:
    """An array of the values' texts, and the rows of dates that do not exist, which are NULL in it.

    Raises ValueError for text that is none of the type's.
    """
    one = converter(kind)
    values = [None if text is None else one(text) for text in texts]
    bad = [number for number, value in enumerate(values) if value is INVALID]
    for number in bad:
        values[number] = None
    storage = kind.storage()
    if pa.types.is_timestamp(storage) or pa.types.is_duration(storage):
        return pa.array(values, pa.int64()).cast(storage), bad
    if pa.types.is_date(storage):
        return pa.array(values, pa.int32()).cast(storage), bad
    return pa.array(values, storage), bad


# -- one value -------------------------------------------------------------------------------------------
class _Invalid:
    """What stands for a date that no calendar has, until it is reported or becomes NULL."""


INVALID = _Invalid()


def _day(text: bytes) -> int | None:
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups())).toordinal() - _EPOCH
    except ValueError:
        return None


def _date(text: bytes) -> Any:
    day = _day(text)
    return INVALID if day is None else day


def _datetime(text: bytes) -> Any:
    day = _day(text[:10])
    return INVALID if day is None else day * _DAY + _time(text[11:])


def _time(text: bytes) -> int:
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f"not a time: {text!r}")
    sign, hours, minutes, seconds, fraction = match.groups()
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    micros = whole * 1_000_000 + int((fraction or b"0").ljust(6, b"0"))
    return -micros if sign else micros


def _decimal(text: bytes) -> Any:
    from decimal import Decimal

    return Decimal(text.decode("ascii"))


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "decimal": _decimal,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "timestamp": _datetime,
    "bool": lambda text: int(text) != 0,
    "text": bytes.decode,
    "binary": bytes,
    "wkb": bytes,
}


def converter(kind: MySQLType) -> Callable[[Any], Any]:
    """How the bytes of one value become what pyarrow builds its array from."""
    if kind.kind == "bit":
        return lambda text: format(int(text), f"0{kind.size}b")
    return _CONVERTERS[kind.kind]
