"""``verify: checksum`` at a source: sums of the rows that were read beside the server's, and the rows that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core.errors import ReconciliationError

_SHOWN = 3


class BucketSums:
    """How many rows fell into each bucket, and the sum of their hashes modulo 2**64: equal in any order of the rows.

    Args:
        buckets: how many there are.
    """

    def __init__(self, buckets: int) -> None:
        self._sums = np.zeros(buckets, np.uint64)
        self._counts = np.zeros(buckets, np.int64)

    def add(self, buckets: Any, hashes: Any) -> None:
        """Rows: the bucket (int64) and the hash (uint64) of each, as arrays of numpy."""
        np.add.at(self._sums, buckets, hashes)
        self._counts += np.bincount(buckets, minlength=len(self._counts))

    def differing(self, theirs: Iterable[tuple[Any, Any, Any]]) -> list[int]:
        """The buckets of which the server says otherwise; of each that it has rows in: number, count and sum."""
        sums, counts = np.zeros_like(self._sums), np.zeros_like(self._counts)
        for bucket, count, total in theirs:
            counts[int(bucket)], sums[int(bucket)] = count, int(total) % 2**64
        return [int(bucket) for bucket in np.flatnonzero((sums != self._sums) | (counts != self._counts))]


class DifferingRows:
    """Counts the rows whose hash is not the server's, and keeps the first keys in the order of their texts.

    Args:
        title: of what was read.
        keys: columns that tell its rows apart, all among those read. Without any, nothing is named.
    """

    def __init__(self, title: str, keys: Sequence[str]) -> None:
        self._title = title
        self._keys = list(keys)
        self._count = 0
        self._first: list[str] = []

    def compare(self, batch: pa.RecordBatch, ours: Any, theirs: pa.Array) -> None:
        """Rows that were read again, our hash of each (below 2**64) and the server's."""
        differ = pc.not_equal(pa.array(ours, pa.uint64()), theirs.cast(pa.uint64())).fill_null(True)
        rows = batch.select(self._keys).take(pc.indices_nonzero(differ))
        self._count += rows.num_rows
        texts = [[f"{key}={value}" for value in _shown(rows.column(key))] for key in self._keys]
        named = [", ".join(row) for row in zip(*texts, strict=True)]
        self._first = sorted([*self._first, *named])[:_SHOWN]

    def error(self, hint: str) -> ReconciliationError:
        """What ends the stream. When no row differs by now, the read lost or doubled some, or erred only once."""
        found = f", {self._count} of them, first {'; '.join(self._first)}" if self._count else ""
        return ReconciliationError(
            f"{self._title}: rows that were read are not what the server has{found}; nothing was written", hint=hint
        )


def _shown(values: pa.Array) -> list[str]:
    """Each value for a message; Python has no dates before Christ."""
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
        return [str(text) for text in values.cast(pa.string()).to_pylist()]
    return [repr(value) for value in values.to_pylist()]
