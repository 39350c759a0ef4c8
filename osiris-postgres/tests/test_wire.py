"""The bytes of binary COPY, without a server: both encoders agree, and what is decoded is what was encoded."""

from __future__ import annotations

import sys
from datetime import date, datetime, time
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_postgres.decode import Decoder, chunks
from osiris_postgres.encode import PgpqEncoder, PythonEncoder, encoder
from osiris_postgres.staging import KeyOrder
from osiris_postgres.types import ReadColumn
from osiris_postgres.verify import _hash_bytes
from osiris_postgres.wire import bit_bytes, interval_from_calendar, interval_from_duration, numeric_bytes, uuid_bytes

COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bool": (pa.bool_(), [True, False, None]),
    "int2": (pa.int16(), [-(2**15), 2**15 - 1, None]),
    "int4": (pa.int32(), [-(2**31), 2**31 - 1, None]),
    "int8": (pa.int64(), [-(2**63), 2**63 - 1, None]),
    "float4": (pa.float32(), [16777216.0, -0.0, None]),
    "float8": (pa.float64(), [0.1, float("inf"), None]),
    "date": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None]),
    "time": (pa.time64("us"), [time(23, 59, 59, 999999), time(0), None]),
    "timestamp": (pa.timestamp("us"), [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), None]),
    "text": (pa.string(), ["", "žluťoučký 🐎", None]),
    "bytes": (pa.binary(), [b"", b"\0\xff", None]),
    "decimal": (pa.decimal128(12, 4), [Decimal("12345678.0001"), Decimal("-0.5000"), None]),
}


def batch() -> pa.RecordBatch:
    return pa.record_batch({name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()})


def copied(made: Any, data: pa.RecordBatch) -> bytes:
    return bytes(made.header() + made.batch(data) + made.finish())


def test_both_encoders_make_the_same_bytes() -> None:
    data = batch()
    assert copied(PythonEncoder(data.schema, ()), data) == copied(PgpqEncoder(data.schema, ()), data)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**20), max_value=10**20)),
    st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"))),
)
def test_both_encoders_agree_on_any_decimal_and_text(numbers: list[Decimal], texts: list[str]) -> None:
    length = min(len(numbers), len(texts))
    data = pa.record_batch(
        {"n": pa.array(numbers[:length], pa.decimal128(38, 10)), "t": pa.array(texts[:length], pa.string())}
    )
    assert copied(PythonEncoder(data.schema, ()), data) == copied(PgpqEncoder(data.schema, ()), data)


def test_slices_are_encoded_as_what_they_show() -> None:
    data = batch()
    for made in (PythonEncoder(data.schema, ()), PgpqEncoder(data.schema, ())):
        whole = pa.record_batch([column.take([1, 2]) for column in data.columns], schema=data.schema)
        assert copied(made, data.slice(1)) == copied(type(made)(data.schema, ()), whole)


def test_a_platform_without_pgpq_gets_the_plain_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """MOVEMENT: pgpq has no Linux aarch64 wheel."""
    assert isinstance(encoder(batch().schema, ()), PgpqEncoder)
    monkeypatch.setitem(sys.modules, "pgpq", None)
    assert isinstance(encoder(batch().schema, ()), PythonEncoder)


def rows_of_copy(data: bytes, columns: int) -> list[bytes]:
    """The messages a server would send: one a row, the header with the first."""
    place, rows = 19, []
    while data[place : place + 2] != b"\xff\xff":
        start = place
        place += 2
        for _ in range(columns):
            size = int.from_bytes(data[place : place + 4], "big", signed=True)
            place += 4 + max(size, 0)
        rows.append(data[start:place])
    return [data[:19] + rows[0], *rows[1:], b"\xff\xff"]


def test_what_was_encoded_is_decoded() -> None:
    data = batch().drop_columns(["decimal"])
    reads = [ReadColumn(data.schema.field(name), name, False) for name in data.schema.names]
    messages = rows_of_copy(copied(PythonEncoder(data.schema, ()), data), data.num_columns)
    for size in (1, 10**6):
        decoded = [Decoder(reads, data.schema).decode(rows) for rows in chunks(messages, size)]
        assert pa.Table.from_batches(decoded).combine_chunks().to_batches()[0] == data


