"""What goes into which column, without a server: exactly, or refused with a reason."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from osiris_core.data import field
from osiris_postgres.convert import MismatchError, conversion
from osiris_postgres.relations import PgColumn
from osiris_postgres.types import created_type, numeric_digits, read_column


def column(base: str, typmod: int = -1, *, kind: str = "b", type_text: str = "") -> PgColumn:
    shown = type_text or base
    return PgColumn("c", shown, base, shown, typmod, kind, True, False, "", False, False, True, "", "")


def numeric(precision: int, scale: int) -> PgColumn:
    return column("numeric", ((precision << 16) | (scale & 0x7FF)) + 4, type_text=f"numeric({precision},{scale})")


FITS: list[tuple[pa.Field, PgColumn, Any]] = [
    (field("c", pa.uint32()), column("int8"), 2**32 - 1),
    (field("c", pa.int64()), column("int4"), 2**31 - 1),
    (field("c", pa.decimal128(10, 2)), column("int4"), Decimal("5.00")),
    (field("c", pa.uint64()), column("int8"), 2**63 - 1),
    (field("c", pa.int64()), column("float8"), 2**53),
    (field("c", pa.float64()), column("float4"), 16777216.0),
    (field("c", pa.float64()), column("float4"), float("nan")),
    (field("c", pa.decimal128(20, 12)), numeric(10, 2), Decimal("1.500000000000")),
    (field("c", pa.float64()), column("numeric"), 0.1),
    (field("c", pa.string(), osiris="decimal"), numeric(4, 1), "1.50E1"),
    (field("c", pa.int8()), column("bool"), 1),
    (field("c", pa.string(), osiris="bit"), column("bool"), "1"),
    (field("c", pa.bool_()), column("bit", 1), True),
    (field("c", pa.string()), column("uuid"), "6f1e3a52-9c1b-4f7e-8d2a-ffffffffffff"),
    (field("c", pa.timestamp("ns")), column("timestamp"), datetime(2024, 1, 1)),
    (field("c", pa.timestamp("us")), column("timestamp", 3), datetime(2024, 1, 1, 0, 0, 0, 5000)),
    (field("c", pa.duration("us"), osiris="time"), column("time"), timedelta(hours=23)),
    (field("c", pa.dictionary(pa.int8(), pa.string())), column("text"), "a"),
    (field("c", pa.null()), column("jsonb"), None),
    (field("c", pa.string(), osiris="text_form", source="postgres:int4[]"), column("", type_text="int4[]"), "{1}"),
    (field("c", pa.string()), column("inet"), "10.0.0.1"),
]

LOSES: list[tuple[pa.Field, PgColumn, Any]] = [
    (field("c", pa.uint32()), column("int4"), 2**31),
    (field("c", pa.uint64()), column("int8"), 2**63),
    (field("c", pa.int64()), column("int2"), 40_000),
    (field("c", pa.float64()), column("int4"), 1.5),
    (field("c", pa.int64()), column("float8"), 2**53 + 1),
    (field("c", pa.float64()), column("float4"), 0.1),
    (field("c", pa.decimal128(20, 12)), numeric(10, 2), Decimal("0.000000000001")),
    (field("c", pa.decimal128(20, 2)), numeric(5, 2), Decimal("12345.00")),
    (field("c", pa.decimal256(65, 30)), numeric(65, 29), Decimal("1E-30")),
    (field("c", pa.string(), osiris="decimal"), numeric(4, 1), "1.55"),
    (field("c", pa.string(), osiris="decimal"), column("numeric"), "many"),
    (field("c", pa.int8()), column("bool"), 4),
    (field("c", pa.int8()), column("bool"), -1),
    (field("c", pa.string(), osiris="bit"), column("bool"), "10"),
    (field("c", pa.string()), column("uuid"), "6F1E3A52-9c1b-4f7e-8d2a-ffffffffffff"),
    (field("c", pa.timestamp("us")), column("timestamp", 0), datetime(2024, 1, 1, 0, 0, 0, 1)),
    (field("c", pa.timestamp("s")), column("timestamp"), -300_000_000_000),
    (field("c", pa.date32()), column("date"), -2_500_000),
    (field("c", pa.duration("us"), osiris="time"), column("time"), timedelta(hours=838)),
    (field("c", pa.duration("us"), osiris="time"), column("time"), timedelta(hours=-1)),
    (field("c", pa.duration("ns")), column("interval"), 1),
]

REFUSED: list[tuple[pa.Field, PgColumn]] = [
    (field("c", pa.string()), column("int4")),
    (field("c", pa.int32()), column("text")),
    (field("c", pa.decimal128(10, 2)), column("float8")),
    (field("c", pa.binary()), column("text")),
    (field("c", pa.binary(), osiris="wkb"), column("json")),
    (field("c", pa.timestamp("us")), column("date")),
    (field("c", pa.timestamp("us")), column("timestamptz")),
    (field("c", pa.timestamp("us", "UTC")), column("timestamp")),
    (field("c", pa.duration("us")), column("interval", 3)),
    (field("c", pa.list_(pa.int32())), column("", type_text="integer[]")),
    (field("c", pa.string(), osiris="text_form", source="mysql:inet6"), column("inet")),
    (field("c", pa.string(), osiris="text_form", source="postgres:int4[]"), column("", type_text="int8[]")),
    (field("c", pa.string(), osiris="json"), column("uuid", type_text="inet")),
    (field("c", pa.bool_()), column("float8")),
]


def one(source: pa.Field, value: Any) -> pa.Array:
    return pa.array([None, value], source.type)


@pytest.mark.parametrize(("source", "target", "value"), FITS, ids=lambda x: str(getattr(x, "type", x)))
def test_what_fits_keeps_its_nulls(source: pa.Field, target: PgColumn, value: Any) -> None:
    made = conversion(source, target)
    result = made.apply(one(source, value))
    assert result.type == made.storage
    assert result.is_valid().to_pylist() == [False, value is not None]


@pytest.mark.parametrize(("source", "target", "value"), LOSES, ids=lambda x: str(getattr(x, "type", x)))
def test_what_would_change_is_refused(source: pa.Field, target: PgColumn, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        conversion(source, target).apply(one(source, value))


@pytest.mark.parametrize(("source", "target"), REFUSED, ids=lambda x: str(getattr(x, "type", x)))
def test_types_that_do_not_fit_are_refused_before_a_row_moves(source: pa.Field, target: PgColumn) -> None:
    if target.base == "uuid":
        with pytest.raises(ValueError, match="UUID"):
            conversion(source, target).apply(one(source, "{}"))
        return
    with pytest.raises(MismatchError, match="does not fit"):
        conversion(source, target)


def test_local_times_become_utc_only_when_asked() -> None:
    source = field("c", pa.timestamp("us"))
    made = conversion(source, column("timestamptz"), utc=True)
    assert made.zone
    assert made.apply(one(source, datetime(2024, 1, 1))).cast(pa.int64())[1].as_py() == 1_704_067_200_000_000


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (field("c", pa.uint32(), source="mysql:int unsigned"), "bigint"),
        (field("c", pa.uint64(), source="mysql:bigint unsigned"), "numeric(20,0)"),
        (field("c", pa.int8(), source="mysql:tinyint(1)"), "smallint"),
        (field("c", pa.decimal256(65, 30)), "numeric(65,30)"),
        (field("c", pa.timestamp("us"), source="mysql:datetime(3)"), "timestamp(3) without time zone"),
        (field("c", pa.timestamp("us"), source="mysql:datetime"), "timestamp(0) without time zone"),
        (field("c", pa.timestamp("us", "UTC"), source="mysql:timestamp(6)"), "timestamp(6) with time zone"),
        (field("c", pa.timestamp("ms")), "timestamp(3) without time zone"),
        (field("c", pa.duration("us"), osiris="time", source="mysql:time(6)"), "interval"),
        (field("c", pa.int16(), source="mysql:year"), "smallint"),
        (field("c", pa.string(), osiris="json"), "json"),
        (field("c", pa.bool_(), source="mysql:bit(1)"), "boolean"),
        (field("c", pa.string(), osiris="bit", source="mysql:bit(12)"), "bit(12)"),
        (field("c", pa.string(), osiris="set", source="mysql:set('a','b')"), "text"),
        (field("c", pa.binary(), osiris="wkb", source="mysql:point"), "bytea"),
        (field("c", pa.string(), osiris="uuid"), "uuid"),
        (field("c", pa.string(), osiris="decimal"), "numeric"),
        (field("c", pa.string(), source="postgres:character varying(20)"), "character varying(20)"),
        (field("c", pa.string(), osiris="text_form", source="postgres:integer[]"), "integer[]"),
        (field("c", pa.string(), osiris="text_form", source='postgres:x"; DROP TABLE t; --'), "text"),
        (field("c", pa.list_(pa.int32())), None),
    ],
    ids=lambda x: str(getattr(x, "metadata", x)),
)
def test_the_type_of_a_column_that_is_made(source: pa.Field, expected: str | None) -> None:
    """MOVEMENT's type map."""
    assert created_type(source) == expected


