"""Values of binary COPY that Arrow types cannot carry, as bytes: numeric, interval, uuid, bit, jsonb's text."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MICROSECONDS_PER_DAY = 86_400_000_000
_NUMERIC_POSITIVE, _NUMERIC_NEGATIVE = 0x0000, 0x4000
_NUMERIC_SPECIAL = {"NaN": 0xC000, "Infinity": 0xD000, "-Infinity": 0xF000}
_HEX = np.full(256, 255, np.uint8)
_HEX[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10, dtype=np.uint8)
_HEX[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16, dtype=np.uint8)
_HEX[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16, dtype=np.uint8)
_UUID_DASHES = np.array([8, 13, 18, 23])
_UUID_DIGITS = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


def numeric_bytes(value: Decimal) -> bytes:
    """A decimal in PostgreSQL's base 10,000: exact at any size, the written scale kept.

    Raises ValueError beyond PostgreSQL's limits (131,072 digits before the point, 16,383 after).
    """
    if not value.is_finite():
        name = "NaN" if value.is_nan() else str(value.normalize())
        return struct.pack("!hhHh", 0, 0, _NUMERIC_SPECIAL[name], 0)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    text = ("".join(map(str, digits)) + "0" * max(0, exponent)).rjust(scale, "0")
    whole, fraction = text[: len(text) - scale], text[len(text) - scale :]
    if scale > 16_383 or len(whole) > 131_072:
        raise ValueError("a decimal with more digits than PostgreSQL can hold")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    groups = [int((whole + fraction)[i : i + 4]) for i in range(0, len(whole) + len(fraction), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    if not groups:
        return struct.pack("!hhHh", 0, 0, _NUMERIC_POSITIVE, scale)
    head = struct.pack("!hhHh", len(groups), weight, _NUMERIC_NEGATIVE if sign else _NUMERIC_POSITIVE, scale)
    return head + struct.pack(f"!{len(groups)}h", *groups)


def bit_bytes(text: str) -> bytes:
    """A bit string: its length, then its bits from the left. Raises ValueError on anything but 0 and 1."""
    if text.strip("01"):
        raise ValueError("a bit string holds only 0 and 1")
    length = len(text)
    size = -(-length // 8)
    return struct.pack("!i", length) + int(text.ljust(size * 8, "0") or "0", 2).to_bytes(size, "big")


def map_values(array: pa.Array, encode: Callable[[Any], bytes]) -> pa.Array:
    """A binary array of ``encode(value)``, NULL staying NULL."""
    return pa.array([None if value is None else encode(value) for value in array.to_pylist()], pa.binary())


def uuid_bytes(array: pa.Array) -> pa.Array:
    """16 bytes from UUIDs in their canonical text form, either case. Raises ValueError on any other form."""
    valid = array.drop_null()
    if len(valid) and not pc.all(pc.equal(pc.binary_length(valid), 36)).as_py():
        raise ValueError("not a UUID in its canonical form")
    text = np.frombuffer(b"".join(valid.cast(pa.binary()).to_pylist()), np.uint8).reshape(len(valid), 36)
    digits = _HEX[text[:, _UUID_DIGITS]]
    if (text[:, _UUID_DASHES] != ord("-")).any() or (digits == 255).any():
        raise ValueError("not a UUID in its canonical form")
    return _fixed_16(digits[:, 0::2] << 4 | digits[:, 1::2], array)


def interval_from_duration(array: pa.Array) -> pa.Array:
    """16 bytes from durations: all of it in microseconds, so 838:59:59 stays 838 hours and signs stay."""
    microseconds = array.cast(pa.duration("us"), safe=True).drop_null().cast(pa.int64())
    return interval_bytes(array, microseconds.to_numpy(), 0, 0)


def interval_from_calendar(array: pa.Array) -> pa.Array:
    """16 bytes from Arrow's calendar intervals. Raises ValueError on parts of a microsecond."""
    values = array.drop_null()
    parts = np.frombuffer(values.buffers()[1] or b"", np.dtype([("m", "<i4"), ("d", "<i4"), ("n", "<i8")]))
    parts = parts[values.offset : values.offset + len(values)]
    if (parts["n"] % 1000).any():
        raise ValueError("an interval with parts of a microsecond")
    return interval_bytes(array, parts["n"] // 1000, parts["d"], parts["m"])


def interval_bytes(like: pa.Array, microseconds: Any, days: Any, months: Any) -> pa.Array:
    """16 bytes per valid value of ``like``."""
    out = np.zeros(len(like) - like.null_count, np.dtype([("u", ">i8"), ("d", ">i4"), ("m", ">i4")]))
    out["u"], out["d"], out["m"] = microseconds, days, months
    return _fixed_16(out.view(np.uint8).reshape(-1, 16), like)


def _fixed_16(rows: Any, like: pa.Array) -> pa.Array:
    """Rows of 16 bytes as an Arrow array with the NULLs of ``like``."""
    data = np.ascontiguousarray(rows, np.uint8)
    dense = pa.Array.from_buffers(pa.binary(16), len(rows), [None, pa.py_buffer(data)])
    if not like.null_count:
        return dense
    positions = pc.if_else(like.is_valid(), pc.cumulative_sum(like.is_valid().cast(pa.int64())), None)
    return dense.take(pc.subtract(positions, 1))
