"""``verify: checksum`` at the source: what was read is what the server has.

The server hashes every row as it would send it in a record, and adds the hashes up in the snapshot that was read. We
make the same bytes of the Arrow values that are handed out, so that what changes on the way is found, and a fault of
the decoder as well. Every type takes part to its last bit: floats travel in binary, what has no type in Arrow as text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core.data import BucketSums, DifferingRows
from osiris_postgres.decode import Decoder, chunks
from osiris_postgres.relations import PgColumn
from osiris_postgres.types import ReadColumn, read_column
from osiris_postgres.wire import interval_from_calendar

if TYPE_CHECKING:
    import psycopg

#: Rows fall into one of so many by their hash, so that few are read again when some differ. A power of two.
BUCKETS = 256
#: Of a row's hash: 56 bits are never negative in int8, and the sum of a bucket is a numeric, which never overflows.
_HASH_BYTES = 7
_CHECK_BYTES = 2 * 1024 * 1024
_CHECK = ReadColumn(pa.field("hash", pa.int64()), "int8", False)
#: The types that rows are sent in. Their numbers are the same in every PostgreSQL and part of what is hashed.
_OIDS = {
    "bool": 16,
    "bytea": 17,
    "int8": 20,
    "int2": 21,
    "int4": 23,
    "text": 25,
    "json": 114,
    "float4": 700,
    "float8": 701,
    "bpchar": 1042,
    "varchar": 1043,
    "date": 1082,
    "time": 1083,
    "timestamp": 1114,
    "timestamptz": 1184,
    "interval": 1186,
}
_EPOCH = date(2000, 1, 1) - date(1970, 1, 1)

#: A statement over the rows of the read: its select list and a condition more, with every value as a literal.
Over = Callable[[Sequence[str], Sequence[str]], str]


class SourceChecksum:
    """Sums up the rows of one read, and has the server do the same.

    Args:
        connection: the reader's, in its snapshot.
        title: of what is read, for messages.
        columns: those that are read.
        key: columns that tell rows apart; named in the message where all of them are read.
        over: makes a statement over the rows that are read, proved to be one (``proof.one_statement``).
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        title: str,
        columns: Sequence[PgColumn],
        key: Sequence[str],
        over: Over,
    ) -> None:
        self._connection = connection
        self._title = title
        self._reads = [read_column(column) for column in columns]
        self._sent = [_sent_as(column, read) for column, read in zip(columns, self._reads, strict=True)]
        self._key = list(key) if {column.name for column in columns}.issuperset(key) else []
        self._over = over
        self._sums = BucketSums(BUCKETS)

    def add(self, batch: pa.RecordBatch) -> None:
        """A batch as it is handed out."""
        if not batch.num_rows:  # so are all batches of a table without columns
            return
        hashes = self._hashes(batch)
        self._sums.add((hashes % np.uint64(BUCKETS)).astype(np.int64), hashes)

    def check(self) -> None:
        """Raise ReconciliationError naming the first rows that the server has otherwise. No COPY may be under way."""
        wrong = self._differing_buckets()
        if wrong:
            raise self._differing_rows(wrong).error(
                "a foreign table may have changed meanwhile, and where_sql over random() never chooses alike: write "
                "verify: count; otherwise please report it"
            )

    def _differing_buckets(self) -> list[int]:
        rows = self._over([f"{self._hash()} AS hash"], ())
        # OFFSET 0 keeps the planner from hashing a row once for its bucket and once more for the sum.
        sql = (
            f"SELECT {_bucket('hash')}, pg_catalog.count(*), pg_catalog.sum(hash) "
            f"FROM (SELECT hash FROM ({rows}\n) AS hashes OFFSET 0) AS hashed GROUP BY 1"
        )
        return self._sums.differing(self._connection.execute(sql, binary=True))

    def _differing_rows(self, wrong: Sequence[int]) -> DifferingRows:
        """The rows that differ, read once more with the server's own hash beside each."""
        differing = DifferingRows(self._title, self._key)
        if not self._key:
            return differing
        selected = [*(read.expression for read in self._reads), self._hash()]
        names = [f"{expression} AS _osiris_{i}" for i, expression in enumerate(selected)]
        among = ", ".join(map(str, wrong))
        sql = self._over(names, [f"{_bucket(self._hash())} OPERATOR(pg_catalog.=) ANY (ARRAY[{among}])"])
        reads = [*self._reads, _CHECK]
        decoder = Decoder(reads, pa.schema([read.field for read in reads]))
        with self._connection.cursor().copy(f"COPY ({sql}\n) TO STDOUT (FORMAT binary)") as copy:
            for rows in chunks(copy, _CHECK_BYTES):
                decoded = decoder.decode(rows)
                batch = decoded.select(list(range(len(self._reads))))
                differing.compare(batch, self._hashes(batch), decoded.columns[-1])
        return differing

    # -- a row's hash, as the server makes it and as we do ---------------------------------------------
    def _hash(self) -> str:
        sent = (f"{read.expression}::pg_catalog.{kind}" for read, kind in zip(self._reads, self._sent, strict=True))
        row = f"pg_catalog.sha256(pg_catalog.record_send(ROW({', '.join(sent)})))"
        digits = f"pg_catalog.encode(pg_catalog.substr({row}, 1, {_HASH_BYTES}), 'hex')"
        return f"('x' OPERATOR(pg_catalog.||) {digits})::pg_catalog.bit({_HASH_BYTES * 8})::pg_catalog.int8"

    def _hashes(self, batch: pa.RecordBatch) -> Any:
        rows = _records(batch.columns, self._reads, self._sent)
        offsets, data = np.frombuffer(rows.buffers()[1], np.int32, len(rows) + 1), memoryview(rows.buffers()[2])
        digests = b"".join([sha256(data[start:end]).digest() for start, end in pairwise(offsets.tolist())])
        first = np.frombuffer(digests, ">u8").reshape(len(rows), -1)[:, 0]
        return first.astype(np.uint64) >> np.uint64(64 - 8 * _HASH_BYTES)


