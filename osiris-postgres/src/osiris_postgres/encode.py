"""Binary COPY from record batches: pgpq where it is installed, plain Python elsewhere, the same bytes from both.

Batches come converted (``osiris_postgres.convert``): only the types of ``_PACKERS``, decimals and texts are left.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import Any, Protocol

import pyarrow as pa

from osiris_postgres.wire import numeric_bytes

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_EPOCH_DAYS = 10_957  # from 1970-01-01 to 2000-01-01
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000


class Encoder(Protocol):
    """Record batches in, the bytes of one binary COPY out."""

    def header(self) -> bytes: ...
    def batch(self, batch: pa.RecordBatch) -> bytes: ...
    def finish(self) -> bytes: ...


def encoder(schema: pa.Schema, jsonb: Collection[str]) -> Encoder:
    """The fastest encoder there is for ``schema``; columns named in ``jsonb`` are JSON text for jsonb."""
    try:
        import pgpq  # noqa: F401 - is it there?
    except ImportError:  # no wheel for this platform
        return PythonEncoder(schema, jsonb)
    return PgpqEncoder(schema, jsonb)


class PgpqEncoder:
    """pgpq, with column names of its own choosing so that no name of the user's can confuse it."""

    def __init__(self, schema: pa.Schema, jsonb: Collection[str]) -> None:
        from pgpq import ArrowToPostgresBinaryEncoder
        from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder, StringViewEncoderBuilder
        from pgpq.schema import Jsonb

        texts: dict[pa.DataType, Any] = {
            pa.string(): StringEncoderBuilder,
            pa.large_string(): LargeStringEncoderBuilder,
            pa.string_view(): StringViewEncoderBuilder,
        }
        self._schema = pa.schema([pa.field(f"c{i}", f.type) for i, f in enumerate(schema)])
        builders = {f.name: ArrowToPostgresBinaryEncoder.infer_encoder(f) for f in self._schema}
        for index, original in enumerate(schema):
            if original.name in jsonb:
                builders[f"c{index}"] = texts[original.type].new_with_output(self._schema.field(index), Jsonb())
        self._encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(self._schema, builders)

    def header(self) -> bytes:
        return bytes(self._encoder.write_header())

    def batch(self, batch: pa.RecordBatch) -> bytes:
        renamed = pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
        return bytes(self._encoder.write_batch(renamed))

    def finish(self) -> bytes:
        return bytes(self._encoder.finish())


def _fixed(form: str, offset: int = 0) -> Callable[[Any], bytes]:
    pack = struct.Struct(form).pack
    size = struct.pack("!i", struct.calcsize(form))
    return lambda value: size + pack(value - offset)


def _variable(value: bytes) -> bytes:
    return struct.pack("!i", len(value)) + value


def _bool(value: bool) -> bytes:
    return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


#: Arrow storage → (type to see the values as, how one is packed with its length before it).
_PACKERS: dict[pa.DataType, tuple[pa.DataType | None, Callable[[Any], bytes]]] = {
    pa.bool_(): (None, _bool),
    pa.int8(): (None, _fixed("!h")),
    pa.int16(): (None, _fixed("!h")),
    pa.int32(): (None, _fixed("!i")),
    pa.int64(): (None, _fixed("!q")),
    pa.float32(): (None, _fixed("!f")),
    pa.float64(): (None, _fixed("!d")),
    pa.date32(): (pa.int32(), _fixed("!i", _EPOCH_DAYS)),
    pa.time64("us"): (pa.int64(), _fixed("!q")),
}


def _packer(storage: pa.DataType, jsonb: bool) -> tuple[pa.DataType | None, Callable[[Any], bytes]]:
    if storage in _PACKERS:
        return _PACKERS[storage]
    if pa.types.is_timestamp(storage):
        return pa.int64(), _fixed("!q", _EPOCH_MICROSECONDS)
    if pa.types.is_decimal(storage):
        return None, lambda value: _variable(numeric_bytes(value))
    version = b"\1" if jsonb else b""
    if pa.types.is_string(storage) or pa.types.is_large_string(storage) or pa.types.is_string_view(storage):
        return None, lambda value: _variable(version + value.encode())
    return None, _variable


class PythonEncoder:
    """The same in plain Python, for platforms that pgpq has no wheel for."""

    def __init__(self, schema: pa.Schema, jsonb: Collection[str]) -> None:
        self._packers = [_packer(f.type, f.name in jsonb) for f in schema]
        self._count = struct.pack("!h", len(schema))

    def header(self) -> bytes:
        return _SIGNATURE

    def batch(self, batch: pa.RecordBatch) -> bytes:
        null = struct.pack("!i", -1)
        columns = []
        for array, (view, pack) in zip(batch.columns, self._packers, strict=True):
            values = (array if view is None else array.cast(view)).to_pylist()
            columns.append([null if value is None else pack(value) for value in values])
        return b"".join(self._count + b"".join(row) for row in zip(*columns, strict=True))

    def finish(self) -> bytes:
        return struct.pack("!h", -1)
