"""From the source's Arrow types to what a target column takes, exactly or not at all.

``conversion`` decides per column, before a row moves; its ``apply`` raises ``ValueError`` (``pa.ArrowInvalid`` is
one) for a value that the column cannot hold unchanged, and the writer finds out which one it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core.data import osiris_type, source_type
from osiris_postgres.relations import PgColumn
from osiris_postgres.types import ARROW_DECIMAL_DIGITS, SYSTEM, is_binary, numeric_digits
from osiris_postgres.wire import (
    bit_bytes,
    interval_from_calendar,
    interval_from_duration,
    map_values,
    numeric_bytes,
    uuid_bytes,
)

Apply = Callable[[pa.Array], pa.Array]

_INTEGERS = {"int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64()}
_FLOATS = {"float4": pa.float32(), "float8": pa.float64()}
_TEXTS = frozenset({"text", "varchar", "bpchar", "citext", "json", "jsonb"})
_MICROSECONDS_PER_DAY = 86_400_000_000
# PostgreSQL's years 4714 BC to 294276 and 5874897, as Arrow counts.
_FIRST_DAY, _LAST_DAY = -2_440_588, 2_145_042_905
_FIRST_MICROSECOND = _FIRST_DAY * _MICROSECONDS_PER_DAY


class MismatchError(Exception):
    """The column cannot hold this type; the message says why."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one column goes over.

    Attributes:
        storage: Arrow type of what ``apply`` gives.
        text: the wire holds text, so U+0000 must be looked for.
        cast: the value is staged as text and cast to the column's type on the server.
        same_text: with ``cast``: the cast value's text must be the text that came.
        zone: a time zone was added to, or taken from, every value (to be counted).
    """

    storage: pa.DataType
    apply: Apply
    text: bool = False
    cast: bool = False
    same_text: bool = False
    zone: bool = False


def conversion(source: pa.Field, column: PgColumn, *, utc: bool = False) -> Conversion:
    """How values of ``source`` go into ``column``. Raises MismatchError when they cannot, unchanged.

    ``utc``: a timestamp without zone may go into a column with one and back, as UTC.
    """
    storage, decode = _plain(source.type)
    plain = pa.field(source.name, storage, source.nullable, source.metadata)
    chosen = _choose(plain, column, utc)
    if decode is None:
        return chosen
    apply = chosen.apply
    return Conversion(
        chosen.storage, lambda a: apply(decode(a)), chosen.text, chosen.cast, chosen.same_text, chosen.zone
    )


def _plain(storage: pa.DataType) -> tuple[pa.DataType, Apply | None]:
    """Without dictionary, view and half-width forms that only complicate what follows."""
    types = pa.types
    target = storage
    if types.is_dictionary(storage):
        target = _plain(storage.value_type)[0]
    elif types.is_binary_view(storage) or types.is_large_binary(storage):
        target = pa.binary()
    elif types.is_string_view(storage):
        target = pa.string()
    elif types.is_float16(storage):
        target = pa.float32()
    elif types.is_date64(storage):
        target = pa.date32()
    elif isinstance(storage, pa.ExtensionType):
        return storage.storage_type, lambda array: array.storage
    return target, None if target == storage else (lambda array: array.cast(target))


def _choose(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage, osiris = source.type, osiris_type(source)
    if osiris == "text_form":
        return _text_form(source, column)
    if column.base in _INTEGERS or column.base in _FLOATS:
        return _number(storage, column, osiris)
    chooser = _CHOOSERS.get(column.base)
    if chooser is not None:
        return chooser(source, column, utc)
    if column.base in _TEXTS or column.kind == "e":
        return _text(storage, column)
    return _other(source, column)


def _nulls(storage: pa.DataType) -> Conversion:
    return Conversion(storage, lambda array: pa.nulls(len(array), storage))


def _refuse(source: pa.Field | pa.DataType, column: PgColumn, why: str = "") -> MismatchError:
    storage = source.type if isinstance(source, pa.Field) else source
    name = (osiris_type(source) if isinstance(source, pa.Field) else "") or str(storage)
    return MismatchError(f"{name} does not fit {column.type}" + (f": {why}" if why else ""))


# -- numbers -----------------------------------------------------------------------------------------------
def _number(storage: pa.DataType, column: PgColumn, osiris: str) -> Conversion:
    target = _INTEGERS.get(column.base) or _FLOATS[column.base]
    types = pa.types
    if types.is_null(storage):
        return _nulls(target)
    exact_number = types.is_integer(storage) or (column.base in _INTEGERS and types.is_decimal(storage))
    if osiris or not (exact_number or types.is_floating(storage) or types.is_boolean(storage)):
        raise _refuse(storage, column, osiris)
    if target == storage:
        return Conversion(target, _same)
    if types.is_boolean(storage) and column.base in _FLOATS:
        raise _refuse(storage, column)
    if types.is_float64(storage) and column.base == "float4":
        return Conversion(target, _to_float4)
    return Conversion(target, lambda array: array.cast(target, safe=True))


def _same(array: pa.Array) -> pa.Array:
    return array


def _to_float4(array: pa.Array) -> pa.Array:
    narrow = array.cast(pa.float32(), safe=False)
    back = narrow.cast(pa.float64())
    same = pc.or_(pc.equal(back, array), pc.and_(pc.is_nan(back), pc.is_nan(array)))
    if not pc.all(same, min_count=0).as_py():
        raise ValueError("the number loses digits in a column of type real")
    return narrow


def _numeric(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage, types = source.type, pa.types
    if types.is_null(storage):
        return _nulls(pa.binary())
    digits = numeric_digits(column.typmod)
    if osiris_type(source) == "decimal" or types.is_floating(storage):
        return Conversion(pa.binary(), lambda array: map_values(array, lambda v: _packed(v, digits)))
    if types.is_integer(storage):
        plain: pa.DataType = pa.decimal128(20, 0)
    elif types.is_decimal(storage) and not osiris_type(source):
        plain = storage
    else:
        raise _refuse(source, column)
    checked = _checked_decimal(plain, digits)
    if not types.is_decimal256(checked):
        return Conversion(checked, lambda array: _decimals(array, plain, checked))
    return Conversion(pa.binary(), lambda array: map_values(_decimals(array, plain, checked), numeric_bytes))


def _decimals(array: pa.Array, plain: pa.DataType, checked: pa.DataType) -> pa.Array:
    if array.type != plain:
        array = array.cast(plain)
    return array if plain == checked else array.cast(checked, safe=True)


def _checked_decimal(plain: pa.DataType, digits: tuple[int, int] | None) -> pa.DataType:
    """The decimal type whose cast refuses what ``numeric(p,s)`` would round; ``plain`` when nothing can be lost."""
    if digits is None:
        return plain
    precision, scale = digits
    if plain.scale <= scale and plain.precision - plain.scale <= precision - scale:
        return plain
    precision = min(precision, ARROW_DECIMAL_DIGITS)
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _packed(value: Any, digits: tuple[int, int] | None) -> bytes:
    """A number's text (or a float, by its shortest text) for numeric; ValueError when digits would be lost."""
    try:
        number = Decimal(value if isinstance(value, str) else repr(value))
    except InvalidOperation as error:
        raise ValueError("not a decimal number") from error
    if digits is not None and number.is_finite():
        _, figures, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        if -exponent > digits[1] and any(figures[exponent + digits[1] :]):
            raise ValueError("the number has more decimal places than the column")
    return numeric_bytes(number)


