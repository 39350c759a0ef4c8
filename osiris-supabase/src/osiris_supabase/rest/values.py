"""Arrow values as the JSON that PostgREST reads, and back: exact, or refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from osiris_core import RunError
from osiris_core.data import osiris_type
from osiris_postgres.relations import PgColumn
from osiris_postgres.types import ReadColumn, is_binary, read_column

#: Beyond this an integer travels as text: not every JSON reader keeps it.
_SAFE_INTEGER = 2**53
_INTERVAL = re.compile(
    r"(?:([-+]?\d+) years? ?)?(?:([-+]?\d+) mons? ?)?(?:([-+]?\d+) days? ?)?"
    r"(?:([-+]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
)
_US_PER_SECOND, _US_PER_MINUTE, _US_PER_HOUR = 1_000_000, 60_000_000, 3_600_000_000


# -- to JSON -----------------------------------------------------------------------------------------------
def to_json(array: pa.Array, arrow: pa.Field, base: str) -> list[Any]:
    """The values of a column as JSON values. Raises ValueError for what JSON would change.

    Args:
        array: the source's values.
        arrow: the source's field.
        base: name of the target's type.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if base in ("json", "jsonb"):
        return [None if text is None else _json_value(text) for text in array.to_pylist()]
    if osiris_type(arrow) == "uuid" and is_binary(array.type):
        return [None if raw is None else str(UUID(bytes=raw)) for raw in array.to_pylist()]
    types = pa.types
    if types.is_timestamp(array.type) or types.is_time(array.type) or types.is_date(array.type):
        return list(_iso(array))
    if types.is_duration(array.type):
        return [None if us is None else _clock(us) for us in array.cast(pa.duration("us")).cast(pa.int64()).to_pylist()]
    return [_plain(value) for value in array.to_pylist()]


def _plain(value: Any) -> Any:
    for kind, encode in _ENCODERS:
        if isinstance(value, kind):
            return encode(value)
    return value


def _integer(value: int) -> int | str:
    return value if abs(value) <= _SAFE_INTEGER else str(value)


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _interval(value: Any) -> str:
    return f"{value.months} mons {value.days} days {_clock(value.nanoseconds // 1000)}"


_ENCODERS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (bool, lambda value: value),
    (int, _integer),
    (float, _float),
    (Decimal, lambda value: format(value, "f")),
    (bytes, lambda value: "\\x" + value.hex()),
    (pa.MonthDayNano, _interval),
)


def _iso(array: pa.Array) -> list[str | None]:
    return list(array.cast(pa.string()).to_pylist())


def _clock(microseconds: int) -> str:
    """A time span as PostgreSQL reads it, hours beyond 24 and signs included."""
    sign, rest = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    hours, rest = divmod(rest, _US_PER_HOUR)
    minutes, rest = divmod(rest, _US_PER_MINUTE)
    seconds, fraction = divmod(rest, _US_PER_SECOND)
    return f"{sign}{hours}:{minutes:02}:{seconds:02}.{fraction:06}"


def _json_value(text: str) -> Any:
    return json.loads(text, parse_float=_exact_float, parse_constant=_no_constant)


def _exact_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or Decimal(repr(number)) != Decimal(text):
        raise ValueError("a number in JSON has more digits than the REST channel keeps; the SQL channel keeps them")
    return number


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


# -- from JSON ---------------------------------------------------------------------------------------------
#: What PostgREST's JSON says exactly; every other type is asked for as text.
_AS_JSON = frozenset({"bool", "int2", "int4", "int8"})


def asked_as_text(column: ReadColumn) -> bool:
    """Whether a column is selected with ``::text``, so that no digit passes through a JSON number."""
    return column.wire not in _AS_JSON


def from_json(column: ReadColumn, values: list[Any]) -> pa.Array:
    """A column of a page. Raises RunError naming it for a value that Arrow cannot hold."""
    storage = column.field.type
    decode = _DECODERS.get(column.wire, _same)
    if osiris_type(column.field) == "decimal":
        decode = _plain_decimal
    try:
        decoded = [None if value is None else decode(value) for value in values]
        if column.wire in ("date", "timestamp"):
            zoned = pa.types.is_timestamp(storage) and storage.tz
            return pa.array([_zoned(v) if zoned and v else v for v in decoded], pa.string()).cast(storage)
        return pa.array(decoded, storage)
    except (pa.ArrowInvalid, ValueError, TypeError) as error:
        raise RunError(
            f'column "{column.field.name}" has a value that {storage} cannot hold: {error}',
            code="OSI-R102",
            hint="use the SQL channel, or leave the rows out with where",
        ) from error


def _same(value: Any) -> Any:
    return value


def _plain_decimal(text: str) -> str:
    return format(Decimal(text), "f")


def _zoned(text: str) -> str:
    """``2026-01-01 00:00:00+00`` with the minutes of the zone that Arrow wants."""
    return f"{text}:00" if len(text) > 3 and text[-3] in "+-" else text


def _parsed_interval(text: str) -> pa.MonthDayNano:
    """An interval in PostgreSQL's own style: ``1 year 2 mons -3 days 04:05:06.7``."""
    found = _INTERVAL.fullmatch(text)
    if not found or not text:
        raise ValueError(text)
    years, months, days, sign, hours, minutes, seconds, fraction = (part or "" for part in found.groups())
    microseconds = int(hours or 0) * _US_PER_HOUR + int(minutes or 0) * _US_PER_MINUTE
    microseconds += int(seconds or 0) * _US_PER_SECOND + int(fraction.ljust(6, "0") or 0)
    signed = -microseconds if sign == "-" else microseconds
    return pa.MonthDayNano([int(years or 0) * 12 + int(months or 0), int(days or 0), signed * 1000])


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda text: bytes.fromhex(text[2:]),
    "float4": float,
    "float8": float,
    "decimal": Decimal,
    "interval": _parsed_interval,
    "time": time.fromisoformat,
}


# -- what was kept -----------------------------------------------------------------------------------------
def first_difference(column: PgColumn, sent: list[Any], kept: list[Any]) -> int | None:
    """Index of the first value that the API's own text says is not what was sent; None when all are the same."""
    if column.base in ("json", "jsonb"):
        kept = [None if text is None else _json_value(text) for text in kept]
        pairs = zip(sent, kept, strict=True)
    else:
        read = read_column(column)
        sides = ([None if v is None else _as_text(v) for v in side] for side in (sent, kept))
        pairs = zip(*(from_json(_texts(read), side).to_pylist() for side in sides), strict=True)
    return next((index for index, (a, b) in enumerate(pairs) if a != b and not (a != a and b != b)), None)  # noqa: PLR0124


def _as_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _texts(read: ReadColumn) -> ReadColumn:
    """The column as its text says it, where JSON would say it natively."""
    native = {"bool": pa.string(), "int2": pa.string(), "int4": pa.string(), "int8": pa.string()}
    storage = native.get(read.wire)
    return read if storage is None else replace(read, field=pa.field(read.field.name, storage), wire="text")
