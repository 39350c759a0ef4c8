"""How a PostgreSQL type looks in Arrow, and what an Arrow type becomes in a table that we create.

Reading: what Arrow says exactly travels as such; what has a name in ``osiris_core.data`` travels under it; anything
else travels as PostgreSQL's own text (``text_form``), which the same type reads back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from osiris_core.data import field, osiris_type, source_type
from osiris_postgres.names import quote_pyformat
from osiris_postgres.relations import PgColumn

#: How a value looks in binary COPY. ``decimal`` is selected as text and parsed to a decimal.
Wire = Literal[
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "date",
    "time",
    "timestamp",
    "interval",
    "bytes",
    "text",
    "decimal",
]
ARROW_DECIMAL_DIGITS = 76
PG_NUMERIC_DIGITS = 1000
SYSTEM = "postgres:"

_PLAIN: dict[str, tuple[Wire, pa.DataType]] = {
    "bool": ("bool", pa.bool_()),
    "int2": ("int2", pa.int16()),
    "int4": ("int4", pa.int32()),
    "int8": ("int8", pa.int64()),
    "float4": ("float4", pa.float32()),
    "float8": ("float8", pa.float64()),
    "date": ("date", pa.date32()),
    "time": ("time", pa.time64("us")),
    "timestamp": ("timestamp", pa.timestamp("us")),
    "timestamptz": ("timestamp", pa.timestamp("us", "UTC")),
    "bytea": ("bytes", pa.binary()),
    "text": ("text", pa.string()),
    "varchar": ("text", pa.string()),
    "bpchar": ("text", pa.string()),
    "citext": ("text", pa.string()),
    "json": ("text", pa.string()),
}
#: Types with a meaning of their own in osiris_core.data, all as text.
_NAMED = {"json": "json", "jsonb": "json", "uuid": "uuid", "bit": "bit"}


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """One column of a read: its Arrow field, how it comes over the wire, and whether it is selected as text."""

    field: pa.Field
    wire: Wire
    as_text: bool

    @property
    def expression(self) -> str:
        """What is selected, for SQL that goes through psycopg's parameters."""
        name = quote_pyformat(self.field.name)
        return f"{name}::text" if self.as_text else name


def read_column(column: PgColumn) -> ReadColumn:
    """How ``column`` is read."""
    name, nullable, source = column.name, column.nullable, SYSTEM + column.type
    if column.base == "numeric":
        return _numeric(column)
    if column.base == "interval":
        storage = pa.month_day_nano_interval()
        return ReadColumn(field(name, storage, nullable, "interval", source), "interval", False)
    if column.base in _PLAIN:
        wire, storage = _PLAIN[column.base]
        return ReadColumn(field(name, storage, nullable, _NAMED.get(column.base, ""), source), wire, False)
    osiris = "enum" if column.kind == "e" else _NAMED.get(column.base, "text_form")
    return ReadColumn(field(name, pa.string(), nullable, osiris, source), "text", True)


def _numeric(column: PgColumn) -> ReadColumn:
    source = SYSTEM + column.type
    digits = numeric_digits(column.typmod)
    if digits is None or digits[0] > ARROW_DECIMAL_DIGITS:
        return ReadColumn(field(column.name, pa.string(), column.nullable, "decimal", source), "text", True)
    return ReadColumn(field(column.name, _decimal(*digits), column.nullable, "", source), "decimal", True)


def numeric_digits(typmod: int) -> tuple[int, int] | None:
    """``(precision, scale)`` of a numeric's modifier in Arrow's terms; None for ``numeric`` without one.

    PostgreSQL 15 allows a negative scale and one beyond the precision; Arrow's readers do not, so the precision
    grows until both are plain.
    """
    if typmod < 0:
        return None
    precision, scale = ((typmod - 4) >> 16) & 0xFFFF, (typmod - 4) & 0x7FF
    if scale > 1023:
        scale -= 2048
    if scale < 0:
        return precision - scale, 0
    return max(precision, scale), scale


def _decimal(precision: int, scale: int) -> pa.DataType:
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


