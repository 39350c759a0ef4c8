"""A workshop for tests of the drivers: one directory, its connections, and short ways to read, write and transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from osiris_core import CommitResult, Connection, Driver, StepContext
from osiris_core.data import BatchStream, as_reader
from osiris_duckdb.files.driver import FileTable
from osiris_duckdb.table import DuckDBTable
from osiris_duckdb.transform import DuckDBSQL


class Workshop:
    """``directory`` holds ``shop.duckdb`` and ``files/``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "shop.duckdb"
        self.files = directory / "files"
        self.files.mkdir()
        (directory / "work").mkdir()
        self.warnings: list[tuple[str, str]] = []
        self._runs = 0

    def connection(self, **fields: Any) -> Connection:
        return Connection("shop", "duckdb", {"path": str(self.path), **fields})

    def file_connection(self, **fields: Any) -> Connection:
        return Connection("files", "file", {"root": str(self.files), **fields})

    def context(self, **changes: Any) -> StepContext:
        """A context with a fresh run key, unless one is given."""
        self._runs += 1
        context = StepContext(
            run_id=f"run{self._runs}",
            run_key=f"key{self._runs}",
            pipeline="test",
            step="step",
            project_dir=self.directory,
            work_dir=self.directory / "work",
            warn=lambda code, message: self.warnings.append((code, message)),
        )
        return replace(context, **changes)

    def sql(self, statement: str) -> list[Any]:
        """Run SQL on the database file with DuckDB itself."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    def stream(self, config: Mapping[str, Any], **changes: Any) -> Any:
        return DuckDBTable().open_reader(self.connection(), config, self.context(**changes))

    def file_stream(self, config: Mapping[str, Any], fields: Mapping[str, Any] | None = None, **changes: Any) -> Any:
        return FileTable().open_reader(self.file_connection(**(fields or {})), config, self.context(**changes))

    def read(self, config: Mapping[str, Any], **changes: Any) -> pa.Table:
        return drained(self.stream(config, **changes))

    def read_file(self, config: Mapping[str, Any], **fields: Any) -> pa.Table:
        return drained(self.file_stream(config, fields))

    def write(self, config: Mapping[str, Any], *streams: Any, state: Any = None, **changes: Any) -> CommitResult:
        return self._write(DuckDBTable(), self.connection(), config, streams, state, changes)

    def write_file(
        self, config: Mapping[str, Any], *streams: Any, fields: Mapping[str, Any] | None = None, **changes: Any
    ) -> CommitResult:
        return self._write(FileTable(), self.file_connection(**(fields or {})), config, streams, None, changes)

    def _write(
        self,
        driver: Driver,
        connection: Connection,
        config: Mapping[str, Any],
        streams: Sequence[Any],
        state: Any,
        changes: Mapping[str, Any],
    ) -> CommitResult:
        writer = driver.open_writer(connection, config, self.context(**changes))
        try:
            done = writer.begin()
            if done is not None:
                return done
            for index, stream in enumerate(streams):
                writer.stage(streamed(stream), index)
            return writer.commit(state=state)
        finally:
            writer.close()

    def transform(self, sql: str, config: Mapping[str, Any] | None = None, **inputs: Any) -> pa.Table:
        streams = {name: streamed(data) for name, data in inputs.items()}
        return drained(DuckDBSQL().transform({"sql": sql, **(config or {})}, streams, self.context(step="sql")))


def streamed(data: Any) -> Any:
    """A table as a stream; a stream as it is."""
    return BatchStream(data.schema, data.to_batches()) if isinstance(data, pa.Table) else data


def drained(stream: Any) -> pa.Table:
    """All rows of a stream, which is closed."""
    try:
        return as_reader(stream).read_all()
    finally:
        stream.close()


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)
