"""A stream kept on disk as Arrow IPC, for a step whose output several steps read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from osiris_core.atomic import PRIVATE_FILE
from osiris_core.data.stream import BatchStream, as_reader


class Spool:
    """Writes a stream to ``path`` once; ``open()`` reads it any number of times, without loading it whole."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._path = path
        path.touch(PRIVATE_FILE)  # Arrow writes into what is there, and would make a file that anybody reads
        with as_reader(stream) as reader, ipc.new_stream(str(path), reader.schema) as sink:
            self._schema = reader.schema
            for batch in reader:
                sink.write_batch(batch)
        self._coerced = dict(stream.coerced())
        self._state = stream.state()

    def open(self) -> BatchStream:
        """A fresh stream over the spooled batches."""
        return BatchStream(self._schema, self._read(), coerced=lambda: self._coerced, state=lambda: self._state)

    def _read(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self._path)) as source, ipc.open_stream(source) as reader:
            yield from reader

    def close(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
