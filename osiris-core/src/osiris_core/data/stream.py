"""Arrow streams: one class to hand out, and adapters for whatever else speaks the PyCapsule interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from osiris_core.drivers import BATCH_BYTES


class BatchStream:
    """An ``ArrowStream`` over a schema and an iterator of record batches.

    Args:
        schema: Arrow schema of every batch.
        batches: record batches (or a generator of them), consumed once.
        on_close: called once, by ``close`` or at the end of the batches.
        coerced: gives the counted opt-in coercions after the last batch.
        state: gives the incremental state (JSON value) after the last batch.
    """

    def __init__(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        *,
        on_close: Callable[[], None] | None = None,
        coerced: Callable[[], Mapping[str, int]] = dict,
        state: Callable[[], Any] = lambda: None,
    ) -> None:
        self._schema = schema
        self._batches = batches
        self._on_close = on_close
        self._coerced = coerced
        self._state = state

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches
        finally:
            self.close()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._schema, iter(self))
        return reader.__arrow_c_stream__(requested_schema)

    def coerced(self) -> Mapping[str, int]:
        return self._coerced()

    def state(self) -> Any:
        return self._state()

    def close(self) -> None:
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


def as_reader(stream: Any) -> pa.RecordBatchReader:
    """A pyarrow reader over any stream of batches: ours, or whatever speaks ``__arrow_c_stream__``."""
    if hasattr(stream, "schema") and hasattr(stream, "__iter__"):
        schema = arrow_schema(stream.schema)
        return pa.RecordBatchReader.from_batches(schema, (arrow_batch(batch, schema) for batch in stream))
    return pa.RecordBatchReader.from_stream(stream)


def as_stream(source: Any) -> Any:
    """``source`` itself when it is an ``ArrowStream``, else one around its ``__arrow_c_stream__``."""
    if all(hasattr(source, name) for name in ("schema", "coerced", "state", "close", "__iter__")):
        return source
    reader = pa.RecordBatchReader.from_stream(source)
    return BatchStream(reader.schema, reader, on_close=reader.close)


def rebatch(batches: Iterable[pa.RecordBatch], max_bytes: int = BATCH_BYTES) -> Iterator[pa.RecordBatch]:
    """Split batches so that none is much larger than ``max_bytes`` (a single larger row stays whole)."""
    for batch in batches:
        pieces = max(1, -(-batch.nbytes // max_bytes))
        rows = max(1, -(-batch.num_rows // pieces))
        if rows >= batch.num_rows:
            yield batch
            continue
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def arrow_schema(schema: Any) -> pa.Schema:
    """``schema`` as pyarrow's, whoever made it."""
    return schema if isinstance(schema, pa.Schema) else pa.schema(schema)


def arrow_batch(batch: Any, schema: pa.Schema) -> pa.RecordBatch:
    """``batch`` as pyarrow's, whoever made it."""
    return batch if isinstance(batch, pa.RecordBatch) else pa.record_batch(batch, schema=schema)
