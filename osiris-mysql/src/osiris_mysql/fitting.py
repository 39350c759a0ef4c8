"""Whether Arrow values fit a MySQL column unaltered.

Even in strict mode MySQL rounds decimals and fractions of seconds, cuts trailing blanks, pads BINARY and
reads YEAR 5 as 2005 without an error. What it would alter in silence is refused here, naming the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_core.data import osiris_type
from osiris_mysql.typemap import MySQLType

#: A check gets an array and returns an offending value, or None.
Check = Callable[[pa.Array], Any]

KNOWN_TYPES = frozenset({"json", "time", "bit", "decimal", "enum", "set", "uuid", "wkb", "text_form"})
_MEMBER = re.compile(r"'((?:[^']|'')*)'")
_TEXT_BYTES = {"tinytext": 255, "text": 65_535, "mediumtext": 16_777_215}


class Fit:
    """How one column of a stream goes into one column of the target. Raises RunError (OSI-R102) if it cannot."""

    def __init__(self, field: pa.Field, target: MySQLType, name: str, *, nullable: bool) -> None:
        self._name = name
        self._target = target
        self._nullable = nullable
        family = family_of(field)
        if target.kind not in _ACCEPTED.get(family, frozenset()):
            raise RunError(
                f"column {name}: {_spelled(field)} does not go into {target.source} unaltered",
                code="OSI-R102",
                hint="cast it in a query or transform, or change the target's column",
            )
        self._checks = _checks(family, plain_type(field.type), target)

    def check(self, array: pa.Array) -> None:
        """Raise RunError for the first value of ``array`` that would be altered or refused."""
        if array.null_count and not self._nullable:
            raise RunError(
                f"column {self._name}: {array.null_count} NULL where the target says NOT NULL",
                code="OSI-R103",
                hint="fill it in a query or transform",
            )
        for check in self._checks:
            try:
                bad = check(array)
            except pa.ArrowInvalid as error:  # a cast that would lose something, nanoseconds for example
                raise self._unfit(str(error)) from error
            if bad is not None:
                raise self._unfit(f"{bad!r:.80}")

    def _unfit(self, what: str) -> RunError:
        return RunError(
            f"column {self._name}: {what} does not fit {self._target.source} unaltered",
            code="OSI-R102",
            hint="widen the target's column, or cast in a query or transform",
        )


def family_of(field: pa.Field) -> str:
    """The family of values a field holds: ``int``, ``float``, ``text``, …; ``""`` for what MySQL has no place for."""
    marked = osiris_type(field)
    if marked == "decimal":
        return "decimal_text"
    if marked in ("json", "bit", "wkb", "time"):
        return marked
    kind = plain_type(field.type)
    for family, matches in _FAMILIES.items():
        if any(match(kind) for match in matches):
            return family
    return ""


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that ``plain`` gives an array of type ``kind``."""
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def plain(array: pa.Array) -> pa.Array:
    """The same values without dictionary, view or 64-bit offsets, which other Arrow libraries hand out."""
    wanted = plain_type(array.type)
    return array if array.type == wanted else array.cast(wanted)


_FAMILIES: dict[str, tuple[Callable[[pa.DataType], bool], ...]] = {
    "null": (pa.types.is_null,),
    "bool": (pa.types.is_boolean,),
    "int": (pa.types.is_integer,),
    "float": (pa.types.is_floating,),
    "decimal": (pa.types.is_decimal,),
    "date": (pa.types.is_date,),
    "time": (pa.types.is_time, pa.types.is_duration),
    "timestamp": (pa.types.is_timestamp,),
    "text": (pa.types.is_string,),
    "binary": (pa.types.is_binary, pa.types.is_fixed_size_binary),
}  # fmt: skip

_EVERY = frozenset(
    {"int", "float", "decimal", "date", "time", "datetime", "timestamp", "bool", "bit", "text", "binary", "wkb"}
)
_ACCEPTED: dict[str, frozenset[str]] = {
    "null": _EVERY,
    "bool": frozenset({"bool", "int"}),
    "int": frozenset({"int", "decimal", "float", "text"}),
    "float": frozenset({"float"}),
    "decimal": frozenset({"decimal", "int", "text"}),
    "decimal_text": frozenset({"decimal", "text"}),
    "date": frozenset({"date", "datetime", "timestamp", "text"}),
    "time": frozenset({"time"}),
    "timestamp": frozenset({"datetime", "timestamp"}),
    "text": frozenset({"text"}),
    "json": frozenset({"text"}),
    "bit": frozenset({"bit", "bool", "text"}),
    "binary": frozenset({"binary"}),
    "wkb": frozenset({"wkb", "binary"}),
}


