"""Reading ahead of the writer: bounded in bytes, whole, and stopped when nobody wants more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from osiris_core.data import BatchStream
from osiris_core.run.readahead import ReadAhead

SCHEMA = pa.schema([("id", pa.int64())])


def stream(batches: Iterator[pa.RecordBatch]) -> BatchStream:
    return BatchStream(SCHEMA, batches)


def batch(*ids: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(ids, pa.int64())], schema=SCHEMA)


def test_all_batches_of_all_sources_come_once() -> None:
    sources = [lambda n=n: stream(iter([batch(n), batch(n + 100)])) for n in range(10)]
    ids = [row for part in ReadAhead(sources, threads=3) for row in part.column(0).to_pylist()]
    assert sorted(ids) == [*range(10), *range(100, 110)]


def test_what_waits_is_bounded_in_bytes() -> None:
    made = 0

    def many() -> Iterator[pa.RecordBatch]:
        nonlocal made
        for number in range(100):
            made += 1
            yield batch(*range(number, number + 10))

    ahead = iter(ReadAhead([lambda: stream(many())], threads=1, max_bytes=3 * batch(*range(10)).nbytes))
    next(ahead)
    time.sleep(0.2)
    assert 3 <= made <= 6
    assert len(list(ahead)) == 99


def test_one_huge_batch_passes_alone() -> None:
    huge = [batch(*range(10_000)) for _ in range(3)]
    assert len(list(ReadAhead([lambda: stream(iter(huge))], threads=1, max_bytes=10))) == 3


def test_an_error_of_a_source_reaches_the_reader() -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        list(ReadAhead([lambda: stream(broken()), lambda: stream(iter([batch(2)]))], threads=2))


def test_a_source_that_cannot_be_opened_reaches_the_reader() -> None:
    def refuse() -> BatchStream:
        raise ConnectionError("refused")

    with pytest.raises(ConnectionError, match="refused"):
        list(ReadAhead([lambda: stream(iter([batch(1)])), refuse], threads=1))


def test_threads_end_when_nobody_reads_on() -> None:
    def endless() -> Iterator[pa.RecordBatch]:
        while True:
            yield batch(1)

    before = threading.active_count()
    ahead = iter(ReadAhead([lambda: stream(endless()), lambda: stream(endless())], threads=2, max_bytes=100))
    next(ahead)
    assert threading.active_count() == before + 2
    ahead.close()
    assert threading.active_count() == before
