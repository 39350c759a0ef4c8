"""Columns under other names on their way into a target: the schema changes, no value is touched or copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from osiris_core.data.stream import BatchStream, arrow_batch, arrow_schema
from osiris_core.data.types import with_names
from osiris_core.errors import RunError
from osiris_core.naming import snake_names, source_spellings


def with_target_names(stream: Any, config: Mapping[str, Any]) -> Any:
    """``stream`` with its columns called as the write ``config`` asks by ``naming``; itself where nothing changes.

    The engine calls it before ``Writer.stage``, for every component whose spec has the field, so no writer needs to.

    Raises RunError (OSI-R114) naming every column that would have no name, or one that another has, and each key of
    ``config`` that is spelt as in the source.
    """
    if config.get("naming", "preserve") != "snake":
        return stream
    schema = arrow_schema(stream.schema)
    names, wrong = snake_names(schema.names)
    if wrong:
        raise RunError(
            f"naming: snake cannot name all columns: {'; '.join(wrong)}; nothing was written",
            code="OSI-R114",
            hint="give them other names in a query or a transform, leave them out, or write naming: preserve",
        )
    renamed = dict(zip(schema.names, names, strict=True))
    for path, name in source_spellings(config, renamed):
        raise RunError(
            f'{path[0]}: naming: snake calls the column "{name}" "{renamed[name]}" in the target; nothing was written',
            code="OSI-R114",
            hint=f"write {renamed[name]}: a write step names columns as its target does",
        )
    return stream if names == schema.names else _Renamed(stream, schema, with_names(schema, names))


class _Renamed(BatchStream):
    """``origin`` under other names, place by place."""

    def __init__(self, origin: Any, schema: pa.Schema, named: pa.Schema) -> None:
        batches = _renamed(origin, schema, named)
        super().__init__(named, batches, on_close=origin.close, coerced=origin.coerced, state=origin.state)
        self.origin = origin


def _renamed(batches: Any, schema: pa.Schema, named: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_arrays(arrow_batch(batch, schema).columns, schema=named)
