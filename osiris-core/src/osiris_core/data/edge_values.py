"""The edge-value table: in each column, what systems and drivers get wrong. Connectors move it and compare.

Values of one column are of one Arrow type; ``None`` (NULL) is among them everywhere. A system that cannot hold a
column must refuse it in so many words; it must never change a value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from osiris_core.data.types import field, osiris_type

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EdgeColumn:
    """One column of the table: its Arrow field and its values; missing rows are NULL."""

    field: pa.Field
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        return str(self.field.name)


def _column(name: str, kind: pa.DataType, *values: Any, osiris: str = "") -> EdgeColumn:
    return EdgeColumn(field(name, kind, osiris=osiris), values)


def _integers(name: str, kind: pa.DataType, low: int, high: int) -> EdgeColumn:
    return _column(name, kind, low, high, 0, 1, low + 1, high - 1)


_DECIMAL_65_30 = Decimal("99999999999999999999999999999999999.999999999999999999999999999999")
_TEXTS = (
    "",
    " ",
    "ABC ",
    "abc",
    "NULL",
    "\\N",
    "\\.",
    "tab\tand\nlines\r\n",
    "quotes ' \" ` \\ %s $1 ?",
    ",;|",
    "žluťoučký kůň, Straße, İstanbul",
    "e\u0301 is not \u00e9",
    "日本語 中文 한국어",
    "עברית عربية \u200f",
    "\U0001f9a6\U0001f468\u200d\U0001f469\u200d\U0001f467 \U00010348",
    "\ufeffbom",
    "\x01\x1f\x7f\u0080\u2028",
    "x" * _MEGABYTE,
)
_JSON = (
    "{}",
    "[]",
    "null",
    '""',
    "12345678901234567890.123456789012345678901234567890",
    '{"b":1,"a":{"z":[1,2.50,1e2],"é":"\\u00e9\\n"},"A":null}',
    '{"big":9007199254740993,"t":true}',
    "  [1,  2]  ",
)

EDGE_COLUMNS: tuple[EdgeColumn, ...] = (
    _integers("int8", pa.int8(), -(2**7), 2**7 - 1),
    _integers("int16", pa.int16(), -(2**15), 2**15 - 1),
    _integers("int32", pa.int32(), -(2**31), 2**31 - 1),
    _integers("int64", pa.int64(), -(2**63), 2**63 - 1),
    _integers("uint8", pa.uint8(), 0, 2**8 - 1),
    _integers("uint16", pa.uint16(), 0, 2**16 - 1),
    _integers("uint32", pa.uint32(), 0, 2**32 - 1),
    _integers("uint64", pa.uint64(), 0, 2**64 - 1),
    _column("beyond_double", pa.int64(), 2**53 + 1, -(2**53) - 1),
    _column("bool", pa.bool_(), True, False),
    _column("float32", pa.float32(), 16777216.0, 0.5, -0.0, 3.4028234663852886e38, 1.1754943508222875e-38),
    _column("float64", pa.float64(), 0.1, -0.0, 1.7976931348623157e308, 2.2250738585072014e-308, 123456789.123456789),
    _column("decimal_10_2", pa.decimal128(10, 2), *map(Decimal, ("99999999.99", "-99999999.99", "0.00", "0.01"))),
    _column("decimal_20_12", pa.decimal128(20, 12), Decimal("12345678.123456789012"), Decimal("0.000000000001")),
    _column("decimal_38_0", pa.decimal128(38, 0), Decimal("9" * 38), Decimal("-" + "9" * 38)),
    _column("decimal_65_30", pa.decimal256(65, 30), _DECIMAL_65_30, _DECIMAL_65_30.copy_negate(), Decimal("1E-30")),
    _column("decimal_text", pa.string(), "0.10", "-1" + "0" * 45 + ".5", osiris="decimal"),
    _column(
        "date", pa.date32(), date(1, 1, 1), date(9999, 12, 31), date(1582, 10, 10), date(1970, 1, 1), date(2024, 2, 29)
    ),
    _column(
        "timestamp",
        pa.timestamp("us"),
        datetime(1, 1, 1),  # a local time has no zone
        datetime(9999, 12, 31, 23, 59, 59, 999999),
        datetime(1969, 12, 31, 23, 59, 59, 999999),
        datetime(2026, 3, 29, 2, 30),  # skipped by clocks in Prague
        datetime(2026, 10, 25, 2, 30, 0, 1),  # comes twice there
    ),
    _column(
        "timestamp_utc",
        pa.timestamp("us", "UTC"),
        datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    ),
    _column("time_of_day", pa.time64("us"), time(0), time(23, 59, 59, 999999), time(2, 30)),
    _column(
        "time_span",
        pa.duration("us"),
        timedelta(hours=838, minutes=59, seconds=59),
        -timedelta(hours=838, minutes=59, seconds=59),
        -timedelta(hours=1, minutes=30),
        timedelta(0),
        timedelta(hours=22, minutes=59, seconds=59, microseconds=1),
        osiris="time",
    ),
    _column("text", pa.string(), *_TEXTS),
    _column("json", pa.string(), *_JSON, osiris="json"),
    _column("binary", pa.binary(), b"", b"\x00", bytes(range(256)), b"\\x00", b"\xff" * _MEGABYTE),
    _column(
        "uuid",
        pa.string(),
        "00000000-0000-0000-0000-000000000000",
        "6f1e3a52-9c1b-4f7e-8d2a-ffffffffffff",
        osiris="uuid",
    ),
    _column("enum", pa.string(), "small", 'it\'s, "large"', osiris="enum"),
    _column("set", pa.string(), "", "a", "a,b", osiris="set"),
    _column("all_null", pa.string()),
    _column("Order", pa.int32(), 1),
    _column("has space", pa.int32(), 2),
    _column('q"uo`te', pa.int32(), 3),
    _column("percent % {x}", pa.int32(), 4),
    _column("ř🦦", pa.int32(), 5),
)

#: Columns that many systems cannot hold; each by itself, so that a refusal is seen as one.
HARD_COLUMNS: tuple[EdgeColumn, ...] = (
    _column("nul_in_text", pa.string(), "a\x00b", "\x00"),
    _column("nul_in_json", pa.string(), '{"a":"\\u0000"}', osiris="json"),
    _column("float_special", pa.float64(), float("nan"), float("inf"), float("-inf")),
    _column(
        "timestamp_utc_far",
        pa.timestamp("us", "UTC"),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, tzinfo=UTC),
    ),
    _column("subnormal", pa.float64(), 5e-324),
)


def edge_table(columns: Iterable[EdgeColumn] = EDGE_COLUMNS, *, without: Iterable[str] = ()) -> pa.Table:
    """The columns side by side after a key ``id`` (1, 2, 3 …, never NULL); the last row is NULL everywhere.

    Args:
        columns: which; ``EDGE_COLUMNS`` when left out.
        without: names of columns that the system under test cannot hold.
    """
    left_out = set(without)
    chosen = [column for column in columns if column.name not in left_out]
    height = 1 + max((len(column.values) for column in chosen), default=0)
    fields = [pa.field("id", pa.int64(), nullable=False), *(column.field for column in chosen)]
    arrays = [pa.array(range(1, height + 1), pa.int64())]
    for column in chosen:
        values = [*column.values, *[None] * (height - len(column.values))]
        arrays.append(pa.array(values, column.field.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def meaning(value: Any, arrow_field: pa.Field) -> Any:
    """What ``value`` (from ``to_pylist``) means, whatever Arrow type carries it, so that ``==`` compares meanings.

    Numbers are compared as numbers, JSON by its content with every digit, times of day and spans as timedelta.
    """
    kind = osiris_type(arrow_field)
    if kind == "json" and isinstance(value, str):
        return json.loads(value, parse_float=Decimal, parse_int=Decimal)
    if kind == "decimal" and isinstance(value, str):
        return Decimal(value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, time):  # MySQL's TIME is both
        return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    if isinstance(value, pa.MonthDayNano) and not value.months:
        return timedelta(days=value.days, microseconds=value.nanoseconds // 1000)
    return value
