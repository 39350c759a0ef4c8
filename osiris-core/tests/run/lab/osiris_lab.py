"""A connector for tests: tables are JSON files, and every fault one can think of happens when the config asks for it.

``connection.directory`` holds ``<table>.json``: ``{"columns": {name: type}, "rows": [...], "ledger": {...}}``.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pyarrow as pa

from osiris_core.catalog.model import Catalog, Column, Table
from osiris_core.component import Component
from osiris_core.data import BatchStream
from osiris_core.data.ledger import result_from_json, result_to_json
from osiris_core.drivers import CommitResult, Driver, Fault, Partition
from osiris_core.errors import ConnectError
from osiris_core.hookspecs import hookimpl

OSIRIS_API = "1.0"
ARROW = {"int64": pa.int64(), "string": pa.string()}
#: Calls of drivers in this process, for tests that look at the order of things.
CALLS: list[tuple[str, ...]] = []


@hookimpl
def osiris_components():
    return [Component("lab.table", Path(__file__).with_name("spec.yaml"))]


class LabError(Exception):
    """The lab's own error; its text is ``KIND: message``."""


class LabTable(Driver):
    def discover(self, connection, scope):
        CALLS.append(("discover", *scope.tables))
        if connection.fields.get("unreachable"):
            raise LabError("connection: the lab is closed")
        tables = []
        for path in sorted(Path(connection.text("directory")).glob("*.json")):
            if scope.matches(path.stem):
                columns = json.loads(path.read_text())["columns"]
                tables.append(Table(path.stem, tuple(Column(name, kind, kind) for name, kind in columns.items())))
        return Catalog("lab.table", tuple(tables))

    def map_error(self, error):
        kind, _, message = str(error).partition(": ")
        if not isinstance(error, LabError) or kind not in ("connection", "run", "drift", "data"):
            return None
        return Fault("OSI-R001", message, "mend the lab", retryable="again" in message, kind=kind)

    def plan_partitions(self, connection, config, context):
        count = config["partition"]["count"]
        return [Partition(index, count, {"modulo": index}) for index in range(count)]

    def open_reader(self, connection, config, context, partition=None):
        CALLS.append(("open_reader", context.step))
        _fail(config, "open", connection)
        table = _load(connection, config["table"])
        rows = [row for row in table["rows"] if partition is None or row["id"] % partition.count == partition.index]
        if "incremental" in config:
            rows = [row for row in rows if row["id"] > (context.state or 0)]
        schema = pa.schema([(name, ARROW[kind]) for name, kind in table["columns"].items()])
        highest = max((row["id"] for row in rows), default=context.state or 0)
        return BatchStream(
            schema, _batches(rows, schema, config, connection), coerced=lambda: {"on_lab": 1}, state=lambda: highest
        )

    def transform(self, config, inputs, context):
        _fail(config, "open", None)
        streams = [inputs[name] for name in sorted(inputs)]
        return BatchStream(streams[0].schema, _chain(streams, config))

    def open_writer(self, connection, config, context):
        CALLS.append(("open_writer", context.step))
        if "password_in_error" in config:
            raise RuntimeError(f"cannot log in with {connection.text('password')}")
        return LabWriter(connection, config, context)


class LabWriter:
    def __init__(self, connection, config, context):
        self._connection, self._config, self._context = connection, config, context
        self._key = "/".join((context.run_key, context.pipeline, context.step))
        self._staged: list[dict] = []
        self._schema = None
        if config.get("delivery"):
            self.delivery = config["delivery"]

    def begin(self):
        CALLS.append(("begin", self._context.step))
        _fail(self._config, "begin", self._connection)
        self._table = _load(self._connection, self._config["table"])
        known = self._table["ledger"].get(self._key)
        return result_from_json(known) if known and self._config.get("ledger", True) else None

    def read_state(self):
        return self._table.get("state")

    def stage(self, stream, partition=0):
        CALLS.append(("stage", self._context.step, str(partition)))
        self._schema = stream.schema
        count = 0
        source = pa.RecordBatchReader.from_stream(stream) if self._config.get("through_c") else stream
        for batch in source:
            self._staged += batch.to_pylist()
            count += batch.num_rows
            if count >= self._config.get("stop_at", 10**9):
                break
            _fail(self._config, "stage", self._connection)
        return count - self._config.get("lose", 0)

    def commit(self, *, state=None, coerced=None):
        CALLS.append(("commit", self._context.step))
        _fail(self._config, "commit", self._connection)
        append = self._config["write_mode"] == "append"
        rows = [*(self._table["rows"] if append else []), *self._staged]
        columns = self._table["columns"] or {field.name: str(field.type) for field in self._schema}
        written = len(self._staged) - self._config.get("miscount", 0)
        result = CommitResult(written, coerced=dict(coerced or {}))
        ledger = {**self._table["ledger"], self._key: result_to_json(result)}
        _save(
            self._connection,
            self._config["table"],
            {
                "columns": columns,
                "rows": rows,
                "ledger": ledger,
                "state": state if state is not None else self._table.get("state"),
            },
        )
        _fail(self._config, "after_commit", self._connection)
        return result

    def abort(self):
        CALLS.append(("abort", self._context.step))
        self._staged = []

    def close(self):
        CALLS.append(("close", self._context.step))


def _fail(config, phase, connection):
    """``fail: {phase, kind, message, times}``: raise in that phase, ``times`` times in all (counted in a file)."""
    fail = config.get("fail")
    if not fail or fail["phase"] != phase:
        return
    if "times" in fail:
        counter = Path(connection.text("directory")) / f".{fail['phase']}-{config['table']}.count"
        seen = int(counter.read_text()) if counter.exists() else 0
        if seen >= fail["times"]:
            return
        counter.write_text(str(seen + 1))
    kind, message = fail.get("kind", "run"), fail.get("message", "told to fail")
    if kind == "connect":
        raise ConnectError(message, retryable="again" in message)
    if kind == "unknown":
        raise ZeroDivisionError(message)
    if kind == "kill":
        os.kill(os.getpid(), 9)
    raise LabError(f"{kind}: {message}")


def _batches(rows, schema, config, connection):
    size = config.get("batch_rows", 2)
    for start in range(0, max(len(rows), 1), size):
        part = rows[start : start + size]
        time.sleep(config.get("seconds_per_batch", 0))
        yield pa.RecordBatch.from_pylist(part, schema)
        _fail(config, "read", connection)


def _chain(streams, config):
    for stream in streams:
        for batch in stream:
            yield batch
            _fail(config, "read", None)


def _path(connection, table):
    return Path(connection.text("directory")) / f"{table}.json"


def _load(connection, table):
    path = _path(connection, table)
    return json.loads(path.read_text()) if path.exists() else {"columns": {}, "rows": [], "ledger": {}}


def _save(connection, table, value):
    path = _path(connection, table)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(json.dumps(value))
    new.replace(path)