def _checks(family: str, source: pa.DataType, target: MySQLType) -> list[Check]:
    found: list[Check] = []
    if family == "float":
        found.append(_not_finite)
        if target.base == "float" and source.bit_width > 32:
            found.append(lambda array: _altered(array, pa.float32()))
    if family == "int" and target.kind == "float":
        found.append(lambda array: _altered(array, pa.float32() if target.base == "float" else pa.float64()))
    if target.base == "year":
        found.append(_no_year)
    if target.kind in ("decimal", "int") and family == "decimal" and source.scale > target.scale:
        found.append(lambda array: _altered(array, pa.decimal256(76, target.scale)))
    if family == "decimal_text" and target.kind == "decimal":
        found.append(lambda array: _long_fraction(array, target.scale))
    if target.kind in ("time", "datetime", "timestamp") and family in ("time", "timestamp"):
        found.append(lambda array: _fine_fraction(array, target.size))
    if family == "bit" and target.kind in ("bit", "bool"):
        found.append(lambda array: _first(array, pc.not_equal(pc.utf8_length(array), max(target.size, 1))))
    if target.kind == "text":
        found += _text_checks(target)
    if target.base == "binary":
        found.append(lambda array: _first(array, pc.not_equal(pc.binary_length(array), max(target.size, 1))))
    return found


def _text_checks(target: MySQLType) -> list[Check]:
    """MySQL cuts trailing blanks that are too much without an error, and CHAR loses them all."""
    if target.base == "char":
        return [
            lambda array: _first(_as_text(array), pc.ends_with(_as_text(array), " ")),
            lambda array: _first(_as_text(array), pc.greater(pc.utf8_length(_as_text(array)), max(target.size, 1))),
        ]
    if target.base == "varchar" and target.size:
        return [lambda array: _first(_as_text(array), pc.greater(pc.utf8_length(_as_text(array)), target.size))]
    if target.base in ("enum", "set"):
        members = pa.array([word.replace("''", "'") for word in _MEMBER.findall(target.source)], pa.string())
        return [lambda array: _numbered(_as_text(array), members)]
    if target.base in _TEXT_BYTES:
        limit = _TEXT_BYTES[target.base]
        return [lambda array: _first(_as_text(array), pc.greater(pc.binary_length(_as_text(array)), limit))]
    return []


def _numbered(array: pa.Array, members: pa.Array) -> Any:
    """The first number that is no word of the list: MySQL would take it for a place in the list."""
    number = pc.match_substring_regex(array, r"^[0-9]+$")
    return _first(array, pc.and_(number, pc.invert(pc.is_in(array, members))))


def _as_text(array: pa.Array) -> pa.Array:
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def _first(array: pa.Array, bad: pa.Array) -> Any:
    """The first value of ``array`` where ``bad`` is true, or None."""
    if not pc.any(bad).as_py():
        return None
    return array[pc.index(bad.fill_null(False), True).as_py()].as_py()


def _not_finite(array: pa.Array) -> Any:
    return _first(array, pc.invert(pc.is_finite(array)))


def _altered(array: pa.Array, narrower: pa.DataType) -> Any:
    """The first value that ``narrower`` cannot hold exactly."""
    back = array.cast(narrower, safe=False)
    if pa.types.is_decimal(narrower):
        return _first(
            array,
            pc.not_equal(
                array.cast(pa.decimal256(76, array.type.scale)), back.cast(pa.decimal256(76, array.type.scale))
            ),
        )
    if pa.types.is_floating(array.type):
        return _first(array, pc.not_equal(array.cast(pa.float64()), back.cast(pa.float64())))
    limit = 2**24 if narrower.bit_width == 32 else 2**53
    wide = array.cast(pa.decimal128(20, 0))
    return _first(array, pc.greater(pc.abs(wide), pa.scalar(limit, pa.decimal128(20, 0))))


def _no_year(array: pa.Array) -> Any:
    outside = pc.or_(pc.less(array, 1901), pc.greater(array, 2155))
    return _first(array, pc.and_(outside, pc.not_equal(array, 0)))


def _fine_fraction(array: pa.Array, digits: int) -> Any:
    micros = _micros(array)
    step = 10 ** (6 - min(digits, 6))
    if step == 1:
        return None
    return _first(array, pc.not_equal(pc.multiply(pc.divide(micros, step), step), micros))


def _micros(array: pa.Array) -> pa.Array:
    """Microseconds; a time with nanoseconds that are not whole microseconds is refused by the cast."""
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64())
    if pa.types.is_duration(array.type):
        return array.cast(pa.duration("us")).cast(pa.int64())
    return array.cast(pa.time64("us")).cast(pa.int64())


def _long_fraction(array: pa.Array, scale: int) -> Any:
    from decimal import Decimal

    for value in array:
        text = value.as_py()
        if text is not None and -int(Decimal(text).normalize().as_tuple().exponent) > scale:
            return text
    return None


def _spelled(field: pa.Field) -> str:
    marked = osiris_type(field)
    return f"{field.type} ({marked})" if marked else str(field.type)