# -- text, bytes, truth ------------------------------------------------------------------------------------
def _text(storage: pa.DataType, column: PgColumn) -> Conversion:
    if pa.types.is_null(storage):
        return _nulls(pa.string())
    if not (pa.types.is_string(storage) or pa.types.is_large_string(storage)):
        raise _refuse(storage, column)
    return Conversion(storage, _same, text=True)


def _bytea(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    if pa.types.is_null(source.type):
        return _nulls(pa.binary())
    if not is_binary(source.type):
        raise _refuse(source, column)
    return Conversion(source.type, _same)


def _bool(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage, osiris = source.type, osiris_type(source)
    if pa.types.is_null(storage):
        return _nulls(pa.bool_())
    if pa.types.is_boolean(storage):
        return Conversion(storage, _same)
    if pa.types.is_integer(storage):
        return Conversion(pa.bool_(), lambda array: _one_of(array, pa.array([0, 1], storage)))
    if osiris == "bit":
        return Conversion(pa.bool_(), lambda array: _one_of(array, pa.array(["0", "1"], storage)))
    raise _refuse(source, column)


def _one_of(array: pa.Array, pair: pa.Array) -> pa.Array:
    """Booleans from two values; ValueError on a third."""
    if not pc.all(pc.is_in(array.drop_null(), pair), min_count=0).as_py():
        raise ValueError("only 0 and 1 are a boolean")
    return pc.equal(array, pair[1])


def _bit(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage = source.type
    if pa.types.is_null(storage):
        return _nulls(pa.binary())
    if pa.types.is_boolean(storage):
        return Conversion(pa.binary(), lambda array: map_values(array, lambda v: bit_bytes("1" if v else "0")))
    if osiris_type(source) != "bit":
        raise _refuse(source, column)
    return Conversion(pa.binary(), lambda array: map_values(array, bit_bytes))


def _uuid(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage = source.type
    if pa.types.is_null(storage):
        return _nulls(pa.binary(16))
    if storage == pa.binary(16) and osiris_type(source) == "uuid":
        return Conversion(storage, _same)
    if not (pa.types.is_string(storage) or pa.types.is_large_string(storage)):
        raise _refuse(source, column)
    return Conversion(pa.binary(16), uuid_bytes if osiris_type(source) == "uuid" else _lower_case_uuid)


def _lower_case_uuid(array: pa.Array) -> pa.Array:
    if not pc.all(pc.equal(pc.ascii_lower(array), array), min_count=0).as_py():
        raise ValueError("a UUID in upper case would come back in lower case")
    return uuid_bytes(array)


# -- dates and times ---------------------------------------------------------------------------------------
def _date(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    if pa.types.is_null(source.type):
        return _nulls(pa.date32())
    if not pa.types.is_date(source.type):
        raise _refuse(source, column)
    return Conversion(pa.date32(), _date_in_range)


def _date_in_range(array: pa.Array) -> pa.Array:
    # Plain numbers: Python's dates end long before PostgreSQL's do.
    days = pc.min_max(array.cast(pa.int32())).as_py()
    if days["min"] is not None and not _FIRST_DAY <= days["min"] <= days["max"] <= _LAST_DAY:
        raise ValueError("the date is outside of PostgreSQL's range")
    return array


def _timestamp(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    target = pa.timestamp("us", "UTC" if column.base == "timestamptz" else None)
    storage = source.type
    if pa.types.is_null(storage):
        return _nulls(target)
    if not pa.types.is_timestamp(storage):
        raise _refuse(source, column)
    zone = bool(storage.tz) != bool(target.tz)
    if zone and not utc:
        raise _refuse(source, column, "one has a time zone, the other has none; on_time_zone: utc takes it as UTC")

    def apply(array: pa.Array) -> pa.Array:
        microseconds = array.cast(pa.timestamp("us", storage.tz), safe=True).cast(pa.int64())
        _refuse_early(microseconds)
        _refuse_parts(microseconds, column.typmod)
        return microseconds.cast(target)

    return Conversion(target, apply, zone=zone)


def _refuse_early(microseconds: pa.Array) -> None:
    lowest = pc.min(microseconds).as_py()
    if lowest is not None and lowest < _FIRST_MICROSECOND:
        raise ValueError("the time is before PostgreSQL's range")


def _refuse_parts(microseconds: pa.Array, digits: int) -> None:
    """ValueError when ``timestamp(digits)`` or ``time(digits)`` would round."""
    if 0 <= digits < 6:
        values = microseconds.drop_null().to_numpy(zero_copy_only=False)
        if np.any(values % 10 ** (6 - digits)):
            raise ValueError(f"the time has more than {digits} decimal places")


def _time(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage, target = source.type, pa.time64("us")
    if pa.types.is_null(storage):
        return _nulls(target)
    if not (pa.types.is_time(storage) or pa.types.is_duration(storage)):
        raise _refuse(source, column)
    middle = pa.duration("us") if pa.types.is_duration(storage) else target

    def apply(array: pa.Array) -> pa.Array:
        microseconds = array.cast(middle, safe=True).cast(pa.int64())
        in_day = pc.and_(pc.greater_equal(microseconds, 0), pc.less(microseconds, _MICROSECONDS_PER_DAY))
        if not pc.all(in_day, min_count=0).as_py():
            raise ValueError("the time is not a time of day; a column of type interval holds it")
        _refuse_parts(microseconds, column.typmod)
        return microseconds.cast(target)

    return Conversion(target, apply)


def _interval(source: pa.Field, column: PgColumn, utc: bool) -> Conversion:
    storage = source.type
    if pa.types.is_null(storage):
        return _nulls(pa.binary(16))
    if column.typmod >= 0:
        raise _refuse(source, column, "an interval with restricted fields would round; make the column plain interval")
    if pa.types.is_duration(storage):
        return Conversion(pa.binary(16), interval_from_duration)
    if storage == pa.month_day_nano_interval():
        return Conversion(pa.binary(16), interval_from_calendar)
    raise _refuse(source, column)


# -- whatever else -----------------------------------------------------------------------------------------
def _text_form(source: pa.Field, column: PgColumn) -> Conversion:
    if column.base in ("text", "varchar", "citext"):
        return Conversion(source.type, _same, text=True)
    if source_type(source) == SYSTEM + column.type:
        return Conversion(source.type, _same, text=True, cast=True)
    raise _refuse(source, column, f"it is the text of {source_type(source) or 'an unknown type'}")


def _other(source: pa.Field, column: PgColumn) -> Conversion:
    """A type PostgreSQL reads from text: taken when the value prints as the very text that came."""
    if pa.types.is_null(source.type):
        return _nulls(pa.string())
    if not pa.types.is_string(source.type) or osiris_type(source):
        raise _refuse(source, column)
    return Conversion(source.type, _same, text=True, cast=True, same_text=True)


_CHOOSERS: dict[str, Callable[[pa.Field, PgColumn, bool], Conversion]] = {
    "numeric": _numeric,
    "bytea": _bytea,
    "bool": _bool,
    "bit": _bit,
    "varbit": _bit,
    "uuid": _uuid,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
    "time": _time,
    "interval": _interval,
}
