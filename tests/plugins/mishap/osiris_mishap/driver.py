"""A source of numbers: three, or an error after the first, or one every tenth of a second for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from osiris_core import Connection, Driver, Partition, StepContext

if TYPE_CHECKING:
    import pyarrow as pa

    from osiris_core.data import BatchStream


class MishapTable(Driver):
    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> BatchStream:
        import pyarrow as pa

        from osiris_core.data import BatchStream

        schema = pa.schema([pa.field("id", pa.int64())])
        return BatchStream(schema, numbers(schema, config["mishap"]))


def numbers(schema: pa.Schema, mishap: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for number in count(1):
        yield pa.record_batch([[number]], schema=schema)
        if mishap == "raises":
            raise OSError("the source broke off")
        if mishap == "endless":
            time.sleep(0.1)
        elif number == 3:
            return