def test_what_is_made_for_a_type_takes_that_type() -> None:
    kinds = [pa.int8(), pa.uint16(), pa.uint64(), pa.float16(), pa.decimal128(5, -2), pa.date64(), pa.time32("ms")]
    for kind in (*kinds, pa.large_binary(), pa.binary_view(), pa.string_view(), pa.duration("s")):
        assert created_type(pa.field("c", kind)) is not None, kind


@pytest.mark.parametrize(
    ("precision", "scale", "digits"), [(10, 2, (10, 2)), (5, -2, (7, 0)), (3, 5, (5, 5)), (1000, 0, (1000, 0))]
)
def test_numeric_modifiers(precision: int, scale: int, digits: tuple[int, int]) -> None:
    assert numeric_digits(numeric(precision, scale).typmod) == digits


@pytest.mark.parametrize(
    ("target", "arrow", "osiris"),
    [
        (column("numeric"), "string", "decimal"),
        (numeric(38, 10), "decimal128(38, 10)", ""),
        (numeric(76, 0), "decimal256(76, 0)", ""),
        (numeric(77, 0), "string", "decimal"),
        (column("timestamptz"), "timestamp[us, tz=UTC]", ""),
        (column("", type_text="integer[]"), "string", "text_form"),
        (column("", kind="e", type_text="public.mood"), "string", "enum"),
        (column("jsonb"), "string", "json"),
        (column("money"), "string", "text_form"),
    ],
    ids=lambda x: str(getattr(x, "type", x)),
)
def test_how_a_column_is_read(target: PgColumn, arrow: str, osiris: str) -> None:
    made = read_column(target).field
    assert (str(made.type), (made.metadata.get(b"osiris.type") or b"").decode()) == (arrow, osiris)
    assert made.metadata[b"osiris.source_type"] == f"postgres:{target.type}".encode()


def test_dates_keep_the_whole_range() -> None:
    source = field("c", pa.date32())
    days = conversion(source, column("date")).apply(pa.array([date(1, 1, 1), date(9999, 12, 31)]))
    assert days.to_pylist() == [date(1, 1, 1), date(9999, 12, 31)]