@settings(max_examples=300, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: -200 < d.adjusted() < 200))
def test_numeric_keeps_every_digit(number: Decimal) -> None:
    raw = numeric_bytes(number)
    count, weight = (int.from_bytes(raw[i : i + 2], "big", signed=True) for i in (0, 2))
    sign, scale = int.from_bytes(raw[4:6], "big"), int.from_bytes(raw[6:8], "big")
    groups = [int.from_bytes(raw[8 + 2 * i : 10 + 2 * i], "big") for i in range(count)]
    with localcontext(prec=1000):
        exact = sum((Decimal(group).scaleb(4 * (weight - i)) for i, group in enumerate(groups)), Decimal(0))
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    assert (exact if sign == 0 else exact.copy_negate()) == number
    assert scale == max(0, -exponent)
    assert all(0 <= group < 10_000 for group in groups)
    assert bool(groups) == bool(number)
    assert 0 not in groups[:1] + groups[-1:]


@pytest.mark.parametrize(("text", "head"), [("NaN", "c000"), ("Infinity", "d000"), ("-Infinity", "f000")])
def test_numeric_specials(text: str, head: str) -> None:
    assert numeric_bytes(Decimal(text)).hex() == f"00000000{head}0000"


def test_a_decimal_beyond_the_server_is_refused() -> None:
    with pytest.raises(ValueError, match="more digits"):
        numeric_bytes(Decimal("1E-20000"))


def test_intervals_keep_hours_beyond_a_day_and_signs() -> None:
    """TRAPS: TIME 838:59:59, -01:30:00: dlt makes 22:59:59 and 22:30:00 of them."""
    durations = pa.array([3_020_399_000_000, None, -5_400_000_000], pa.duration("us"))
    microseconds = [
        None if raw is None else int.from_bytes(raw[:8], "big", signed=True)
        for raw in interval_from_duration(durations).to_pylist()
    ]
    assert microseconds == [3_020_399_000_000, None, -5_400_000_000]


def test_calendar_intervals() -> None:
    values = pa.array(
        [None, pa.MonthDayNano([14, -3, 5_000]), pa.MonthDayNano([0, 0, 0])], pa.month_day_nano_interval()
    )
    raw = interval_from_calendar(values.slice(1)).to_pylist()
    assert raw[0] == (5).to_bytes(8, "big") + (-3).to_bytes(4, "big", signed=True) + (14).to_bytes(4, "big")
    with pytest.raises(ValueError, match="microsecond"):
        interval_from_calendar(pa.array([pa.MonthDayNano([0, 0, 1])]))


def test_uuids() -> None:
    texts = ["6F1E3A52-9c1b-4f7e-8d2a-ffffffffffff", None, "00000000-0000-0000-0000-000000000000"]
    expected = [None if text is None else UUID(text).bytes for text in texts]
    assert uuid_bytes(pa.array(texts)).to_pylist() == expected
    for wrong in ("6F1E3A529c1b4f7e8d2affffffffffff", "{6F1E3A52-9c1b-4f7e-8d2a-ffffffffff}", "g" * 36):
        with pytest.raises(ValueError, match="UUID"):
            uuid_bytes(pa.array([wrong]))


def test_bits() -> None:
    assert bit_bytes("101100001") == b"\0\0\0\x09\xb0\x80"
    assert bit_bytes("") == b"\0\0\0\0"
    with pytest.raises(ValueError, match="0 and 1"):
        bit_bytes("12")


@pytest.mark.parametrize(
    ("batches", "rising"),
    [
        ([[(1, "a"), (1, "b"), (2, "a")]], True),
        ([[(1, "a")], [(1, "a")]], False),
        ([[(1, "b")], [(1, "a")]], False),
        ([[(1, "a"), (2, "a")], [], [(3, "a")]], True),
        ([[(2, "a"), (1, "z")]], False),
    ],
)
def test_key_order_is_watched_across_batches(batches: list[list[tuple[int, str]]], rising: bool) -> None:
    order = KeyOrder()
    for rows in batches:
        order.see([pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows], pa.string())])
    assert order.rising is rising


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(), min_size=1))
def test_the_checksum_tells_different_bytes_apart(values: list[bytes]) -> None:
    hashes = _hash_bytes(pa.array(values, pa.large_binary()))
    by_value = dict(zip(values, hashes, strict=True))
    assert len(set(by_value.values())) == len(by_value)
    assert hashes.dtype == np.uint64