# -- creating ----------------------------------------------------------------------------------------------
_CREATED = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.uint8(): "smallint",
    pa.int16(): "smallint",
    pa.uint16(): "integer",
    pa.int32(): "integer",
    pa.uint32(): "bigint",
    pa.int64(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.date64(): "date",
    pa.null(): "text",
}
_CREATED_NAMED = {
    "time": "interval",
    "interval": "interval",
    "decimal": "numeric",
    "enum": "text",
    "set": "text",
    "uuid": "uuid",
    "wkb": "bytea",
    "text_form": "text",
}
_UNIT_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 6}
#: Built-in types that a table of ours takes over letter by letter when they come from another PostgreSQL.
_OWN_TYPE = re.compile(
    r"(smallint|integer|bigint|real|double precision|boolean|date|text|bytea|json|jsonb|uuid|inet|cidr|macaddr|macaddr8"
    r"|money|xml|tsvector|tsquery|point|line|lseg|box|path|polygon|circle|pg_lsn|int[48](multi)?range|(num|date|ts|tstz)(multi)?range"
    r"|interval|numeric(\(\d+,-?\d+\))?|character varying(\(\d+\))?|character\(\d+\)|bit(\(\d+\)| varying(\(\d+\))?)"
    r"|time(\(\d\))? with(out)? time zone|timestamp(\(\d\))? with(out)? time zone)(\[\])?"
)
_DIGITS = re.compile(r"\((\d+)(?:,\s*(-?\d+))?\)")


def created_type(arrow: pa.Field, json_type: str = "json") -> str | None:
    """The type of a column that is made for ``arrow``; None when there is none that holds it exactly."""
    source, osiris = source_type(arrow), osiris_type(arrow)
    if osiris == "json":
        return json_type
    if source.startswith(SYSTEM) and _OWN_TYPE.fullmatch(source.removeprefix(SYSTEM)):
        return source.removeprefix(SYSTEM)
    if osiris in _SIZED:
        return _SIZED[osiris](_DIGITS.search(source))
    if osiris:
        return _CREATED_NAMED.get(osiris)
    storage = arrow.type.value_type if pa.types.is_dictionary(arrow.type) else arrow.type
    return _CREATED.get(storage) or next(
        (name(storage, source) for fits, name in _CREATED_BY_KIND if fits(storage)), None
    )


def _bit(size: re.Match[str] | None) -> str:
    return f"bit({size[1]})" if size else "bit varying"


def _sized_numeric(size: re.Match[str] | None) -> str:
    return f"numeric({size[1]},{size[2] or 0})" if size else "numeric"


def _decimal_name(storage: pa.DataType, source: str) -> str:
    return f"numeric({storage.precision},{storage.scale})" if storage.scale >= 0 else "numeric"


def _timestamp_name(storage: pa.DataType, source: str) -> str:
    zone = "with" if storage.tz else "without"
    return f"timestamp({_fraction(storage.unit, source)}) {zone} time zone"


def _fraction(unit: str, source: str) -> int:
    """Digits of the seconds: those of the source's own type, which Arrow's units cannot always say."""
    name, _, rest = source.partition("(")
    if name in ("mysql:datetime", "mysql:timestamp"):
        return int(rest[:1]) if rest[:1].isdigit() else 0
    return _UNIT_DIGITS[unit]


def is_binary(storage: pa.DataType) -> bool:
    """Whether an Arrow type holds bytes."""
    types = pa.types
    return bool(
        types.is_binary(storage)
        or types.is_large_binary(storage)
        or types.is_fixed_size_binary(storage)
        or types.is_binary_view(storage)
    )


def is_text(storage: pa.DataType) -> bool:
    """Whether an Arrow type holds text."""
    types = pa.types
    return bool(types.is_string(storage) or types.is_large_string(storage) or types.is_string_view(storage))


_SIZED = {"bit": _bit, "decimal": _sized_numeric}
_CREATED_BY_KIND: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, str], str]], ...] = (
    (is_text, lambda storage, source: "text"),
    (is_binary, lambda storage, source: "bytea"),
    (pa.types.is_decimal, _decimal_name),
    (pa.types.is_timestamp, _timestamp_name),
    (pa.types.is_time, lambda storage, source: f"time({_UNIT_DIGITS[storage.unit]}) without time zone"),
    (pa.types.is_duration, lambda storage, source: "interval"),
)