def _bucket(value: str) -> str:
    return f"(({value}) OPERATOR(pg_catalog.&) {BUCKETS - 1})"


def _sent_as(column: PgColumn, read: ReadColumn) -> str:
    """The type that a value is hashed in: what it is read as, below any domain."""
    return "text" if read.as_text or column.base not in _OIDS else column.base


# -- a record as the server sends it: how many fields, then the type, the length and the bytes of each ------
def _records(arrays: Sequence[pa.Array], reads: Sequence[ReadColumn], sent: Sequence[str]) -> pa.Array:
    parts: list[Any] = [pa.scalar(struct.pack("!i", len(reads)), pa.binary())]
    for array, read, kind in zip(arrays, reads, sent, strict=True):
        values = _BYTES.get(read.wire, _as_they_are)(array).cast(pa.binary())
        heads = np.empty(len(values), [("oid", ">i4"), ("size", ">i4")])
        heads["oid"] = _OIDS[kind]
        heads["size"] = pc.binary_length(values).fill_null(-1).to_numpy()
        parts += [_packed(heads).cast(pa.binary()), values]
    separator = pa.scalar(b"", pa.binary())
    return pc.binary_join_element_wise(*parts, separator, null_handling="replace", null_replacement=b"")


def _packed(values: Any) -> pa.Array:
    """The bytes of numpy's values."""
    return pa.Array.from_buffers(pa.binary(values.dtype.itemsize), len(values), [None, pa.py_buffer(values)])


def _number(form: str, seen_as: pa.DataType | None = None, epoch: int = 0) -> Callable[[pa.Array], pa.Array]:
    def pack(array: pa.Array) -> pa.Array:
        values = (array if seen_as is None else array.cast(seen_as)).fill_null(epoch).to_numpy(zero_copy_only=False)
        packed = _packed((values - epoch if epoch else values).astype(form))
        return pc.if_else(array.is_valid(), packed, None) if array.null_count else packed

    return pack


def _decimal(array: pa.Array) -> pa.Array:
    """The server writes every digit; Arrow writes 1E-7."""
    text = array.cast(pa.string())
    scientific = pc.match_substring(text, "E").fill_null(False)
    if not pc.any(scientific).as_py():
        return text
    plain = [f"{value:f}" for value in array.filter(scientific).to_pylist()]
    return pc.replace_with_mask(text, scientific, pa.array(plain, pa.string()))


def _as_they_are(array: pa.Array) -> pa.Array:
    return array


_BYTES: dict[str, Callable[[pa.Array], pa.Array]] = {
    "bool": _number("u1", pa.uint8()),
    "int2": _number(">i2"),
    "int4": _number(">i4"),
    "int8": _number(">i8"),
    "float4": _number(">f4"),
    "float8": _number(">f8"),
    "date": _number(">i4", pa.int32(), _EPOCH.days),
    "time": _number(">i8", pa.int64()),
    "timestamp": _number(">i8", pa.int64(), _EPOCH // timedelta(microseconds=1)),
    "interval": interval_from_calendar,
    "decimal": _decimal,
}
